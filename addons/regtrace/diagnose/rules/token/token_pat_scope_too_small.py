"""RT208: the access token that the user logged in with may not do this."""

from __future__ import annotations

from collections.abc import Mapping

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import said
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
from regtrace.follow.strands import wants_push
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host, plain

#: What Docker Hub, GitHub and GitLab say of a personal access token with too few rights, and
#: OAuth (RFC 6750 3.1).
_WORDS = (
    "insufficient scope",
    "insufficient_scope",
    "does not match expected scopes",
    "insufficient_granular_scope",
)


@rule(
    number="RT208",
    slug="token-pat-scope-too-small",
    title="The access token used to log in to {registry} has too few rights",
    cause=(
        "The login itself is good, but the personal access token that stands in the password's"
        " place was made with too few scopes for this, mostly to read only. {server} refuses with"
        " {status}."
    ),
    fix=(
        (
            "Make a new access token that may do it. Docker Hub: Read & Write (Delete, to delete)."
            " GitHub: write:packages, and delete:packages to delete; GitLab: read_registry and"
            " write_registry."
        ),
        "Log in with it: docker logout {registry}, then docker login {registry}.",
        "In CI, replace the secret that holds the old access token.",
    ),
    references=(
        "https://docs.docker.com/security/access-tokens/",
        "https://docs.github.com/en/packages/learn-github-packages/about-permissions-for-github-packages",
        "https://docs.gitlab.com/user/profile/personal_access_tokens/",
    ),
    owner=Owner.USER,
    needs=frozenset(Kind),
    explains=frozenset(
        {
            "account-not-permitted",
            "token-bad-credentials",
            "token-endpoint-denied",
            "token-grants-less-than-asked",
            "ghcr-package-forbidden",
        }
    ),
    fires="""
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app     -> 401
  << {"details":"access token has insufficient scopes"}
""",
    silent="""
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app     -> 401
""",
    also_fires=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 404
token push,pull team/app     -> 401
""",
        """
client docker/24.0.7
registry https://ghcr.io
realm https://ghcr.io/token service=ghcr.io
GET /v2/                     -> 401
token push,pull team/app opaque -> 200
POST uploads                 -> 403 DENIED "permission_denied: The token provided does not match expected scopes."
""",
        """
client podman/4.9
GET /v2/                     -> 401
token push,pull team/app     -> 403
  << {"error":"insufficient_scope","error_description":"The request requires higher privileges."}
""",
    ),
    also_silent=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token anonymous pull team/app -> 200
HEAD manifest 1              -> 404
token push,pull team/app     -> 401    # a login that was never good
""",
        """
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app grant=pull -> 200
POST uploads                 -> 401 insufficient_scope    # the registry's word, of any token
  << {"errors":[{"code":"DENIED","message":"insufficient scope"}]}
""",
    ),
)
def token_pat_scope_too_small(operation: Operation, facts: Facts) -> Verdict:
    refused = [
        fatal.leg
        for fatal in facts.fatal
        if fatal.leg.status == 403 or (fatal.leg.status == 401 and fatal.leg.kind is Kind.TOKEN)
    ]
    if not refused:
        return DOES_NOT_APPLY
    said_so = [leg for leg in refused if any(words in said(leg) for words in _WORDS)]
    reads = _reads(facts)
    found = said_so or [leg for leg in refused if _read_with_it(leg, reads)]
    if not found:
        return PASSES
    first = found[0]
    evidence = [Evidence(first, "response.status", "the right to do this was refused")]
    if said_so:
        evidence.append(Evidence(first, "response.body", "says that the rights are too few"))
    else:
        read = _read_with_it(first, reads)
        why = "the same login was good enough to read"
        evidence += [Evidence(read, "response.status", why)] if read else []
    return Fails(
        legs=tuple(found),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if said_so else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(facts.registry_host),
            "server": host(first.url.authority),
            "status": plain(first.status),
        },
        count=len(found),
    )


def _reads(facts: Facts) -> dict[str, Leg]:
    """User and password (their hash) → the first request that brought a token to read."""
    reads: dict[str, Leg] = {}
    for grant in facts.grants:
        if grant.leg.credentials and not wants_push(grant.leg):
            reads.setdefault(grant.leg.credentials.sha256, grant.leg)
    return reads


def _read_with_it(leg: Leg, reads: Mapping[str, Leg]) -> Leg | None:
    """The token to read that the same login had brought before, when pushing was refused."""
    if leg.kind is not Kind.TOKEN or leg.credentials is None or not wants_push(leg):
        return None
    read = reads.get(leg.credentials.sha256)
    return read if read is not None and read.started < leg.started else None
