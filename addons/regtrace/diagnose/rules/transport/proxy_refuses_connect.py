"""RT108: the upstream proxy, through which this one goes out, refused the connection."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host, plain
from regtrace.wire.transport import Failure, upstream_status

_REASONS = {
    407: "it wants to be logged in to",
    403: "it does not allow this host or port",
}


@rule(
    number="RT108",
    slug="proxy-refuses-connect",
    title="The upstream proxy refuses to connect to {server} ({status})",
    cause=(
        "Traffic leaves through another proxy, and that one refused the way to {server}:"
        " {reason}. A client that uses it directly sees no more than the words of the status, such"
        " as Forbidden or Proxy Authentication Required."
    ),
    fix=(
        (
            "For 407, give the proxy's user and password: mitmdump --set"
            " upstream_auth=USER:PASSWORD; for dockerd http://USER:PASSWORD@PROXY:PORT in proxies of"
            " daemon.json, with special characters percent-encoded. NTLM and Kerberos need a local"
            " helper such as cntlm."
        ),
        (
            "For 403, ask who runs the proxy to allow {server}, and with it the token server and"
            " the storage that the registry sends clients to."
        ),
        (
            "For 502, 503 or 504 the proxy can't reach {server}: if that is an internal host, list"
            " it in NO_PROXY of the daemon and restart it."
        ),
    ),
    check=("curl -v -x http://PROXY:PORT https://{server}/v2/",),
    references=(
        "https://docs.docker.com/engine/daemon/proxy/",
        "https://github.com/moby/moby/issues/40507",
    ),
    owner=Owner.NETWORK,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
CONNECT registry.example.com:443 -> ! Upstream proxy p:8080 refused HTTP CONNECT request: 407 Proxy Authentication Required
""",
    silent="""
client docker/20.10.24
CONNECT registry.example.com:443 -> ! [Errno 111] Connect call failed ('192.0.2.7', 443)
""",
    also_fires=(
        """
client docker/20.10.24
CONNECT registry.example.com:443 -> ! Upstream proxy p:8080 refused HTTP CONNECT request: 403 Forbidden
""",
        """
client docker/24.0.7
registry http://registry.example.com:5000 open
GET /v2/                     -> 407 nginx
  < Server: squid/5.7
""",
    ),
)
def proxy_refuses_connect(operation: Operation, facts: Facts) -> Verdict:
    legs = [fatal.leg for fatal in facts.fatal if _is_refused(fatal.leg)]
    if not legs:
        return DOES_NOT_APPLY
    first = legs[0]
    status = upstream_status(first.exchange.error or "") if first.broken else first.status
    where = "error" if first.broken else "response.status"
    return Fails(
        legs=tuple(legs),
        evidence=(Evidence(first, where, "what the upstream proxy answered"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "server": host(first.url.authority),
            "status": plain(status or "no status"),
            "reason": plain(_REASONS.get(status or 0, "it could not, or would not, reach it")),
        },
        count=len(legs),
    )


def _is_refused(leg: Leg) -> bool:
    """Its CONNECT; or, of plain http, the request itself by 407, which only proxies say (RFC 9110
    15.5.8)."""
    if leg.broken:
        return leg.failure is Failure.UPSTREAM_PROXY
    return leg.status == 407
