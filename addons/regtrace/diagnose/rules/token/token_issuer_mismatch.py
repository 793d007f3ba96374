"""RT215: the registry expects another issuer than the token names."""

from __future__ import annotations

from collections.abc import Set

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
from regtrace.wire.term import Term, TermKind, host, plain
from regtrace.wire.testimony import TOKEN_FAULTS, Told


@rule(
    number="RT215",
    slug="token-issuer-mismatch",
    title="The token's issuer is {issuer}, which {registry} does not accept",
    cause=(
        "The token says in iss that {issuer} issued it, {why}. distribution compares iss with its"
        " own setting letter by letter, and answers invalid_token when they differ."
    ),
    fix=(
        (
            "Set auth.token.issuer in the registry's config.yml to exactly the token's iss, or the"
            " issuer of the token server (docker_auth: token.issuer, GitLab: registry['issuer'])"
            " to the registry's; then restart both."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#token",
        "https://distribution.github.io/distribution/spec/auth/jwt/",
        "https://github.com/SUSE/Portus/issues/1168",
    ),
    owner=Owner.TOKEN_SERVER,
    needs=frozenset(Kind),
    explains=frozenset({"auth-loop", "token-signed-by-untrusted-key"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app iss= -> 200
POST uploads                 -> 401 invalid_token
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app iss=auth.example.com -> 200
POST uploads                 -> 401 invalid_token    # the issuer may be right
""",
    also_fires=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app iss=auth.example.com -> 200
HEAD manifest 1              -> 404
token push,pull team/app iss=auth-2.example.com -> 200
POST uploads                 -> 401 invalid_token
""",
    ),
)
def token_issuer_mismatch(operation: Operation, facts: Facts) -> Verdict:
    refusals = [r for r in facts.fatal_refusals if r.is_invalid and r.jwt is not None]
    if not refusals:
        return DOES_NOT_APPLY
    took = _accepted_issuers(facts)
    wrong = [(r, how) for r in refusals if (how := _wrong_issuer(r, facts, took))]
    if not wrong:
        return PASSES
    first, (confidence, why) = wrong[0]
    issuer = first.jwt.issuer if first.jwt else None
    return Fails(
        legs=tuple(refusal.leg for refusal, _ in wrong),
        evidence=(
            first.shows("who issued it (iss)"),
            Evidence(first.leg, "response.header.WWW-Authenticate", "the registry refuses it"),
        ),
        confidence=confidence,
        transfer=facts.transfer_of(first.leg),
        fields={
            "issuer": Term(TermKind.SERVICE, issuer) if issuer else plain("nobody"),
            "registry": host(first.leg.url.authority),
            "why": plain(why),
        },
        count=len(wrong),
    )


def _wrong_issuer(
    refusal: Refusal, facts: Facts, took: Set[str | None]
) -> tuple[Confidence, str] | None:
    issuer = refusal.jwt.issuer if refusal.jwt else None
    told = facts.told(refusal.leg) & TOKEN_FAULTS
    if Told.WRONG_ISSUER in told:
        return Confidence.CERTAIN, "and the registry's log says that it trusts another one"
    if told:
        return None
    expected = facts.expected.issuer if facts.expected else None
    if expected is not None:
        # What the site says of its issuer is what the registry was told as well.
        why = "and the site's own expectations name another issuer"
        return (Confidence.CERTAIN, why) if (issuer or "") != expected else None
    if not issuer:
        return Confidence.LIKELY, "and a registry always expects some name"
    if refusal.in_order and _is_signed(refusal, facts):
        return Confidence.LIKELY, "and its signature, audience and times are all right"
    if took and issuer not in took:
        return Confidence.LIKELY, "while tokens of another issuer were accepted before"
    return None


def _accepted_issuers(facts: Facts) -> set[str | None]:
    """Who issued the tokens that the registry took."""
    return {
        grant.jwt.issuer
        for grant in facts.grants
        if grant.jwt and any(use.status != 401 and use.endpoint for use in grant.uses)
    }


def _is_signed(refusal: Refusal, facts: Facts) -> bool:
    proof = facts.proof(refusal.token)
    return proof is not None and refusal.is_signed_by(proof)
