"""RT211: the token is for one repository name, and the registry asks for another."""

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
from regtrace.wire.scope import Scope, lacking
from regtrace.wire.term import Term, TermKind, host, plain

_REWRITTEN = (
    "A proxy in front of the registry adds something to the path or takes it away, so the registry"
    " sees another name than the client."
)
_ISSUED = (
    "The token server gave a token for another name than the one that it was asked for: it adds or"
    " strips a prefix, or changes the case."
)


@rule(
    number="RT211",
    slug="token-names-other-repository",
    title="The token is for {granted}, but the registry asks for {needed}",
    cause=(
        "{why} The token that the client has is then worth nothing at {registry}, and the request"
        " is refused with insufficient_scope."
    ),
    fix=(
        (
            "Do not rewrite paths below /v2/ in any proxy: no rewrite, and in nginx a proxy_pass"
            " without a path behind the host. Give the registry a host name of its own instead."
        ),
        (
            "If the token server maps names, let it put the name from the scope parameter into the"
            " token's access list unchanged."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/spec/auth/scope/",
        "https://distribution.github.io/distribution/spec/auth/jwt/",
        "https://github.com/goharbor/harbor/issues/19787",
    ),
    owner=Owner.TOKEN_SERVER,
    needs=frozenset(Kind),
    explains=frozenset(
        {
            "account-not-permitted",
            "auth-loop",
            "token-grants-less-than-asked",
            "anonymous-where-login-needed",
        }
    ),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app access="push,pull mirror/team/app" -> 200
POST uploads                 -> 401 insufficient_scope
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401 insufficient_scope
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test",scope="repository:app:pull,push",error="insufficient_scope"
""",
    ),
    also_silent=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app pull base/app access="push,pull team/app" -> 200
POST uploads mount=L1 from=base/app -> 401 insufficient_scope
""",
    ),
)
def token_names_other_repository(operation: Operation, facts: Facts) -> Verdict:
    refusals = [r for r in facts.fatal_refusals if r.lacks and r.error != "invalid_token"]
    if not refusals:
        return DOES_NOT_APPLY
    renamed = [(refusal, other) for refusal in refusals if (other := _another(refusal))]
    if not renamed:
        return PASSES
    first, (granted, needed) = renamed[0]
    challenged = Evidence(
        first.leg, "response.header.WWW-Authenticate", "the name that the registry asks for"
    )
    return Fails(
        legs=tuple(refusal.leg for refusal, _ in renamed),
        evidence=(
            first.shows("the name that the token grants"),
            Evidence(first.leg, "request.url", "the name that the client uses"),
            *([challenged] if first.challenge else []),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first.leg),
        fields={
            "granted": Term(TermKind.REPOSITORY, granted),
            "needed": Term(TermKind.REPOSITORY, needed),
            "registry": host(first.leg.url.authority),
            "why": plain(_REWRITTEN if first.foreign else _ISSUED),
        },
        count=len(renamed),
        owner=Owner.FRONT_PROXY if first.foreign else None,
    )


def _another(refusal: Refusal) -> tuple[str, str] | None:
    """The name that the token grants all of the missing rights on, and the name that they were
    needed for; None when the token has them nowhere."""
    repository = refusal.leg.repository
    if refusal.foreign and repository and not _short_of(refusal, repository):
        return repository, refusal.foreign[0].name
    if refusal.foreign or refusal.grant is None or repository is None:
        return None
    asked = {scope.name for scope in refusal.grant.asked}
    own = any(scope.name == repository for scope in refusal.lacks)
    names = {scope.name for scope in refusal.grant.granted or () if scope.type == "repository"}
    strange = sorted(name for name in names - asked if not _short_of(refusal, name))
    return (strange[0], repository) if own and repository in asked and strange else None


def _short_of(refusal: Refusal, name: str) -> bool:
    """Whether the token would lack rights even if it were asked for this name."""
    granted = refusal.jwt.access if refusal.jwt else None
    wanted = [Scope(need.type, "", name, need.actions) for need in refusal.needs[:1]]
    return bool(lacking(wanted, granted or ()))
