"""RT726: a client speaks the registry protocol of before 2015, because the newer one failed."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Severity,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host

_V1 = ("/v1/_ping", "/v1/repositories/", "/v1/images/")


@rule(
    number="RT726",
    slug="v1-fallback",
    title="The client fell back to the old protocol /v1/ at {registry}; look at /v2/ before it",
    cause=(
        "The client asked {registry} for /v2/ first, got nothing that it took for a registry, and"
        " tried /v1/, which no registry speaks any more. Whatever it says of /v1/ is noise: the"
        " fault is in the answer to /v2/."
    ),
    fix=(
        "Find out why GET /v2/ failed: name, port, TLS, a proxy's page in the registry's place.",
        (
            "A proxy before the registry must pass the header Docker-Distribution-Api-Version:"
            " registry/2.0 on (nginx: proxy_pass_header, or add_header ... always): old clients know"
            " a registry by it."
        ),
    ),
    check=("curl -si https://{registry}/v2/",),
    references=(
        "https://distribution.github.io/distribution/recipes/nginx/",
        "https://github.com/moby/moby/issues/33564",
    ),
    owner=Owner.CLIENT,
    severity=Severity.NOTE,
    needs=frozenset({Kind.OTHER}),
    fires="""
client docker/1.12.6
registry https://registry.test open
GET /v2/                     -> 200
  < -Docker-Distribution-API-Version
GET /v1/_ping                -> 404
""",
    silent="""
client docker/1.12.6
registry https://registry.test open
GET /v2/                     -> 200
GET /v1/_ping                -> 404    # docker search
""",
)
def v1_fallback(operation: Operation, facts: Facts) -> Verdict:
    old = [leg for leg in facts.legs if leg.kind is Kind.OTHER and leg.url.path.startswith(_V1)]
    if not old:
        return DOES_NOT_APPLY
    before = [
        leg
        for leg in facts.legs
        if leg.started < old[0].started
        and leg.kind in {Kind.PING, Kind.CONNECT}
        and leg.url.host == old[0].url.host
    ]
    if not before or not _was_no_registry(before[-1]):
        return PASSES
    last = before[-1]
    where = "error" if last.broken else "response.status"
    if last.succeeded:
        where = "response.header.Docker-Distribution-Api-Version"
    return Fails(
        legs=tuple(old),
        evidence=(
            Evidence(last, where, "why the client left /v2/"),
            Evidence(old[0], "request.url", "the old protocol"),
        ),
        confidence=Confidence.CERTAIN,
        fields={"registry": host(old[0].url.authority)},
        count=len(old),
    )


def _was_no_registry(leg: Leg) -> bool:
    """docker before 17.12 took only an answer of 200 or 401 with its header for a registry
    (registry/auth.go PingV2Registry)."""
    named = "Docker-Distribution-Api-Version" in received(leg)
    return (leg.refused and leg.status != 401) or not named
