"""RT223: nobody logged in, and the registry wants to know who it is."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.tokens import needed, somebody_logged_in
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
from regtrace.wire.scope import Scope, lacking
from regtrace.wire.term import Term, TermKind, host, plain


@rule(
    number="RT223",
    slug="anonymous-where-login-needed",
    title="The client is not logged in to {registry}, which wants a login for {repository}",
    cause=(
        "The client asked for its token without a user name, and anonymous users may not do this"
        " with {repository}: it is private, its name is misspelt (many registries say no more than"
        " that), or it is to be written to. No request of this client carried credentials."
    ),
    fix=(
        (
            "Log in for exactly this host, as the user that runs the client (root, for sudo):"
            " docker login {registry}."
        ),
        (
            "In CI, give the job the secret: its login step must run before, in the same"
            " environment, and secrets are withheld from pull requests of forks."
        ),
        "In Kubernetes, name an imagePullSecret for this host in the pod or its service account.",
        "If it should be public, check the image's name and tag for typing errors.",
    ),
    check=("docker login {registry}",),
    references=(
        "https://docs.docker.com/reference/cli/docker/login/",
        "https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/",
        "https://github.com/docker/hub-feedback/issues/2165",
    ),
    owner=Owner.USER,
    needs=frozenset({Kind.TOKEN}),
    explains=frozenset({"auth-loop", "mount-refused-and-fatal", "repository-unknown"}),
    fires="""
client docker/24.0.7
GET /v2/                     -> 401
token anonymous pull team/app grant=none -> 200
HEAD manifest 1              -> 401 insufficient_scope
""",
    silent="""
client docker/24.0.7
GET /v2/                     -> 401
token anonymous pull team/app -> 200    # a public image
HEAD manifest 1              -> 200
""",
    also_fires=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token anonymous push,pull team/app grant=pull -> 200
POST uploads                 -> 401 insufficient_scope
""",
        """
client containerd/2.1.4
HEAD manifest 1              -> 401
token anonymous pull team/app -> 401
""",
        """
client docker/24.0.7
registry https://ghcr.io
realm https://ghcr.io/token service=ghcr.io
GET /v2/                     -> 401
token anonymous pull team/app -> 403
  << {"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}
""",
        """
client docker/24.0.7
GET /v2/                     -> 401
token anonymous pull team/app opaque -> 200
HEAD manifest 1              -> 401
GET manifest 1               -> 401
  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test",scope="repository:team/app:pull"
""",
        # What the client may not see is not there for it.
        """
client podman/4.9
GET /v2/                     -> 401
token anonymous pull team/app grant=none -> 200
GET manifest 1               -> 404 NAME_UNKNOWN
""",
    ),
    also_silent=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token anonymous pull team/app -> 200
HEAD manifest 1              -> 404    # may be read, and is not there
GET manifest 1               -> 404
""",
        """
client docker/24.0.7
GET /v2/                     -> 401
token pull team/app grant=none -> 200
HEAD manifest 1              -> 401 insufficient_scope
""",
        """
client docker/24.0.7
GET /v2/                     -> 401
token anonymous pull team/app -> 429
""",
    ),
)
def anonymous_where_login_needed(operation: Operation, facts: Facts) -> Verdict:
    asked = [leg for leg in facts.legs if leg.token_request is not None]
    if not asked or somebody_logged_in(facts.legs):
        return DOES_NOT_APPLY
    refused = [fatal.leg for fatal in facts.fatal if _wants_login(fatal.leg)]
    if not refused:
        return PASSES
    first = refused[0]
    evidence = [Evidence(asked[0], "request.url", "the token was asked for without credentials")]
    if first.kind is not Kind.TOKEN:
        evidence.append(Evidence(asked[0], "response.body", "a token for anybody"))
    evidence.append(Evidence(first, "response.status", "not enough for this"))
    return Fails(
        legs=tuple(refused),
        evidence=tuple(evidence),
        confidence=Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(facts.registry_host),
            "repository": Term(TermKind.REPOSITORY, operation.repository)
            if operation.repository
            else plain("this"),
        },
        count=len(refused),
    )


def _wants_login(leg: Leg) -> bool:
    """A token server that gives nothing to anybody, or a registry for which it is too little."""
    page = leg.error is not None and leg.error.dialect == "html"
    if leg.kind is Kind.TOKEN:
        return leg.status in {401, 403} and not page
    if leg.bearer is None or leg.repository is None:
        return False
    if _granted(leg) is not None:
        return _is_short(leg)
    told = any(challenge.error == "invalid_token" for challenge in leg.challenges)
    return leg.status in {401, 403} and not told and not page


def _is_short(leg: Leg) -> bool:
    """Whether the token that it carried says that it grants too little."""
    granted, told = _granted(leg), {challenge.error for challenge in leg.challenges}
    short = granted is not None and bool(lacking(needed(leg), granted))
    return short and leg.status in {401, 403, 404} and "invalid_token" not in told


def _granted(leg: Leg) -> tuple[Scope, ...] | None:
    return leg.bearer.jwt.access if leg.bearer and leg.bearer.jwt else None
