"""RT228: Google's registries: a missing role, a missing repository, or a name with a part missing."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, is_somebody_elses, said
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
from regtrace.wire.registry import Registry
from regtrace.wire.term import Term, TermKind, host, plain

_DENIED = (
    "artifactregistry.repositories.",
    "storage.objects.",
    "don't have the needed permissions",
)
_ANONYMOUS = "unauthenticated request"
_MISNAMED = ("missing image name",)
_WRITES = frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.MANIFEST_PUT})


@rule(
    number="RT228",
    slug="gar-gcr-denied-or-misnamed",
    title="{registry} refuses {repository}: {short}",
    cause=(
        "{why} Artifact Registry wants three parts behind the host, PROJECT/REPOSITORY/IMAGE; the"
        " repository must exist before a push, and who has no role in it is told that it may not"
        " exist."
    ),
    fix=(
        (
            "Name the image HOST/PROJECT/REPOSITORY/IMAGE:TAG, as gcloud artifacts repositories"
            " list shows project, location and repository."
        ),
        (
            "Give the account the role roles/artifactregistry.writer (to pull: reader) on the"
            " repository or the project."
        ),
        (
            "Log in again: gcloud auth configure-docker {registry}; in CI, with the account that"
            " has the role (gcloud auth list)."
        ),
        "If the repository is missing: gcloud artifacts repositories create.",
    ),
    check=("gcloud artifacts repositories list",),
    references=(
        "https://cloud.google.com/artifact-registry/docs/docker/pushing-and-pulling",
        "https://cloud.google.com/artifact-registry/docs/access-control",
        "https://cloud.google.com/artifact-registry/docs/docker/troubleshoot",
    ),
    owner=Owner.USER,
    needs=frozenset(Kind),
    explains=frozenset(
        {
            "account-not-permitted",
            "anonymous-where-login-needed",
            "name-invalid",
            "repository-unknown",
            "token-endpoint-denied",
            "token-grants-less-than-asked",
        }
    ),
    fires="""
client docker/24.0.7
registry https://europe-docker.pkg.dev
realm https://europe-docker.pkg.dev/v2/token service=europe-docker.pkg.dev
repository proj/images/app
GET /v2/                     -> 401
token push,pull proj/images/app opaque -> 200
POST uploads                 -> 403 DENIED "Permission \\"artifactregistry.repositories.uploadArtifacts\\" denied on resource \\"projects/proj\\" (or it may not exist)"
""",
    silent="""
client docker/24.0.7
registry https://europe-docker.pkg.dev
realm https://europe-docker.pkg.dev/v2/token service=europe-docker.pkg.dev
repository proj/images/app
GET /v2/                     -> 401
token push,pull proj/images/app opaque -> 200
POST uploads                 -> 403 nginx
""",
    also_fires=(
        """
client docker/24.0.7
registry https://europe-docker.pkg.dev
realm https://europe-docker.pkg.dev/v2/token service=europe-docker.pkg.dev
repository proj/app
GET /v2/                     -> 401
token push,pull proj/app opaque -> 200
POST uploads                 -> 400 NAME_INVALID "Missing image name. Pushes should be of the form docker push HOST-NAME/PROJECT-ID/REPOSITORY/IMAGE"
""",
        """
client docker/24.0.7
registry https://europe-docker.pkg.dev
realm https://europe-docker.pkg.dev/v2/token service=europe-docker.pkg.dev
repository proj/images/app
GET /v2/                     -> 401
token push,pull proj/images/app -> 403
  << {"errors":[{"code":"DENIED","message":"Permission 'artifactregistry.repositories.uploadArtifacts' denied on resource"}]}
""",
    ),
)
def gar_gcr_denied_or_misnamed(operation: Operation, facts: Facts) -> Verdict:
    if facts.product not in {Registry.GAR, Registry.GCR}:
        return DOES_NOT_APPLY
    refused = [(f.leg, how) for f in facts.fatal if (how := _why(f.leg)) is not None]
    if not refused:
        return PASSES
    first, (short, why) = refused[0]
    return Fails(
        legs=tuple(leg for leg, _ in refused),
        evidence=(
            Evidence(first, "request.url", "the name that was asked for"),
            Evidence(first, "response.status", "refused"),
            Evidence(first, "response.body", "what the registry says of it"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(facts.registry_host),
            "repository": Term(TermKind.REPOSITORY, operation.repository)
            if operation.repository
            else plain("this"),
            "short": plain(short),
            "why": plain(why),
        },
        count=len(refused),
    )


def _why(leg: Leg) -> tuple[str, str] | None:
    words = said(leg)
    if is_somebody_elses(leg) or leg.status is None or not 400 <= leg.status < 500:
        return None
    if any(text in words for text in _MISNAMED):
        return "a part of the name is missing", "The image's name has too few parts."
    if _ANONYMOUS in words:
        return "nobody is logged in", "The request came without a login that Google knows."
    if any(text in words for text in _DENIED):
        return "this account has no right", "The account has no role that allows this step."
    if leg.kind in _WRITES and leg.status == 404 and "NAME_UNKNOWN" in codes(leg):
        return "the repository does not exist", "There is no such repository in the project."
    return None
