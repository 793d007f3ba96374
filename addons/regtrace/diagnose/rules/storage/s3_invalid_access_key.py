"""RT401: the storage has never heard of the key that the registry signs with."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.storage_errors import Reason, fails_by, refused_by_s3
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
    number="RT401",
    slug="s3-invalid-access-key",
    title="The storage does not know the registry's access key (InvalidAccessKeyId)",
    cause=("The registry signs with an access key id that {storage} does not know. {which}"),
    fix=(
        (
            "Set storage.s3.accesskey and secretkey in the registry's config.yml to a key of this"
            " very storage (regionendpoint), and restart the registry."
        ),
        (
            "If the registry is to use its machine's role, remove accesskey and secretkey, and"
            " REGISTRY_STORAGE_S3_ACCESSKEY and AWS_ACCESS_KEY_ID from its environment: an empty"
            " value counts as a key."
        ),
    ),
    check=("aws --endpoint-url {endpoint} s3api list-buckets",),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        "https://distribution.github.io/distribution/storage-drivers/s3/",
        "https://github.com/distribution/distribution/issues/968",
    ),
    owner=Owner.REGISTRY,
    needs=REGISTRY_KINDS | {Kind.STORAGE},
    explains=frozenset({"storage-403-on-head", "storage-backend-error"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio
GET minio L1                 -> 403 InvalidAccessKeyId
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio
GET minio L1                 -> 403 AccessDenied
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 minio
HEAD minio L1                -> 403 InvalidAccessKeyId
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 r2
GET r2 L1                    -> 400 InvalidArgument "Credential access key has length 20, should be 32"
""",
    ),
)
def s3_invalid_access_key(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = refused_by_s3(facts, Reason.ACCESS_KEY, logged=True)
    if not refused:
        return PASSES
    first = refused[0]
    key = first.leg.presigned.key_id if first.leg.presigned else None
    which = "It was deleted, is mistyped, or belongs to another storage."
    if first.leg.presigned and (key is None or key.lower() in {"null", "none", "nil", "~"}):
        which = "It is empty: accesskey stands in the configuration without a value."
    return fails_by(
        refused,
        "the storage's own code",
        {
            "storage": first.place,
            "endpoint": plain("ENDPOINT")
            if first.nested
            else Term(TermKind.URL, first.leg.url.origin),
            "which": plain(which),
        },
        *([] if first.nested else [Evidence(first.leg, "request.url", "the key id that signed")]),
    )
