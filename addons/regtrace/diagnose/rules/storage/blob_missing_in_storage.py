"""RT414: the registry knows a blob that its storage has lost."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received
from regtrace.diagnose.facts.storage_errors import Reason, StorageRefusal, fails_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Evidence,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.life import Fate
from regtrace.follow.story import Operation
from regtrace.wire.layout import digest_in_path
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host, plain


@rule(
    number="RT414",
    slug="blob-missing-in-storage",
    title="The registry knows the blob, but its storage does not have it",
    cause=(
        "The registry {registry} sent the client to {storage} for {digest}, and the storage"
        " answered 404: the object is not there. {why} The registry goes on believing that it has"
        " the blob, so nobody uploads it again either."
    ),
    fix=(
        (
            "Restart the registry (and empty its redis, if it has one): it forgets which blobs it"
            " believed to have."
        ),
        "Then push the image again from a machine that has it.",
        (
            "Find what removes objects: a lifecycle rule of bucket {bucket}, a garbage collection"
            " while the registry took pushes, another rootdirectory than before, an incomplete"
            " replication."
        ),
    ),
    check=("aws s3api get-bucket-lifecycle-configuration --bucket {bucket}",),
    references=(
        "https://distribution.github.io/distribution/about/garbage-collection/",
        "https://github.com/distribution/distribution/issues/2945",
        "https://github.com/goharbor/harbor/issues/20131",
    ),
    owner=Owner.STORAGE,
    needs=frozenset({Kind.STORAGE}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 404 NoSuchKey
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 404
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 404    # not even what was stored just now
""",
        """
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 azure
GET azure L1                 -> 404 BlobNotFound
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 404
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201    # now it is there
HEAD blob L1                 -> 307 s3
HEAD s3 L1                   -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def blob_missing_in_storage(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    missing = [refusal for refusal in facts.storage_refusals if _is_missing(refusal)]
    if not missing:
        return PASSES
    first = missing[0]
    marker = "x-amz-delete-marker" in received(first.leg)
    source = first.redirect
    why = "It was removed, or another directory is looked in than the one it was written to."
    if marker:
        why = "A delete marker stands in its place: somebody deleted it from the versioned bucket."
    evidence = []
    if marker:
        where = "response.header.x-amz-delete-marker"
        evidence.append(Evidence(first.leg, where, "it was deleted"))
    digest = first.leg.digest or (first.transfer.digest if first.transfer else None)
    return fails_by(
        missing,
        "the storage's own code",
        {
            "registry": host(source.url.authority) if source else plain("that was asked"),
            "storage": first.place,
            "digest": Term(TermKind.DIGEST, digest) if digest else plain("it"),
            "bucket": first.bucket,
            "why": plain(why),
        },
        *evidence,
    )


def _is_missing(refusal: StorageRefusal) -> bool:
    """Gone, and not only looked for before it is uploaded; under the name that was asked for."""
    if refusal.reason is not Reason.NO_OBJECT or refusal.nested:
        return False
    asked = refusal.redirect.digest if refusal.redirect else None
    named = digest_in_path(refusal.leg.url.path)
    failed = refusal.transfer is None or refusal.transfer.fate is Fate.FAILED
    return failed and (asked is None or named is None or asked == named)
