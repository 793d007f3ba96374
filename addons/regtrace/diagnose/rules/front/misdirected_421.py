"""RT608: a request came on a TLS connection that was opened for another name."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import sent
from regtrace.diagnose.facts.fronts import ended_by, front_owner
from regtrace.diagnose.rule import (
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
from regtrace.wire.term import host
from regtrace.wire.url import parse_url


@rule(
    number="RT608",
    slug="misdirected-421",
    title="{server} got a request on a connection that is for another name (421)",
    cause=(
        "421 Misdirected Request means: the name in the request does not fit the name (SNI) that"
        " the TLS connection was opened with. That happens where a proxy opens the connection for"
        " one name and passes on requests for another, or sends the requests for several hosts over"
        " one HTTP/2 connection."
    ),
    fix=(
        "Start mitmdump with --set http2=false, and without keep_host_header in reverse mode.",
        (
            "nginx before the registry: set proxy_ssl_server_name on; and proxy_ssl_name to the name"
            " that it passes on in Host."
        ),
        "Give hosts that share an address certificates of their own, not one for all of them.",
    ),
    check=("curl -sv --http1.1 https://{server}/v2/",),
    references=(
        "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.20",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_server_name",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(Kind),
    fires="""
client crane/0.19
GET /v2/                     -> 421 nginx
""",
    silent="""
client crane/0.19
GET /v2/                     -> 421 nginx
GET /v2/                     -> 401    # on a connection of its own
""",
    also_fires=(
        """
client crane/0.19
GET /v2/                     -> 421 nginx
  > Host: hub.example.com
""",
    ),
)
def misdirected_421(operation: Operation, facts: Facts) -> Verdict:
    legs = ended_by(facts, lambda leg: leg.status == 421)
    if not legs:
        return PASSES
    first = legs[0]
    renamed = _is_renamed(first)
    evidence = [Evidence(first, "response.status", "the request is not for this connection")]
    if renamed:
        why = "another name than that of the server that this proxy connected to"
        evidence.append(Evidence(first, "request.header.Host", why))
    return Fails(
        legs=legs,
        evidence=tuple(evidence),
        confidence=Confidence.LIKELY if renamed else Confidence.POSSIBLE,
        transfer=facts.transfer_of(first),
        fields={"server": host(first.url.authority)},
        count=len(legs),
        owner=Owner.INTERCEPTION if renamed else front_owner(first),
    )


def _is_renamed(leg: Leg) -> bool:
    named = parse_url(f"{leg.url.scheme}://{sent(leg).get('Host') or ''}")
    return named is not None and named.host != leg.url.host
