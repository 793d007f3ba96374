"""RT731: only a few of the allowed pulls are left; the next ones will be refused."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.limits import read_allowance
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
from regtrace.wire.leg import Kind
from regtrace.wire.term import host, plain

_READS = (Kind.MANIFEST_GET, Kind.MANIFEST_HEAD)


@rule(
    number="RT731",
    slug="rate-limit-nearly-used-up",
    title="Only {left} of {limit} pulls are left at {registry}",
    cause=(
        "{registry} says in its answers how many pulls are left in the present window: {left} of"
        " {limit}. When they are used up, it answers 429 to every further one."
    ),
    fix=(
        "Log in (docker login), or take a plan with a higher limit.",
        "Pull through a cache of your own: registry-mirrors in daemon.json, Harbor proxy cache.",
    ),
    references=("https://docs.docker.com/docker-hub/usage/pulls/",),
    owner=Owner.USER,
    severity=Severity.NOTE,
    needs=frozenset(_READS),
    fires="""
client docker/24.0.7
GET /v2/                     -> 401
token anonymous pull team/app -> 200
GET manifest 1 [cfg L1]      -> 200
  < ratelimit-limit: 100;w=21600
  < ratelimit-remaining: 7;w=21600
GET blob cfg                 -> 200
GET blob L1                  -> 200
""",
    silent="""
client docker/24.0.7
GET /v2/                     -> 401
token anonymous pull team/app -> 200
GET manifest 1 [cfg L1]      -> 200
  < ratelimit-limit: 100;w=21600
  < ratelimit-remaining: 70;w=21600
GET blob cfg                 -> 200
GET blob L1                  -> 200
""",
)
def rate_limit_nearly_used_up(operation: Operation, facts: Facts) -> Verdict:
    told = [
        allowance
        for leg in operation.legs_of_kind(*_READS)
        if leg.succeeded and (allowance := read_allowance(leg)) is not None
    ]
    if not told:
        return DOES_NOT_APPLY
    last = told[-1]
    if not last.nearly_used_up:
        return PASSES
    why = "what is left"
    return Fails(
        legs=(last.leg,),
        evidence=(Evidence(last.leg, "response.header.RateLimit-Remaining", why),),
        confidence=Confidence.CERTAIN,
        fields={
            "registry": host(last.leg.url.authority),
            "left": plain(last.remaining),
            "limit": plain(last.limit),
        },
    )
