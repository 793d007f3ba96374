"""RT607: a proxy asks in HTTP/1.0, and the one behind it does not speak that any more."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
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


@rule(
    number="RT607",
    slug="http10-upstream-426",
    title="A proxy before {server} speaks HTTP/1.0, which the next one refuses (426)",
    cause=(
        "426 Upgrade Required is what Envoy and Istio answer to HTTP/1.0. The client does not speak"
        " that; nginx does, towards the server behind it, unless it is told otherwise. So an nginx"
        " on the way asks an Envoy behind it, in vain."
    ),
    fix=(
        (
            'nginx: set proxy_http_version 1.1; and proxy_set_header Connection ""; in the location'
            " of the registry, in every nginx that stands before an Envoy, Istio or cloud gateway."
        ),
        "If nginx can't be changed, let Envoy accept it: accept_http_10: true.",
    ),
    check=("curl -sv --http1.0 https://{server}/v2/",),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_http_version",
        "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.22",
        "https://github.com/rpardini/docker-registry-proxy/pull/128",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
GET /v2/                     -> 426
  < Server: istio-envoy
  < -Docker-Distribution-Api-Version
  << Upgrade Required
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 429
  < Server: istio-envoy
  < -Docker-Distribution-Api-Version
  << Upgrade Required
""",
    also_fires=(
        """
client containerd/1.7.2
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
POST uploads                 -> 426 nginx
""",
    ),
)
def http10_upstream_426(operation: Operation, facts: Facts) -> Verdict:
    legs = ended_by(facts, _is_refused)
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=legs,
        evidence=(Evidence(first, "response.status", "the version of HTTP is refused"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"server": host(first.url.authority)},
        count=len(legs),
        owner=front_owner(first),
    )


def _is_refused(leg: Leg) -> bool:
    """Not of a client that asks in HTTP/1.0 itself."""
    return leg.status == 426 and leg.exchange.request.version != "HTTP/1.0"
