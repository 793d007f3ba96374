"""RT210: the token server granted less than the client asked for, and the registry insists."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.tokens import Refusal, action_of
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
from regtrace.wire.client import Family
from regtrace.wire.leg import Kind
from regtrace.wire.scope import Scope
from regtrace.wire.term import Term, TermKind, host, plain


@rule(
    number="RT210",
    slug="token-grants-less-than-asked",
    title="This account may not {action} {repository}: its token does not grant it",
    cause=(
        "The request needed {needed}; the token grants {granted}. The token server leaves out what"
        " the account may not do, without an error, and the registry {registry} then refuses."
        " docker says: denied: requested access to the resource is denied."
    ),
    fix=(
        (
            "Check the image's name: its namespace must be one in which this account may {action};"
            " docker tag IMAGE {registry}/NAMESPACE/NAME gives it another."
        ),
        (
            "Check the login: docker logout {registry}, then docker login {registry} with the right"
            " account, and with an access token that may write (GitLab: write_registry, Docker"
            " Hub: Read & Write)."
        ),
        (
            "Give the account a role that may {action} (Harbor and GitLab: Developer, Quay: Write),"
            " or create the repository first where it is not made by itself (Quay)."
        ),
        (
            "If the token server is your own, let its policy (docker_auth: actions under acl) grant"
            " pull together with push: a push needs both."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/spec/auth/token/",
        "https://www.rfc-editor.org/rfc/rfc6750#section-3.1",
        "https://github.com/distribution/distribution/issues/2932",
    ),
    owner=Owner.TOKEN_SERVER,
    needs=frozenset(Kind),
    explains=frozenset({"account-not-permitted", "auth-loop", "mount-refused-and-fatal"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app grant=pull -> 200
POST uploads                 -> 401 insufficient_scope
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401 invalid_token    # enough, and still not taken: another fault
""",
    also_fires=(
        """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app grant=pull -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 401 insufficient_scope
token push,pull team/app push,pull team/app grant=pull -> 200
POST uploads                 -> 401 insufficient_scope
""",
        """
client containerd/2.1.4
HEAD manifest 1              -> 401
token POST pull team/app opaque -> 200    # says nothing of itself
HEAD manifest 1              -> 401 insufficient_scope
token POST pull team/app opaque -> 200
HEAD manifest 1              -> 401 insufficient_scope
""",
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app grant=push -> 200
POST uploads                 -> 403 DENIED
""",
    ),
    also_silent=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app pull base/app grant=push -> 200
POST uploads mount=L1 from=base/app -> 401 insufficient_scope
token push,pull team/app     -> 200
POST uploads                 -> 202    # a mount may be refused
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
        """
client containerd/2.1.4
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 404
POST uploads                 -> 401 insufficient_scope
token push,pull team/app     -> 200
POST uploads                 -> 202    # learns its scopes as it goes
PUT u1 L1                    -> 201
PUT manifest 1 [L1]          -> 201
""",
    ),
)
def token_grants_less_than_asked(operation: Operation, facts: Facts) -> Verdict:
    refusals = [refusal for refusal in facts.fatal_refusals if not refusal.anonymous]
    if not refusals:
        return DOES_NOT_APPLY
    small = [refusal for refusal in refusals if _is_too_small(refusal)]
    if not small:
        return PASSES
    first = small[0]
    missing = (first.lacks or first.needs)[0]
    said = first.error == "insufficient_scope"
    evidence = [first.shows("what the token grants")]
    if first.grant and first.grant.lacks:
        evidence.insert(0, Evidence(first.grant.leg, "request.url", "what the client asked for"))
    where = "response.header.WWW-Authenticate" if said else "response.status"
    evidence.append(Evidence(first.leg, where, "the registry refused for want of rights"))
    return Fails(
        legs=tuple(refusal.leg for refusal in small),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if said and first.lacks else Confidence.LIKELY,
        transfer=facts.transfer_of(first.leg),
        fields={
            "action": plain(action_of(missing)),
            "repository": Term(TermKind.REPOSITORY, missing.name),
            "needed": Term(TermKind.SCOPE, str(missing)),
            "granted": _granted(first, missing),
            "registry": host(facts.registry_host),
        },
        count=len(small),
    )


def _is_too_small(refusal: Refusal) -> bool:
    if refusal.error not in {None, "insufficient_scope"} or not _asked_for_enough(refusal):
        return False
    # Of a mount, the right to read the other repository is not what a push fails by.
    other = refusal.leg.url.param("from")
    if refusal.jwt is None or refusal.jwt.access is None:
        return refusal.error == "insufficient_scope" and bool(refusal.needs) and other is None
    return any(scope.name != other for scope in refusal.lacks)


def _asked_for_enough(refusal: Refusal) -> bool:
    """Of a token that was fetched past this proxy, only where the program is known to."""
    client = refusal.leg.client
    known = client is not None and client.family is not Family.UNKNOWN
    return not refusal.unasked and (known or refusal.grant is not None)


def _granted(refusal: Refusal, missing: Scope) -> Term:
    if refusal.jwt is None or refusal.jwt.access is None:
        return plain("less, and does not say what")
    for scope in refusal.jwt.access:
        if (scope.type, scope.name) == (missing.type, missing.name) and scope.actions:
            return Term(TermKind.SCOPE, str(scope))
    return plain("nothing there")
