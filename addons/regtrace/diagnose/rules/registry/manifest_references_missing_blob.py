"""RT707: a manifest was refused because the registry has not all that it lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.blobs import History, Standing, children, missing_of, names_missing
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
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host, plain

#: What was done about the missing one → in words, who must act, and how.
_TOLD = {
    Standing.STORED: (
        (
            "This push sent it and the registry took it, then did not find it again: its storage or"
            " its replicas do not agree."
        ),
        Owner.REGISTRY,
        (
            "Let all replicas of the registry use one storage that is consistent at once, and look into"
            " its log for the commit of this blob."
        ),
    ),
    Standing.SKIPPED: (
        "It was not sent, because the registry said that it has it.",
        Owner.REGISTRY,
        (
            "Restart the registry and flush its cache (redis-cli FLUSHDB), so that it forgets blobs"
            " that were deleted, and push again."
        ),
    ),
    Standing.MOUNTED: (
        "It was not sent, because the registry mounted it from another repository.",
        Owner.REGISTRY,
        (
            "Restart the registry and flush its cache (redis-cli FLUSHDB), so that it forgets blobs"
            " that were deleted, and push again."
        ),
    ),
    Standing.FAILED: (
        "Its upload did not succeed, and the client sent the manifest nevertheless.",
        Owner.CLIENT,
        "Push again, and look at the upload that failed: the manifest is only its symptom.",
    ),
    Standing.UNTOUCHED: (
        "The client neither asked for it nor sent it in this operation.",
        Owner.CLIENT,
        (
            "Push again with docker push, skopeo copy or crane push, which send every blob; tools that"
            " remember an earlier push must forget it (buildx: --no-cache, or another builder)."
        ),
    ),
}
_CHILD = (
    "It is the manifest of one platform, which must be pushed before the index that lists it.",
    Owner.CLIENT,
    (
        "Push the image of every platform to this repository first, then the index (docker buildx"
        " imagetools create, docker manifest push, skopeo copy --all)."
    ),
)
_UNNAMED = (
    plain("one that the answer does not name"),
    (
        "The manifest was not recorded, so what was done about it is not known.",
        Owner.CLIENT,
        "Push again with docker push, skopeo copy or crane push, which send every blob.",
    ),
)


@rule(
    number="RT707",
    slug="manifest-references-missing-blob",
    title="The manifest lists {missing} that the registry {registry} does not have",
    cause=(
        "{registry} refused the manifest, because what it lists is not there, {digest} to begin"
        " with. {history}"
    ),
    fix=(
        "{remedy}",
        (
            "If it stays, remove the tag and the repository's links on the registry, and push from a"
            " machine that has the whole image."
        ),
    ),
    check=("curl -sI -H 'Authorization: Bearer TOKEN' {blob}",),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests",
        "https://github.com/distribution/distribution/issues/928",
    ),
    owner=Owner.CLIENT,
    needs=frozenset({Kind.MANIFEST_PUT}),
    fires="""
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_BLOB_UNKNOWN
""",
    silent="""
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_INVALID
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 404 BLOB_UNKNOWN
""",
        """
client docker-containerd/29.1.0
image M1 = cfg L1
index I1 = M1:linux/amd64
token push,pull team/app     -> 200
HEAD manifest 1              -> 404
PUT manifest 1 I1            -> 404 MANIFEST_UNKNOWN
""",
    ),
    also_silent=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_BLOB_UNKNOWN
+1s PUT manifest 1 [cfg L1]  -> 201    # a storage that took a moment
""",
    ),
)
def manifest_references_missing_blob(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, Kind.MANIFEST_PUT)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if names_missing(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    missing = missing_of(facts, first)
    digest, (told, owner, remedy) = _UNNAMED
    if missing:
        digest = Term(TermKind.DIGEST, missing[0].digest)
        untouched = missing[0].standing is Standing.UNTOUCHED
        child = untouched and missing[0].digest in children(facts)
        told, owner, remedy = _CHILD if child else _TOLD[missing[0].standing]
    before = [
        Evidence(each.leg, "response.status", "what the registry said of it before")
        for each in missing[:4]
        if each.leg is not None
    ]
    blob = f"{first.url.origin}/v2/{first.repository or 'REPOSITORY'}/blobs/"
    return Fails(
        legs=tuple(legs),
        evidence=(*shown_by(first, "the manifest was refused"), *before),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "missing": plain("a blob" if len(missing) < 2 else f"{len(missing)} blobs"),
            "digest": digest,
            "history": plain(f"{told}{_tally(missing)}"),
            "remedy": plain(remedy),
            "blob": Term(TermKind.URL, blob + (missing[0].digest if missing else "DIGEST")),
        },
        count=tries(facts, legs),
        owner=owner,
    )


_SHORT = {
    Standing.STORED: "sent and taken here",
    Standing.SKIPPED: "said to be there",
    Standing.MOUNTED: "mounted",
    Standing.FAILED: "begun and not finished",
    Standing.UNTOUCHED: "never asked for or sent",
}


def _tally(missing: Sequence[History]) -> str:
    """What was done about each of several."""
    counts = Counter(each.standing for each in missing)
    told = (f"{count} {_SHORT[standing]}" for standing, count in counts.items())
    return f" Of the {len(missing)}: {', '.join(told)}." if len(missing) > 1 else ""
