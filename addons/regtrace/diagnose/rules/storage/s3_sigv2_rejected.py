"""RT411: the registry signs as of old, and the bucket's region wants version 4."""

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
from regtrace.wire.leg import Kind


@rule(
    number="RT411",
    slug="s3-sigv2-rejected",
    title="The registry signs with version 2, which {storage} does not accept",
    cause=(
        "The URL to {storage} is signed with the old signature version 2 (AWSAccessKeyId,"
        " Signature, Expires). Newer S3 regions and many other storages accept version 4 only"
        " (AWS4-HMAC-SHA256) and answer 400."
    ),
    fix=(
        (
            "Set storage.s3.v4auth: true (REGISTRY_STORAGE_S3_V4AUTH) in the registry's config.yml,"
            " with the right region, and restart the registry."
        ),
        "Update a registry whose storage driver knows version 2 only.",
    ),
    references=(
        "https://distribution.github.io/distribution/storage-drivers/s3/",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.STORAGE}),
    explains=frozenset({"storage-403-on-head"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3-v2
GET s3-v2 L1                 -> 400 InvalidRequest "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3-v2
GET s3-v2 L1                 -> 403 AccessDenied
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 s3-v2
HEAD s3-v2 L1                -> 400
""",
    ),
)
def s3_sigv2_rejected(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = [
        refusal
        for refusal in facts.storage_refusals
        if refusal.reason is Reason.OLD_SIGNATURE and not refusal.nested
    ]
    if not refused:
        return PASSES
    first = refused[0]
    return fails_by(
        refused,
        "what the storage wants",
        {"storage": first.place},
        Evidence(first.leg, "request.url", "a signature of version 2"),
    )
