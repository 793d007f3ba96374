"""RT719: the registry says that it has a blob, and then does not find it: its cache is stale."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.blobs import missing_of, names_missing, said_to_be_there
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
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
from regtrace.wire.term import Term, TermKind, host

_READS = (Kind.BLOB_GET, Kind.MANIFEST_GET)
_SAY_SO = frozenset({Kind.BLOB_HEAD, Kind.MANIFEST_HEAD, Kind.MANIFEST_PUT})


@rule(
    number="RT719",
    slug="stale-blob-cache-after-gc",
    title="{registry} says that it has a blob which it does not have (stale cache)",
    cause=(
        "{registry} answered in this same operation that {digest} is there, and then did not find"
        " it. Its cache of blobs outlived a garbage collection, or files that were deleted in the"
        " storage. Clients believe the first answer and never send the blob again."
    ),
    fix=(
        (
            "Restart the registry; where its cache is Redis (redis: in config.yml), empty that:"
            " redis-cli -n DB FLUSHDB."
        ),
        "Push again: now the client is asked for the blob and sends it.",
        (
            "From now on collect garbage only while the registry is stopped or read-only"
            " (storage.maintenance.readonly.enabled: true), and restart it afterwards; newer"
            " releases of distribution clear their cache by themselves."
        ),
    ),
    check=("curl -sI -H 'Authorization: Bearer TOKEN' {blob}",),
    references=(
        "https://distribution.github.io/distribution/about/garbage-collection/",
        "https://github.com/distribution/distribution/issues/2945",
        "https://github.com/distribution/distribution/issues/4269",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.MANIFEST_PUT, *_READS}),
    explains=frozenset(
        {"manifest-references-missing-blob", "blob-unknown-on-pull", "manifest-unknown"}
    ),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_BLOB_UNKNOWN
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_BLOB_UNKNOWN    # L1 was never asked for
""",
    also_fires=(
        """
client podman/5.29.2
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
HEAD blob L1                 -> 200
GET blob L1                  -> 404 BLOB_UNKNOWN
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def stale_blob_cache_after_gc(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, Kind.MANIFEST_PUT, *_READS)
    if not refused:
        return DOES_NOT_APPLY
    contradicted = {leg.id: earlier for leg in refused if (earlier := _earlier_word(facts, leg))}
    legs = [leg for leg in refused if leg.id in contradicted]
    if not legs:
        return PASSES
    first = legs[0]
    earlier = contradicted[first.id]
    digest = earlier.digest or ""
    blob = f"{first.url.origin}/v2/{first.repository or 'REPOSITORY'}/blobs/{digest}"
    return Fails(
        legs=tuple(legs),
        evidence=(
            Evidence(earlier, "response.status", "the registry says that it has this blob"),
            *shown_by(first, "and here, that it has not"),
        ),
        confidence=Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "digest": Term(TermKind.DIGEST, digest),
            "blob": Term(TermKind.URL, blob),
        },
        count=tries(facts, legs),
    )


def _earlier_word(facts: Facts, leg: Leg) -> Leg | None:
    """The answer by which the registry had, in this operation, what it now lacks."""
    if leg.kind is Kind.MANIFEST_PUT:
        missing = missing_of(facts, leg) if names_missing(leg) else []
        words = [said_to_be_there(facts, each.digest) for each in missing]
        # One that was truly left out is explanation enough.
        return words[0] if words and all(words) else None
    if leg.status != 404:
        return None
    return next(
        (
            other
            for other in facts.legs
            if other.kind in _SAY_SO
            and other.succeeded
            and other.digest is not None
            and other.digest == leg.digest
            and other.url.authority == leg.url.authority
            and other.started < leg.started
        ),
        None,
    )
