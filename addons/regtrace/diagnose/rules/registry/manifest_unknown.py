"""RT708: a pull of a tag or a digest that the repository does not have."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, said
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain

_READS = (Kind.MANIFEST_GET, Kind.MANIFEST_HEAD)

#: The specification's, Harbor's and Quay's; some send no code at all.
_CODES = frozenset({"MANIFEST_UNKNOWN", "NOT_FOUND", "TAG_EXPIRED"})


@rule(
    number="RT708",
    slug="manifest-unknown",
    title="{registry} has no {what} {reference} in {repository}",
    cause=(
        "{registry} answered 404 to the request for {what} {reference}. {possible} A"
        " registry that is a cache answers the same while the registry behind it can't be reached."
    ),
    fix=(
        (
            "List the tags that are there, and compare the repository's name and the tag letter by"
            " letter; there may be no tag latest."
        ),
        "If it was deleted, expired or collected as garbage, push it again.",
        (
            "If it was just pushed, make sure that push and pull use the same registry, port and"
            " repository; a replica or a cache may not have it yet."
        ),
    ),
    check=("skopeo list-tags docker://{registry}/{repository}",),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests",
        "https://github.com/distribution/distribution/issues/2270",
    ),
    owner=Owner.USER,
    needs=frozenset(_READS),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 2 [cfg L1]      -> 404 MANIFEST_UNKNOWN
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 2 [cfg L1]      -> 404 NAME_UNKNOWN    # not even the repository is there
""",
    also_fires=(
        """
client containerd/2.1.0
HEAD manifest 2              -> 401
token pull team/app          -> 200
HEAD manifest 2              -> 404
""",
        """
client podman/5.29.2
registry https://harbor.test
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 2 [cfg L1]      -> 404 NOT_FOUND "artifact team/app:2 not found"
""",
    ),
    also_silent=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD manifest 1              -> 404    # a push asks first
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
        """
client docker/20.10.24
registry https://mirror.test open
GET /v2/                     -> 200
GET manifest 1 [cfg L1]      -> 404 MANIFEST_UNKNOWN    # the mirror has it not
registry https://registry.test open
GET /v2/                     -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob cfg                 -> 200
GET blob L1                  -> 200
""",
        """
client containerd/2.1.0
image M1 = cfg L1
HEAD manifest 1 M1           -> 200
GET manifest @M1             -> 200
GET blob L1                  -> 200
GET referrers M1             -> 404    # no attachments
""",
    ),
)
def manifest_unknown(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_READS)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if _is_missing(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    named = bool(codes(first))
    reference = first.tag or (first.endpoint.digest if first.endpoint else None) or "MANIFEST"
    repository = first.repository or ""
    return Fails(
        legs=tuple(legs),
        evidence=shown_by(first, "the registry does not have it"),
        confidence=Confidence.CERTAIN if named else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "what": plain("tag" if first.tag else "manifest"),
            "reference": Term(TermKind.REFERENCE, reference),
            "repository": Term(TermKind.REPOSITORY, repository),
            "possible": plain(_possible(first)),
        },
        count=tries(facts, legs),
    )


def _is_missing(leg: Leg) -> bool:
    named, valid = codes(leg), leg.endpoint is None or leg.endpoint.name_valid
    known = not named or bool(named & _CODES)
    return leg.status == 404 and known and valid and "accept header" not in said(leg)


def _possible(leg: Leg) -> str:
    if leg.method == "HEAD":
        return (
            "The client asks by HEAD, whose answer has no text: the tag, or the repository itself,"
            " does not exist, or was deleted."
        )
    if leg.tag is None:
        return "It is asked for by digest: it was never pushed here, or was deleted."
    return "The tag is misspelt, was never pushed to this repository, or was deleted."
