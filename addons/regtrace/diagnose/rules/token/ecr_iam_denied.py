"""RT226: IAM does not let this identity do it in ECR."""

from __future__ import annotations

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
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.registry import Registry
from regtrace.wire.term import Term, TermKind, plain

#: What a leg needs (docs.aws.amazon.com, "Actions, resources, and condition keys for Amazon ECR").
_ACTIONS = {
    Kind.BLOB_HEAD: "BatchCheckLayerAvailability",
    Kind.UPLOAD_START: "InitiateLayerUpload",
    Kind.MOUNT: "InitiateLayerUpload",
    Kind.UPLOAD_CHUNK: "UploadLayerPart",
    Kind.UPLOAD_COMMIT: "CompleteLayerUpload",
    Kind.MANIFEST_PUT: "PutImage",
    Kind.MANIFEST_HEAD: "BatchGetImage",
    Kind.MANIFEST_GET: "BatchGetImage",
    Kind.BLOB_GET: "GetDownloadUrlForLayer",
    Kind.TAGS: "ListImages",
    Kind.MANIFEST_DELETE: "BatchDeleteImage",
}


@rule(
    number="RT226",
    slug="ecr-iam-denied",
    title="IAM does not allow {action} on {repository} in ECR",
    cause=(
        "The login is good, but the IAM user or role behind it may not do this step ({action}), by"
        " its own policies or by the repository's. {told}"
    ),
    fix=(
        (
            "Allow the identity ecr:GetAuthorizationToken on *, and on the repository, to push:"
            " ecr:BatchCheckLayerAvailability, ecr:InitiateLayerUpload, ecr:UploadLayerPart,"
            " ecr:CompleteLayerUpload, ecr:PutImage and ecr:BatchGetImage; to pull:"
            " ecr:BatchGetImage and ecr:GetDownloadUrlForLayer."
        ),
        (
            "From another account also name it in the repository's own policy: aws ecr"
            " set-repository-policy."
        ),
        "Look for a Deny: permission boundary, organization policy, VPC endpoint policy.",
    ),
    check=(
        "aws sts get-caller-identity",
        "aws ecr get-repository-policy --repository-name {repository}",
    ),
    references=(
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html",
    ),
    owner=Owner.USER,
    needs=frozenset(_ACTIONS),
    explains=frozenset({"account-not-permitted"}),
    fires="""
client docker/24.0.7
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com basic
GET /v2/                     -> 401
POST uploads                 -> 403 DENIED "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:eu-central-1:123456789012:repository/team/app"
""",
    silent="""
client docker/24.0.7
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com basic
GET /v2/                     -> 401
POST uploads                 -> 403 DENIED "Your authorization token has expired. Reauthenticate and try again."
""",
    also_fires=(
        """
client docker/24.0.7
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com basic
GET /v2/                     -> 401
HEAD blob L1                 -> 403
""",
    ),
    also_silent=(
        """
client docker/24.0.7
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com basic
GET /v2/                     -> 401
HEAD blob L1                 -> 403
GET blob L1                  -> 403 DENIED "Your authorization token has expired. Reauthenticate and try again."
""",
        """
client docker/24.0.7
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com basic
GET /v2/                     -> 401
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 403
""",
    ),
)
def ecr_iam_denied(operation: Operation, facts: Facts) -> Verdict:
    if facts.product not in {Registry.ECR, Registry.ECR_PUBLIC}:
        return DOES_NOT_APPLY
    refused = [fatal.leg for fatal in facts.fatal if fatal.leg.status in {400, 403}]
    told = [leg for leg in refused if "not authorized to perform: ecr" in said(leg)]
    denied = told or [leg for leg in refused if _is_mute(leg)]
    if not denied or any("expired" in said(leg) for leg in facts.legs):
        return PASSES
    first = denied[0]
    evidence = [Evidence(first, "response.status", "forbidden, for a login that was accepted")]
    if told:
        evidence.append(Evidence(first, "response.body", "names the action that is not allowed"))
    repository = operation.repository or first.repository
    return Fails(
        legs=tuple(denied),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if told else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "action": plain(f"ecr:{_ACTIONS[first.kind]}" if first.kind in _ACTIONS else "this"),
            "repository": Term(TermKind.REPOSITORY, repository) if repository else plain("it"),
            "told": plain(_TOLD if told else _MUTE),
        },
        count=len(denied),
    )


_TOLD = "The answer names the action, and the resource that it must be allowed on."
_MUTE = (
    "A HEAD has no body, so docker can only say: error parsing HTTP 403 response body: unexpected"
    " end of JSON input."
)


def _is_mute(leg: Leg) -> bool:
    """ECR's own 403 to a HEAD, which has no body to say why."""
    return leg.method == "HEAD" and leg.status == 403 and leg.kind in _ACTIONS
