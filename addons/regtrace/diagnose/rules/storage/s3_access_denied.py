"""RT402: the storage knows who signed, and does not let him read."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.storage_errors import Reason, fails_by, refused_by_s3
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    NotSeen,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import REGISTRY_KINDS, Kind
from regtrace.wire.term import plain


@rule(
    number="RT402",
    slug="s3-access-denied",
    title="The storage answers AccessDenied to {whom}",
    cause=(
        "{storage} got {signed} and answered AccessDenied: a policy forbids this request. With signed"
        " URLs that is the policy of the registry's own storage user, not of whoever pulls. To a"
        " user that may not list the bucket, S3 says the same of an object that is not there."
    ),
    fix=(
        (
            "In the policies of bucket {bucket} and of the registry's user or role, allow"
            " s3:GetObject on its objects and s3:ListBucket on the bucket; remove any Deny of them"
            " (a VPC endpoint policy and a service control policy count too)."
        ),
        (
            "If only some objects are refused, another account wrote them: set the bucket's Object"
            " Ownership to Bucket owner enforced."
        ),
        (
            "Until it is mended, set storage.redirect.disable: true in the registry's config.yml if"
            " the registry itself may read them."
        ),
    ),
    check=("aws s3api get-object --bucket {bucket} --key KEY /dev/null",),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        "https://distribution.github.io/distribution/storage-drivers/s3/",
        "https://github.com/distribution/distribution/issues/1699",
    ),
    owner=Owner.STORAGE,
    needs=REGISTRY_KINDS | {Kind.STORAGE},
    explains=frozenset({"storage-403-on-head", "storage-backend-error"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 403 AccessDenied "Access Denied"
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 403 SignatureDoesNotMatch
""",
    also_fires=(
        """
client containerd/2.3.0
HEAD blob L1                 -> 401
token pull team/app          -> 200
HEAD blob L1                 -> 307 ceph
HEAD ceph L1                 -> 403
GET blob L1                  -> 307 ceph
GET ceph L1                  -> 403    # containerd asks again, for the body that says why
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 minio
HEAD minio L1                -> 403    # MinIO says its code in a header
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 403
+5s GET blob L1              -> 307 s3
GET s3 L1                    -> 200    # a policy takes some seconds to spread
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 403 nginx    # somebody else's page
""",
    ),
)
def s3_access_denied(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = refused_by_s3(facts, Reason.DENIED, logged=True)
    if not refused:
        return _unread(facts)
    first = refused[0]
    signed = "a valid signature" if first.leg.presigned else "a URL without a signature"
    if first.nested:
        signed = "a request of the registry itself"
    return fails_by(
        refused,
        "the storage's own code",
        {
            "storage": first.place,
            "bucket": first.bucket,
            "signed": plain(signed),
            "whom": plain(
                "the registry" if first.nested else "the client that the registry sent there"
            ),
        },
    )


def _unread(facts: Facts) -> Verdict:
    """A refused GET has a body that says why; not every capture keeps it."""
    lost = any(
        refusal.reason is None
        and refusal.leg.status == 403
        and refusal.leg.error is not None
        and refusal.leg.error.dialect == "unrecorded"
        and facts.is_fatal(refusal.leg)
        for refusal in facts.storage_refusals
    )
    if not lost:
        return PASSES
    return NotSeen(
        "the body of the storage's refusal",
        "the capture does not hold it",
        "whether its policy, its key or the signature is wrong can't be told",
    )
