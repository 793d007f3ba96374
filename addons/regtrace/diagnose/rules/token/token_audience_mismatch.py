"""RT214: the token is for another service than the registry calls itself."""

from __future__ import annotations

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


@rule(
    number="RT214",
    slug="token-audience-mismatch",
    title="The token is for {audience}, but the registry is {service}",
    cause=(
        "The challenge of {registry} names the service {service}; the token that came says in its"
        " aud that it is for {audience}. The registry takes only tokens for itself, and answers"
        " invalid_token."
    ),
    fix=(
        (
            "Set auth.token.service in the registry's config.yml to exactly what the token server"
            " writes into aud, or the other way round; a port or a slash makes another name."
        ),
        "If the token server is your own, let it copy the service parameter of the request to aud.",
        "If several registries share one token server, give each a service name that it knows.",
    ),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#token",
        "https://distribution.github.io/distribution/spec/auth/jwt/",
        "https://github.com/mkuchin/docker-registry-web/issues/61",
    ),
    owner=Owner.TOKEN_SERVER,
    needs=frozenset(Kind),
    explains=frozenset({"auth-loop", "token-signed-by-untrusted-key", "token-issuer-mismatch"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app aud=registry -> 200
POST uploads                 -> 401 invalid_token
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401 invalid_token
""",
    also_fires=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token aud=registry           -> 200
GET /v2/ auth                -> 401 invalid_token
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app aud=registry -> 200
HEAD blob L1                 -> 200    # a registry that does not look at it
PUT manifest 1 [L1]          -> 201
""",
    ),
)
def token_audience_mismatch(operation: Operation, facts: Facts) -> Verdict:
    refusals = [r for r in facts.fatal_refusals if r.is_invalid and r.jwt is not None]
    if not refusals:
        return DOES_NOT_APPLY
    misdirected = [refusal for refusal in refusals if not refusal.names_service]
    if not misdirected:
        return PASSES
    first = misdirected[0]
    return Fails(
        legs=tuple(refusal.leg for refusal in misdirected),
        evidence=(
            Evidence(first.leg, "response.header.WWW-Authenticate", "the service it must be for"),
            first.shows("the service that it is for (aud)"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first.leg),
        fields={
            "audience": _audience(first),
            "service": Term(TermKind.SERVICE, _service(first) or ""),
            "registry": host(first.leg.url.authority),
        },
        count=len(misdirected),
        owner=Owner.REGISTRY if _registry_is_wrong(first, facts) else None,
    )


def _audience(refusal: Refusal) -> Term:
    named = refusal.jwt.audience[:1] if refusal.jwt else ()
    return Term(TermKind.SERVICE, named[0]) if named and named[0] else plain("nobody (no aud)")


def _service(refusal: Refusal) -> str | None:
    return refusal.challenge.service if refusal.challenge else None


def _registry_is_wrong(refusal: Refusal, facts: Facts) -> bool:
    """Where the site says which service it ought to be, and the registry names another."""
    expected = facts.expected.service if facts.expected else None
    return expected is not None and expected != _service(refusal)
