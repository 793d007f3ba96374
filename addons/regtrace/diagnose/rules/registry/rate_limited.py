"""RT718: the registry or its token server counts requests, and these were too many."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received, said
from regtrace.diagnose.facts.last_words import shown_by, tries
from regtrace.diagnose.facts.limits import (
    allowed_per_minute,
    is_throttled,
    read_allowance,
    retry_after,
)
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
from regtrace.wire.registry import Registry
from regtrace.wire.term import Term, TermKind, host, plain

_HUB_WORDS = ("pull rate limit", "increase-rate-limit")
_HUB_BY_ADDRESS = "unauthenticated pull rate limit"


@rule(
    number="RT718",
    slug="rate-limited",
    title="{registry} refuses for too many requests{whose}",
    cause=("{registry} counts requests and refuses those above its limit. {limit} {wait}"),
    fix=(
        "{remedy}",
        (
            "Pull through a cache of your own (registry-mirrors in daemon.json, Harbor proxy cache,"
            " ECR pull through cache), so that an image is fetched once."
        ),
        (
            "Wait as long as the answer asks (Retry-After), and start fewer jobs at a time:"
            " max-concurrent-downloads: 1 in daemon.json."
        ),
    ),
    check=(
        "curl -sI -H 'Authorization: Bearer TOKEN' {url} | grep -i -e ratelimit -e retry-after",
    ),
    references=(
        "https://docs.docker.com/docker-hub/usage/pulls/",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors.html",
        "https://github.com/docker/hub-feedback/issues/2429",
    ),
    owner=Owner.USER,
    needs=frozenset(set(Kind) - {Kind.STORAGE, Kind.CONNECT}),
    fires="""
client docker/24.0.7
registry https://registry-1.docker.io
realm https://auth.docker.io/token service=registry.docker.io
GET /v2/                     -> 401
token anonymous pull team/app -> 200
GET manifest 1 [cfg L1]      -> 429 TOOMANYREQUESTS "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"
  < docker-ratelimit-source: 192.0.2.1
""",
    silent="""
client docker/24.0.7
registry https://registry-1.docker.io
realm https://auth.docker.io/token service=registry.docker.io
GET /v2/                     -> 401
token anonymous pull team/app -> 200
GET manifest 1 [cfg L1]      -> 403 DENIED "requested access to the resource is denied"
""",
    also_fires=(
        """
client containerd/2.1.0
registry https://ghcr.io
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 200
GET manifest 1 [cfg L1]      -> 429 TOOMANYREQUESTS "retry-after: 880.092µs, allowed: 44000/minute"
GET manifest 1 [cfg L1]      -> 429 TOOMANYREQUESTS "retry-after: 880.092µs, allowed: 44000/minute"
""",
        """
client docker/24.0.7
GET /v2/                     -> 401
token pull team/app          -> 429
""",
        """
client kaniko/1.23.0
registry https://public.ecr.aws
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 400 TOOMANYREQUESTS "Rate exceeded"
""",
    ),
    also_silent=(
        """
client containerd/2.1.0
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 429
HEAD manifest 1              -> 429
HEAD manifest 1              -> 200    # a later try got through
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200
""",
    ),
)
def rate_limited(operation: Operation, facts: Facts) -> Verdict:
    if not any(is_throttled(leg) for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = [fatal.leg for fatal in facts.fatal if is_throttled(fatal.leg)]
    if not legs:
        return PASSES
    first = legs[0]
    by_address = _is_anonymous(first)
    headers = ("Retry-After", "RateLimit-Remaining", "docker-ratelimit-source")
    evidence = (
        *shown_by(first, "refused for the number of requests"),
        *(
            Evidence(first, f"response.header.{name}", "what the limit looks at")
            for name in headers
            if name in received(first)
        ),
    )
    return Fails(
        legs=tuple(legs),
        evidence=evidence,
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "whose": plain(", counted by your network's address" if by_address else ""),
            "limit": plain(_limit(first, facts)),
            "wait": plain(_wait(first)),
            "remedy": plain(_LOG_IN if by_address else _ASK_LESS),
            "url": Term(TermKind.URL, f"{first.url.origin}{first.url.path}"),
        },
        count=tries(facts, legs),
    )


_LOG_IN = (
    "Log in (docker login) on every machine and in every CI job that pulls: an account has a limit"
    " of its own, anonymous pulls share one with everybody behind the same address (IPv6: the same"
    " /64)."
)
_ASK_LESS = (
    "Ask for less: pull by digest, keep images between jobs, do not poll for new tags every minute;"
    " or take a plan with a higher limit."
)


def _is_anonymous(leg: Leg) -> bool:
    """Docker Hub counts who did not log in by his address, and shows it."""
    source = received(leg).get("docker-ratelimit-source") or ""
    return _HUB_BY_ADDRESS in said(leg) or "." in source or ":" in source


def _limit(leg: Leg, facts: Facts) -> str:
    allowance, per_minute = read_allowance(leg), allowed_per_minute(leg)
    if allowance is not None:
        hours = f" in {allowance.window // 3600} hours" if allowance.window else ""
        return f"The limit is {allowance.limit} pulls{hours}."
    if per_minute is not None:
        return f"The limit is {per_minute} requests a minute."
    if any(words in said(leg) for words in _HUB_WORDS):
        return (
            "Docker Hub counts pulls of manifests in six hours: 100 from one address without a login,"
            " 200 of a free account; layers do not count."
        )
    if facts.product is Registry.DOCKER_HUB:
        return (
            "This is not Docker Hub's pull limit, whose answer would say so, but its limit against"
            " abuse: too many requests at once from one address."
        )
    if leg.kind is Kind.TOKEN:
        return "It is the token server that counts: too many logins, each of which asks for one."
    return "The answer does not say how many are allowed."


def _wait(leg: Leg) -> str:
    seconds = retry_after(leg)
    return (
        f"It asks to wait {seconds} s."
        if seconds is not None
        else "It does not say how long to wait."
    )
