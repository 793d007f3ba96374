"""RT412: the registry signed a read, and the storage refused it with a bare 403."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.storage_errors import OTHERS_THAN_S3
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Severity,
    Verdict,
    rule,
)
from regtrace.follow.life import Fate
from regtrace.follow.story import Operation
from regtrace.wire.layout import bucket_and_key, is_storage_layout
from regtrace.wire.leg import Kind
from regtrace.wire.storage import Vendor
from regtrace.wire.term import Term, TermKind, host, plain

_READS_BACK = (
    "docker reads each layer back after its upload, so its push fails although every byte is"
    " stored."
)
_ASKS_FIRST = (
    "Whoever pulls this blob will be refused too; a client that only asks whether it is there may"
    " go on and upload it again."
)
_S3 = frozenset({Vendor.S3, Vendor.CEPH, Vendor.MINIO, Vendor.R2})
_MAY_NOT_READ = (
    "Most often the registry's storage user may write objects but not read them: s3:GetObject (or"
    " s3:ListBucket) is missing or denied in the bucket's policy."
)
_UNSAID = "Its policy, the signature's key or its time: HEAD's answer has no text to say which."


@rule(
    number="RT412",
    slug="storage-403-on-head",
    title="The storage refuses to let clients read what the registry stored (403 on HEAD)",
    cause=(
        "The registry {accepted} sent the client to {storage}; there the read got 403 without a"
        " body. {reason} {effect}"
    ),
    fix=(
        (
            "Let the registry's storage user read what it writes. S3: in the policy of bucket"
            " {bucket} allow it s3:GetObject, s3:PutObject, s3:DeleteObject,"
            " s3:ListMultipartUploadParts and s3:AbortMultipartUpload on its objects, and"
            " s3:ListBucket, s3:GetBucketLocation and s3:ListBucketMultipartUploads on the bucket;"
            " remove any Deny of them."
        ),
        (
            "If the policy allows all that, look at what else can refuse a read: kms:Decrypt on the"
            " bucket's key, a condition on the client's address or VPC endpoint, a proxy in front"
            " of {storage} that changes the Host header."
        ),
        (
            "Until it is mended, set storage.redirect.disable: true in the registry's config.yml:"
            " the registry then reads for its clients, and logs the storage's own error code."
        ),
    ),
    check=("aws --endpoint-url {endpoint} s3api head-object --bucket {bucket} --key {key}",),
    references=(
        "https://distribution.github.io/distribution/storage-drivers/s3/",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html",
    ),
    owner=Owner.STORAGE,
    needs=frozenset({Kind.STORAGE}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 403
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 s3
+1800s HEAD s3 L1            -> 403    # the signed URL had expired: another fault
""",
    also_fires=(
        # A registry's own CDN.
        """
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 https://blobs.example.net/L1?token=abc
HEAD https://blobs.example.net/L1?token=abc -> 403
""",
    ),
)
def storage_403_on_head(operation: Operation, facts: Facts) -> Verdict:
    heads = [hop for hop in facts.hops if hop.storage.method == "HEAD"]
    if not heads:
        return DOES_NOT_APPLY
    unexplained = {each.leg.id for each in facts.storage_refusals if each.reason is None}
    refused = [
        hop
        for hop in heads
        if hop.storage.id in unexplained
        and hop.storage.status == 403
        and hop.storage.vendor not in OTHERS_THAN_S3
    ]
    if not refused:
        return PASSES
    # A blob that was only looked for, and then uploaded, is not what a push fails by.
    fatal = [hop for hop in refused if hop.transfer and hop.transfer.fate is Fate.FAILED]
    first = (fatal or refused)[0]
    commit = facts.commit_before(first)
    evidence = [
        Evidence(first.redirect, "response.header.Location", "the registry sent the client here"),
        Evidence(first.storage, "response.status", "the storage refused the read"),
    ]
    if commit:
        why = "the registry had stored these bytes just before: its key may write"
        evidence.insert(0, Evidence(commit, "response.status", why))
    if first.in_time:
        why = "the signature was valid by the storage's own clock"
        evidence.append(Evidence(first.storage, "response.header.Date", why))
    # distribution signs HEAD and GET apart (s3-aws driver); others sign GET only and get 403 too.
    signs_each_method = is_storage_layout(first.storage.url.path)
    proven = commit is not None and first.in_time and signs_each_method
    bucket, key = bucket_and_key(first.storage.url)
    return Fails(
        legs=tuple(hop.storage for hop in refused),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if proven else Confidence.LIKELY,
        transfer=first.transfer,
        fields={
            "storage": host(first.storage.url.authority),
            "endpoint": Term(TermKind.URL, first.storage.url.origin),
            "bucket": Term(TermKind.BUCKET, bucket or "BUCKET"),
            "key": Term(TermKind.OBJECT_KEY, key or "KEY"),
            "accepted": plain("stored the upload and then" if commit else "knew the blob and"),
            "reason": plain(_MAY_NOT_READ if first.storage.vendor in _S3 else _UNSAID),
            "effect": plain(_READS_BACK if commit else _ASKS_FIRST),
        },
        count=len(refused),
        severity=None if fatal else Severity.WARNING,
    )
