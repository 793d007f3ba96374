"""RT720: the registry has the manifest and not a blob that it lists."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes
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
from regtrace.wire.manifest import referenced
from regtrace.wire.term import Term, TermKind, host, plain


@rule(
    number="RT720",
    slug="blob-unknown-on-pull",
    title="{registry} has the manifest of {repository}, but lacks {missing} that it lists",
    cause=(
        "{registry} answered 404 to the request for {digest}, which the manifest lists. The image is"
        " incomplete there: a garbage collection ran during a push, a replication stopped half-way,"
        " or a cache dropped the blob and can't reach the registry behind it."
    ),
    fix=(
        (
            "Push the image again from where it is whole, or replicate it again. docker sends only"
            " what the registry says it lacks; if it says Layer already exists, restart the registry"
            " and empty its cache first."
        ),
        (
            "On a proxy cache delete the cached image, manifest included, and make sure that it"
            " reaches the registry behind it."
        ),
    ),
    check=("curl -sI -H 'Authorization: Bearer TOKEN' {blob}",),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs",
        "https://github.com/goharbor/harbor/issues/20131",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.BLOB_GET, Kind.BLOB_HEAD}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob cfg                 -> 200
GET blob L1                  -> 404 BLOB_UNKNOWN
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob cfg                 -> 200
HEAD blob L1                 -> 404 BLOB_UNKNOWN    # it was only asked whether it is there
""",
    also_fires=(
        """
client containerd/2.1.0
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1 [cfg L1 L2]  -> 200
GET manifest 1 [cfg L1 L2]   -> 200
GET blob cfg                 -> 200
GET blob L1                  -> 404 BLOB_UNKNOWN
GET blob L2                  -> 404 BLOB_UNKNOWN
""",
    ),
    also_silent=(
        """
client containerd/2.1.0
HEAD manifest 1              -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob cfg                 -> 200
GET blob L1                  -> 404 BLOB_UNKNOWN
+1s GET blob L1              -> 200    # a replica that was late
""",
    ),
)
def blob_unknown_on_pull(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, Kind.BLOB_GET)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if _is_missing(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    digest = first.digest or ""
    listing = [leg for leg in facts.legs if _lists(leg, digest)]
    evidence = shown_by(first, "the blob is not there")
    if listing:
        why = "its manifest, which lists the blob, is"
        evidence = (Evidence(listing[-1], "response.status", why), *evidence)
    return Fails(
        legs=tuple(legs),
        evidence=evidence,
        confidence=Confidence.CERTAIN if listing else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "repository": Term(TermKind.REPOSITORY, first.repository or ""),
            "missing": plain("a blob" if len(legs) == 1 else f"{len(legs)} blobs"),
            "digest": Term(TermKind.DIGEST, digest),
            "blob": Term(TermKind.URL, f"{first.url.origin}{first.exchange.request.target}"),
        },
        count=tries(facts, legs),
    )


def _is_missing(leg: Leg) -> bool:
    return leg.status == 404 and not codes(leg) - {"BLOB_UNKNOWN", "NOT_FOUND"}


def _lists(leg: Leg, digest: str) -> bool:
    return leg.manifest is not None and any(e.digest == digest for e in referenced(leg.manifest))
