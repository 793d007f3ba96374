"""RT409: the registry signs for another region than the bucket's."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received
from regtrace.diagnose.facts.storage_errors import Reason, StorageRefusal, fails_by, refused_by_s3
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Evidence,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.layout import is_region, region_of_host
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, plain


@rule(
    number="RT409",
    slug="s3-wrong-region",
    title="The registry signs for the wrong region of its bucket",
    cause=(
        "A signature of version 4 names a region. The registry signs for {signed}, but bucket"
        " {bucket} is in {region}, so {storage} refuses each signed URL with 400."
    ),
    fix=(
        (
            "Set storage.s3.region in the registry's config.yml (REGISTRY_STORAGE_S3_REGION) to"
            " the bucket's region, and regionendpoint, if it is set, to an endpoint of"
            " that region; restart the registry."
        ),
        (
            "For MinIO, Ceph and others, set it to what the server calls its region (MinIO:"
            " MINIO_REGION, us-east-1 when not set)."
        ),
    ),
    check=("aws s3api get-bucket-location --bucket {bucket}",),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        "https://distribution.github.io/distribution/storage-drivers/s3/",
        "https://github.com/distribution/distribution/issues/2055",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.STORAGE}),
    explains=frozenset({"storage-403-on-head"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 400
  < x-amz-bucket-region: eu-west-1
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 400
  < x-amz-bucket-region: eu-central-1
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio
GET minio L1                 -> 400
  << <Error><Code>AuthorizationQueryParametersError</Code><Message>Error parsing the X-Amz-Credential parameter; the region 'eu-central-1' is wrong; expecting 'us-east-1'</Message><Region>us-east-1</Region></Error>
""",
        """
storage s3 https://registry-bucket.s3.us-west-2.amazonaws.com
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 400    # signed for eu-central-1
""",
    ),
)
def s3_wrong_region(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = refused_by_s3(facts, Reason.REGION)
    if not refused:
        return PASSES
    first = refused[0]
    signature = first.leg.presigned
    return fails_by(
        refused,
        "where the bucket is",
        {
            "storage": first.place,
            "bucket": first.bucket,
            "signed": _region(signature.region if signature else None),
            "region": _region(_right_region(first)),
        },
        Evidence(first.leg, "request.url", "the region that it was signed for"),
    )


def _right_region(refusal: StorageRefusal) -> str | None:
    told = refusal.told_by
    named = told.error.element("Region") if told.error else None
    return named or received(told).get("x-amz-bucket-region") or region_of_host(told.url.host)


def _region(name: str | None) -> Term:
    """Shown where it has the form of one: the words come from the network."""
    return plain(name if name and is_region(name) else "another region")
