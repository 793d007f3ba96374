"""RT415: the object is encrypted with a key that the reader may not use."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.storage_errors import Reason, fails_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind


@rule(
    number="RT415",
    slug="kms-key-denied",
    title="The storage may not use the key that the object is encrypted with (KMS)",
    cause=(
        "The objects of bucket {bucket} are encrypted with a key of KMS. To read one, {storage}"
        " needs that key in the name of who signed the URL, the registry's user or role. It is"
        " missing kms:Decrypt, or the key is disabled, deleted or of another account or region."
    ),
    fix=(
        (
            "Allow the registry's user or role kms:Decrypt and kms:GenerateDataKey on the key, in"
            " its IAM policy and in the key's own policy; both must allow it."
        ),
        "Check that the key is enabled: aws kms describe-key --key-id KEY.",
    ),
    check=("aws s3api get-bucket-encryption --bucket {bucket}",),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
        "https://distribution.github.io/distribution/storage-drivers/s3/",
    ),
    owner=Owner.STORAGE,
    needs=frozenset({Kind.STORAGE}),
    explains=frozenset({"storage-403-on-head"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 403 AccessDenied "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access."
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 403 AccessDenied "Access Denied"
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 400
  << <Error><Code>KMS.DisabledException</Code><Message>the key is disabled.</Message></Error>
""",
    ),
)
def kms_key_denied(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = [
        refusal
        for refusal in facts.storage_refusals
        if refusal.reason is Reason.ENCRYPTION_KEY and not refusal.nested
    ]
    if not refused:
        return PASSES
    first = refused[0]
    return fails_by(
        refused,
        "the storage's own words",
        {"storage": first.place, "bucket": first.bucket},
    )
