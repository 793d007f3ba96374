"""RT212: asked for two repositories at once, the token server grants only one of them."""

from __future__ import annotations

from collections.abc import Mapping

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.tokens import Grant
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
from regtrace.wire.scope import lacking
from regtrace.wire.term import Term, TermKind, host


@rule(
    number="RT212",
    slug="multi-scope-collapsed",
    title="The token server grants only one of several repositories that it is asked for",
    cause=(
        "To mount a layer the client asked {server} for rights on two repositories in one request."
        " The token that came leaves out {repository}, which this account had been granted when it"
        " asked for nothing else. The token server reads one scope parameter, mostly the last."
    ),
    fix=(
        (
            "Let the token server read every scope parameter of the query, and every"
            " blank-separated scope in each, and grant all of them in one token."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/spec/auth/token/",
        "https://github.com/estesp/manifest-tool/issues/53",
    ),
    owner=Owner.TOKEN_SERVER,
    needs=frozenset({Kind.TOKEN}),
    explains=frozenset({"token-grants-less-than-asked", "auth-loop", "mount-refused-and-fatal"}),
    fires="""
client containerd/2.1.4
HEAD manifest 1              -> 401
token push,pull team/app     -> 200
HEAD manifest 1              -> 404
POST uploads mount=L1 from=base/app -> 401 insufficient_scope
token push,pull team/app pull base/app access="pull base/app" -> 200
POST uploads mount=L1 from=base/app -> 401 insufficient_scope
""",
    silent="""
client containerd/2.1.4
HEAD manifest 1              -> 401
token push,pull team/app     -> 200
HEAD manifest 1              -> 404
POST uploads mount=L1 from=base/app -> 401 insufficient_scope
token push,pull team/app pull base/app access="push,pull team/app" -> 200    # base/app is private
POST uploads mount=L1 from=base/app -> 401 insufficient_scope
""",
)
def multi_scope_collapsed(operation: Operation, facts: Facts) -> Verdict:
    refusals = [
        refusal
        for refusal in facts.fatal_refusals
        if refusal.grant and len({scope.name for scope in refusal.grant.asked}) > 1
    ]
    if not refusals:
        return DOES_NOT_APPLY
    had = _granted_in_full(facts)
    collapsed = [
        (refusal, refusal.grant, before)
        for refusal in refusals
        if refusal.grant and (before := _had_it_before(refusal.grant, had)) is not None
    ]
    if not collapsed:
        return PASSES
    first, grant, before = collapsed[0]
    return Fails(
        legs=tuple(refusal.leg for refusal, _, _ in collapsed),
        evidence=(
            Evidence(before.leg, "response.body", "asked for alone, it was granted"),
            Evidence(grant.leg, "request.url", "asked for together with another"),
            Evidence(grant.leg, "response.body", "only the other one was granted"),
            Evidence(first.leg, "response.status", "the registry refused the mount"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first.leg),
        fields={
            "server": host(grant.leg.url.authority),
            "repository": Term(TermKind.REPOSITORY, grant.lacks[0].name),
        },
        count=len(collapsed),
    )


def _granted_in_full(facts: Facts) -> dict[str, Grant]:
    """Repository → the first token that granted all that was asked for, this repository too."""
    had: dict[str, Grant] = {}
    for grant in facts.grants:
        for scope in grant.granted or () if not grant.lacks else ():
            had.setdefault(scope.name, grant)
    return had


def _had_it_before(grant: Grant, had: Mapping[str, Grant]) -> Grant | None:
    """The token that granted what this newer one leaves out, although it grants something."""
    for lost in grant.lacks if grant.granted else ():
        before = had.get(lost.name)
        older = before is not None and before.leg.started < grant.leg.started
        if before and older and not lacking([lost], before.granted or ()):
            return before
    return None
