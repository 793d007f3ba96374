"""RT232: the registry knows who asks, and does not permit it."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, is_somebody_elses, said
from regtrace.diagnose.facts.tokens import SAY_ERRORS, needed, somebody_logged_in
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
from regtrace.wire.term import Term, TermKind, host, plain

#: Other reasons that registries give with the same code, unless they speak of permissions.
_OTHER_REASONS = (
    "quota",
    "limit",
    "exceed",
    "read-only",
    "read only",
    "maintenance",
    "immutable",
    "overwrite",
    "policy",
    "vulnerab",
    "signature",
    "scan",
    "expired",
    "client with ip",
    "blocked",
    "suspended",
    "disabled",
    "proxy",
    "cache",
)


@rule(
    number="RT232",
    slug="account-not-permitted",
    title="{registry} does not permit this account to {action} {repository} ({status})",
    cause=(
        "The login was accepted, but {registry} refuses this step with {status}: the account has no"
        " right to {action} {repository}, or there is nothing of that name (many registries do not"
        " say which). docker says: denied: requested access to the resource is denied."
    ),
    fix=(
        (
            "Check the image's name: registry, project or namespace, and spelling; docker tag gives"
            " it another."
        ),
        (
            "Give the account the right on this repository: a role that may write in the project,"
            " or in Artifactory a permission target with Deploy/Cache, in Nexus a role with edit"
            " and add on the repository, in Gitea an access token with write:package."
        ),
        "Log in as an account that has it: docker logout {registry}, docker login {registry}.",
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes",
        "https://docs.docker.com/reference/cli/docker/login/",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    explains=frozenset({"auth-loop"}),
    fires="""
client docker/24.0.7
registry https://registry.test basic
GET /v2/                     -> 401
POST uploads                 -> 403 DENIED "requested access to the resource is denied"
""",
    silent="""
client docker/24.0.7
registry https://registry.test basic
GET /v2/                     -> 401
POST uploads                 -> 403 nginx
""",
    also_fires=(
        """
client docker/24.0.7
registry https://acme.jfrog.io
realm https://acme.jfrog.io/artifactory/api/docker/docker-local/v2/token service=acme.jfrog.io
GET /v2/                     -> 401
token push,pull team/app opaque -> 200
POST uploads                 -> 403 DENIED "The client does not have permission to push to the repository."
""",
        """
client podman/4.9
registry https://acme.jfrog.io basic
GET /v2/                     -> 401
POST uploads                 -> 403 DENIED "Not enough permissions to delete/overwrite artifact 'docker-local:team/app'"
""",
        """
client docker/24.0.7
realm https://git.test/v2/token service=container_registry
GET /v2/                     -> 401
token push,pull team/app opaque -> 200
POST uploads                 -> 401
  < WWW-Authenticate: Bearer realm="https://git.test/v2/token",service="container_registry",scope="*"
""",
    ),
    also_silent=(
        """
client docker/24.0.7
registry https://registry.test basic
GET /v2/                     -> 401
POST uploads                 -> 403 DENIED "The system is in read only mode."
""",
        """
client docker/24.0.7
GET /v2/                     -> 401
token anonymous pull team/app opaque -> 200
GET manifest 1               -> 403 DENIED
""",
        """
client crane/0.19.1
registry https://registry.test basic
GET /v2/                     -> 401
HEAD blob L1                 -> 403 DENIED    # only asked, and may write all the same
POST uploads                 -> 202
PUT u1 L1 body=L1            -> 201
PUT manifest 1 [L1]          -> 201
""",
    ),
)
def account_not_permitted(operation: Operation, facts: Facts) -> Verdict:
    refused = [f.leg for f in facts.fatal if f.leg.status in {401, 403} and f.leg.credentials]
    refused = [leg for leg in refused if leg.repository is not None]
    if not refused or not somebody_logged_in(facts.legs):
        return DOES_NOT_APPLY
    denied = [leg for leg in refused if _is_denied(leg, facts)]
    if not denied:
        return PASSES
    first = denied[0]
    actions = {action for scope in needed(first) for action in scope.actions}
    evidence = [Evidence(first, "response.status", "refused, for a login that was accepted")]
    if said(first):
        evidence.append(Evidence(first, "response.body", "what the registry says of it"))
    return Fails(
        legs=tuple(denied),
        evidence=tuple(evidence),
        confidence=Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(facts.registry_host),
            "repository": Term(TermKind.REPOSITORY, first.repository or ""),
            "action": plain(next(name for name in _ACTIONS if name in actions)),
            "status": plain(first.status),
        },
        count=len(denied),
    )


_ACTIONS = ("push", "delete", "pull")


def _is_denied(leg: Leg, facts: Facts) -> bool:
    """The registry's own denial without another reason; a 401 only where a token was given to this
    account, and the registry has no other way to say that it is too small."""
    words = said(leg)
    named = any(reason in words for reason in _OTHER_REASONS) and "permission" not in words
    if is_somebody_elses(leg) or named:
        return False
    if leg.status == 403:
        return "DENIED" in codes(leg)
    quiet = leg.bearer is not None and leg.bearer.jwt is None and not _says_error(leg)
    return quiet and facts.product not in SAY_ERRORS and bool(facts.grants)


def _says_error(leg: Leg) -> bool:
    return not leg.challenges or any(challenge.error for challenge in leg.challenges)
