"""RT218: again and again a new token, and again it is refused."""

from __future__ import annotations

from bisect import bisect_left

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.tokens import Refusal
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
from regtrace.wire.leg import Kind
from regtrace.wire.term import host, plain
from regtrace.wire.url import Url

#: One refusal, and one after a new token, are every client's ordinary way.
_LEAST = 3


@rule(
    number="RT218",
    slug="auth-loop",
    title="{registry} refused the same request {times} times, each time with a new token",
    cause=(
        "The client is told to fetch a token, gets one, repeats its request and is refused with 401"
        " again. The registry does not accept what the token server gives, or the token never"
        " reaches it; nothing in these answers says which."
    ),
    fix=(
        (
            "Look into the registry's log at this time: it says why it refused (error authorizing"
            " context: …)."
        ),
        (
            "Ask the registry past every proxy in front of it with the same token: curl -i -H"
            " 'Authorization: Bearer TOKEN' http://REGISTRY:5000/v2/. If that works, a proxy takes"
            " the header away."
        ),
        (
            "Compare service, issuer and key of auth.token in the registry's config.yml with those"
            " of the token server."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/spec/auth/token/",
        "https://github.com/SUSE/Portus/issues/2206",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.TOKEN}),
    fires="""
client jib/3.4.0
GET /v2/                     -> 401
token push,pull team/app opaque -> 200
POST uploads                 -> 401
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"
token push,pull team/app opaque -> 200
POST uploads                 -> 401
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"
token push,pull team/app opaque -> 200
POST uploads                 -> 401
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"
""",
    silent="""
client jib/3.4.0
GET /v2/                     -> 401
token push,pull team/app opaque -> 200
POST uploads                 -> 401
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"
token push,pull team/app opaque -> 200
POST uploads                 -> 401
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"
token push,pull team/app opaque -> 200
POST uploads                 -> 202
""",
)
def auth_loop(operation: Operation, facts: Facts) -> Verdict:
    refusals = [refusal for refusal in facts.fatal_refusals if refusal.leg.status == 401]
    if not refusals:
        return DOES_NOT_APPLY
    asked = _tries(facts)
    looping = [(r, tries) for r in refusals if len(tries := asked[_request(r)]) >= _LEAST]
    if not looping:
        return PASSES
    first, tries = looping[0]
    return Fails(
        legs=tuple(refusal.leg for refusal, _ in looping),
        evidence=tuple(
            Evidence(each.leg, "response.status", "refused, with a token of its own")
            for each in tries
        ),
        confidence=Confidence.LIKELY,
        transfer=facts.transfer_of(first.leg),
        fields={"registry": host(first.leg.url.authority), "times": plain(len(tries))},
        count=len(looping),
    )


def _tries(facts: Facts) -> dict[tuple[str, Url], list[Refusal]]:
    """Request → its refusals, each after a token that was fetched since the one before."""
    fetched = sorted(grant.leg.started for grant in facts.grants)
    tries: dict[tuple[str, Url], list[Refusal]] = {}
    known: dict[tuple[str, Url], int] = {}
    for refusal in facts.refusals:
        request = _request(refusal)
        tokens = bisect_left(fetched, refusal.leg.started)
        same = tries.setdefault(request, [])
        if refusal.leg.status == 401 and tokens > known.get(request, 0):
            same.append(refusal)
        known[request] = tokens
    return tries


def _request(refusal: Refusal) -> tuple[str, Url]:
    return refusal.leg.method, refusal.leg.url
