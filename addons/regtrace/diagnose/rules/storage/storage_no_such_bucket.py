"""RT413: the registry uses a bucket that does not exist, or sends clients there."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.storage_errors import Reason, fails_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Evidence,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import REGISTRY_KINDS, Kind
from regtrace.wire.term import Term, TermKind, plain


@rule(
    number="RT413",
    slug="storage-no-such-bucket",
    title="The bucket {bucket} does not exist at {storage}",
    cause=(
        "{how} bucket {bucket}, and {storage} knows none of that name. The"
        " name is wrong, the bucket was deleted or is elsewhere, or one side takes the first part"
        " of the path for the bucket while the other expects it in the host's name."
    ),
    fix=(
        (
            "Check storage.s3.bucket, region and regionendpoint (GCS: storage.gcs.bucket; Azure:"
            " storage.azure.container and accountname) in the registry's config.yml."
        ),
        (
            "If the bucket exists, set storage.s3.forcepathstyle: true for MinIO, Ceph and others"
            " that serve buckets below one host name, and false for Amazon S3."
        ),
    ),
    check=("aws --endpoint-url {endpoint} s3api head-bucket --bucket {bucket}",),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html",
        "https://distribution.github.io/distribution/storage-drivers/s3/",
    ),
    owner=Owner.REGISTRY,
    needs=REGISTRY_KINDS | {Kind.STORAGE},
    explains=frozenset({"storage-backend-error"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 404 NoSuchBucket
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 404 NoSuchKey
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 azure
HEAD azure L1                -> 404 ContainerNotFound
""",
    ),
)
def storage_no_such_bucket(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = [
        refusal
        for refusal in facts.storage_refusals
        if refusal.reason is Reason.NO_BUCKET and (refusal.logged or not refusal.nested)
    ]
    if not refused:
        return PASSES
    first = refused[0]
    return fails_by(
        refused,
        "the storage's own code",
        {
            "storage": first.place,
            "bucket": first.bucket,
            "endpoint": plain("ENDPOINT")
            if first.nested
            else Term(TermKind.URL, first.leg.url.origin),
            "how": plain("The registry itself uses" if first.nested else _SENDS),
        },
        *([] if first.nested else [Evidence(first.leg, "request.url", _WHERE)]),
    )


_SENDS = "The registry sends clients to"
_WHERE = "the bucket, in the host or first in the path"
