"""RT217: the clocks of token server and registry differ by more than a token allows."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.tokens import LEEWAY, Refusal
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
from regtrace.wire.registry import Registry
from regtrace.wire.term import Term, TermKind, host, plain

#: Seconds by which a ``Date`` may be old: whole seconds are all that it has.
_DATE = 1.0


@rule(
    number="RT217",
    slug="token-clock-skew",
    title="A fresh token is {judged} by the clock of {registry}",
    cause=(
        "{server} gave the token {age} s before {registry} refused it, and yet by the registry's"
        " own clock it {when}. {culprit}"
    ),
    fix=(
        (
            "Set the clocks of both machines by NTP: timedatectl set-ntp true, or start chronyd;"
            " virtual machines need it after each suspend."
        ),
        "Behind a load balancer do so on every replica; one wrong clock fails now and then.",
        "If the token server is your own, let nbf lie a minute before the present.",
    ),
    check=("date -u; curl -sI {url} | grep -i ^date",),
    references=(
        "https://distribution.github.io/distribution/spec/auth/jwt/",
        "https://github.com/cesanta/docker_auth/issues/41",
        "https://github.com/goharbor/harbor/issues/15911",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.TOKEN}),
    explains=frozenset(
        {
            "auth-loop",
            "token-signed-by-untrusted-key",
            "bearer-lost-before-registry",
            "token-issuer-mismatch",
        }
    ),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads clock=-120s     -> 401
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads clock=-20s      -> 401    # within the minute that a registry allows
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app clock=-600s -> 200    # the token server's clock is slow
POST uploads                 -> 401
""",
        """
client docker/24.0.7
GET /v2/                     -> 401
token clock=+300s            -> 200
GET /v2/ auth                -> 401
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads clock=-120s     -> 401 insufficient_scope    # it was read, and is too small
""",
    ),
)
def token_clock_skew(operation: Operation, facts: Facts) -> Verdict:
    refusals = [r for r in facts.fatal_refusals if r.grant and r.leg.status == 401]
    if not refusals:
        return DOES_NOT_APPLY
    leeway = _leeway(facts)
    skewed = [refusal for refusal in refusals if _is_out_of_time(refusal, leeway)]
    if not skewed:
        return PASSES
    first = skewed[0]
    assert first.grant is not None
    early = (first.begins_in or 0.0) > leeway
    registry, server = first.leg.url.authority, first.grant.leg.url.authority
    owner, culprit = _culprit(first, facts)
    return Fails(
        legs=tuple(refusal.leg for refusal in skewed),
        evidence=(
            first.shows("from when until when the token is valid"),
            Evidence(first.grant.leg, "response.header.Date", "the token server's clock"),
            Evidence(first.leg, "response.header.Date", "the registry's clock"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first.leg),
        fields={
            "registry": host(registry),
            "server": host(server),
            "url": Term(TermKind.URL, f"{first.leg.url.origin}/v2/"),
            "judged": plain("not valid yet" if early else "already over"),
            "when": plain("becomes valid only later" if early else "has run out"),
            "age": plain(f"{max(first.age or 0.0, 0.0):.0f}"),
            "culprit": plain(culprit),
        },
        count=len(skewed),
        owner=owner,
    )


def _leeway(facts: Facts) -> float:
    if facts.expected and facts.expected.clock_tolerance is not None:
        return facts.expected.clock_tolerance
    # Harbor's own check of a token lets clocks differ by nothing.
    return _DATE if facts.product is Registry.HARBOR else LEEWAY


def _is_out_of_time(refusal: Refusal, leeway: float) -> bool:
    if refusal.outlived or refusal.error == "insufficient_scope":
        return False
    return (refusal.begins_in or 0.0) > leeway or (refusal.over_for or 0.0) > leeway


def _culprit(refusal: Refusal, facts: Facts) -> tuple[Owner, str]:
    """Who must act, and a sentence that says why: the one whose clock is farther from ours."""
    lead = refusal.clock_lead
    if lead is not None and abs(lead) <= _DATE:
        agree = "The two clocks agree: the token server writes wrong times (nbf, exp) into tokens."
        return Owner.TOKEN_SERVER, agree
    differ = "The clocks of the two differ."
    if lead is not None:
        way = "ahead of" if lead > 0 else "behind"
        differ = f"The registry's clock is {abs(lead):.0f} s {way} the token server's."
    ours = facts.clocks.get(refusal.leg.url.authority)
    theirs = facts.clocks.get(refusal.grant.leg.url.authority) if refusal.grant else None
    if ours is None or theirs is None or ours is theirs:
        return Owner.REGISTRY, differ
    if abs(ours.ahead) >= abs(theirs.ahead):
        return Owner.REGISTRY, f"{differ} By this proxy's clock the registry's is wrong."
    return Owner.TOKEN_SERVER, f"{differ} By this proxy's clock the token server's is wrong."
