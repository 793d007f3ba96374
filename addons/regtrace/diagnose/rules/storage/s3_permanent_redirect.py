"""RT410: the storage sends the client on, to where the signature does not hold."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received
from regtrace.diagnose.facts.storage_errors import Reason, fails_by, refused_by_s3
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.layout import bucket_and_key, is_region
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain


@rule(
    number="RT410",
    slug="s3-permanent-redirect",
    title="The registry signs for an endpoint that its bucket is not at",
    cause=(
        "{storage} does not serve bucket {bucket} and sends the client on. The host is part of the"
        " signature, so a client that goes on is refused, and one that gets no Location has"
        " nowhere to go.{region}"
    ),
    fix=(
        (
            "Set storage.s3.region and regionendpoint in the registry's config.yml to the bucket's"
            " own region and its regional endpoint (s3.REGION.amazonaws.com), and restart it."
        ),
        (
            "If the bucket was made within the last day, its name may not have spread yet: wait,"
            " or use the regional endpoint."
        ),
    ),
    check=("aws s3api get-bucket-location --bucket {bucket}",),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.STORAGE}),
    explains=frozenset({"storage-403-on-head"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 301 PermanentRedirect
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 404 NoSuchBucket
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 307 https://registry-bucket.s3.eu-west-1.amazonaws.com/L1?X-Amz-Credential=a&X-Amz-Signature=b
GET https://registry-bucket.s3.eu-west-1.amazonaws.com/L1?X-Amz-Credential=a&X-Amz-Signature=b -> 403
  << <Error><Code>SignatureDoesNotMatch</Code></Error>
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 301
""",
    ),
)
def s3_permanent_redirect(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    moved = refused_by_s3(facts, Reason.MOVED)
    if not moved:
        return PASSES
    first = moved[0]
    asked = first.redirect if _is_storages_own(first.redirect) else first.leg
    assert asked is not None
    region = received(asked).get("x-amz-bucket-region")
    told = f" It names the bucket's region: {region}." if region and is_region(region) else ""
    named = bucket_and_key(asked.url)[0]
    return fails_by(
        moved,
        "the storage's own code",
        {
            "storage": host(asked.url.authority),
            "bucket": Term(TermKind.BUCKET, named or "BUCKET"),
            "region": plain(told),
        },
    )


def _is_storages_own(leg: Leg | None) -> bool:
    return leg is not None and leg.kind is Kind.STORAGE
