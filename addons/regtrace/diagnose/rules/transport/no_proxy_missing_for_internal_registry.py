"""RT111: a registry inside goes out through a proxy that only knows the outside."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.transport import is_inside
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host
from regtrace.wire.transport import Failure

#: Proxies that stand at the way out of a site, never before a registry.
_FORWARD_PROXIES = frozenset({"squid", "bluecoat", "zscaler", "skyhigh", "privoxy", "tinyproxy"})


@rule(
    number="RT111",
    slug="no-proxy-missing-for-internal-registry",
    title="The internal registry {server} is asked through a proxy that can't reach it",
    cause=(
        "{server} is a name or address of the inside, yet its traffic goes through the proxy that"
        " leads outside, and that proxy can't reach it or won't. NO_PROXY does not name this host"
        " where the client, or mitmproxy, takes its proxy from."
    ),
    fix=(
        (
            "List the host in NO_PROXY, without http:// before it, where the client has its proxy"
            " from: no-proxy under proxies in daemon.json for dockerd, or the systemd drop-in;"
            " then restart the daemon."
        ),
        (
            "If mitmdump runs with --mode upstream:, start it with --mode regular for this"
            " registry: it then connects directly."
        ),
    ),
    check=("systemctl show --property=Environment docker", "curl -v --noproxy '*' {url}"),
    references=(
        "https://docs.docker.com/engine/daemon/proxy/",
        "https://github.com/distribution/distribution/issues/2147",
    ),
    owner=Owner.CLIENT,
    needs=frozenset(Kind),
    explains=frozenset(
        {"proxy-refuses-connect", "gateway-error-page", "vhost-not-found", "waf-block"}
    ),
    fires="""
client docker/20.10.24
CONNECT registry.corp:443    -> ! Upstream proxy p:8080 refused HTTP CONNECT request: 503 Service Unavailable
""",
    silent="""
client docker/20.10.24
CONNECT registry.example.com:443 -> ! Upstream proxy p:8080 refused HTTP CONNECT request: 503 Service Unavailable
""",
    also_fires=(
        """
client docker/20.10.24
registry http://registry.corp:5000 open
GET /v2/                     -> 503
  < Server: squid/5.7
  < -Docker-Distribution-Api-Version
  << <html><title>ERROR: The requested URL could not be retrieved</title></html>
""",
    ),
    also_silent=(
        # It wants a login, whatever lies behind it.
        """
client docker/20.10.24
CONNECT registry.corp:443    -> ! Upstream proxy p:8080 refused HTTP CONNECT request: 407 Proxy Authentication Required
""",
        """
client docker/20.10.24
registry http://registry.corp:5000 open
GET /v2/                     -> 503 nginx
""",
    ),
)
def no_proxy_missing_for_internal_registry(operation: Operation, facts: Facts) -> Verdict:
    legs = [fatal.leg for fatal in facts.fatal if _was_stopped_on_its_way_out(fatal.leg)]
    if not legs:
        return DOES_NOT_APPLY
    legs = [leg for leg in legs if is_inside(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    where = "error" if first.broken else "response.status"
    return Fails(
        legs=tuple(legs),
        evidence=(
            Evidence(first, "request.url", "a host of the inside"),
            Evidence(first, where, "what the proxy that leads outside made of it"),
        ),
        confidence=Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "server": host(first.url.authority),
            "url": Term(TermKind.URL, f"{first.url.origin}/v2/"),
        },
        count=len(legs),
    )


def _was_stopped_on_its_way_out(leg: Leg) -> bool:
    if leg.broken:
        return leg.failure is Failure.UPSTREAM_PROXY and not leg.failed_at_proxy
    by_it = leg.answerer is not None and leg.answerer.product in _FORWARD_PROXIES
    return by_it and leg.status in {403, 502, 503, 504}
