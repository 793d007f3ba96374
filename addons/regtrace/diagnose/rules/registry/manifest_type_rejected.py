"""RT710: the registry does not take manifests of this type."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
from regtrace.diagnose.facts.manifests import has_attestations, type_refusal
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host, plain

_OCI = "application/vnd.oci."

_FOR_OCI = (
    "Push in Docker's types: docker buildx build --provenance=false --sbom=false --output"
    " type=image,oci-mediatypes=false,push=true; podman push --format v2s2; skopeo copy --format"
    " v2s2."
)
_FOR_DOCKER = (
    "Push in OCI's types: docker buildx build --output type=image,oci-mediatypes=true,push=true;"
    " podman push --format oci; skopeo copy --format oci; or let the registry take Docker's (zot:"
    ' http.compat: ["docker2s2"]).'
)


@rule(
    number="RT710",
    slug="manifest-type-rejected",
    title="The registry {registry} does not take {kind}",
    cause=(
        "{registry} took the blobs and refuses the manifest because of its type. {why} Older"
        " registries know Docker's types only, some new ones OCI's only, and some take images but"
        " no index or artifact."
    ),
    fix=(
        "{remedy}",
        (
            "Or update the registry: Harbor 2.0 and distribution 2.7 take OCI images and indexes,"
            " Quay 3.6 also artifacts."
        ),
    ),
    check=("docker buildx imagetools inspect --raw IMAGE | head -c 300",),
    references=(
        "https://docs.docker.com/build/metadata/attestations/",
        "https://github.com/docker/buildx/issues/1653",
        "https://github.com/docker/buildx/issues/300",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.MANIFEST_PUT}),
    fires="""
client buildkit/0.23
image M1 = cfg L1
index I1 = M1:linux/amd64 M1:unknown/unknown
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest @M1             -> 201
PUT manifest 1 I1            -> 400 MANIFEST_INVALID
""",
    silent="""
client buildkit/0.23
image M1 = cfg L1
index I1 = M1:linux/amd64 M1:unknown/unknown
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest @M1             -> 201
PUT manifest 1 I1            -> 400 TAG_INVALID
""",
    also_fires=(
        """
client docker/24.0.7
registry https://zot.test open
GET /v2/                     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 415 MANIFEST_INVALID
""",
        """
client oras/1.2.0
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 405 UNSUPPORTED "Invalid JSON syntax"
""",
    ),
    also_silent=(
        """
client skopeo/1.14.2
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 415 MANIFEST_INVALID    # it tries the other format next
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def manifest_type_rejected(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, Kind.MANIFEST_PUT)
    if not refused:
        return DOES_NOT_APPLY
    sure = {leg.id: confidence for leg in refused if (confidence := type_refusal(leg))}
    legs = [leg for leg in refused if leg.id in sure]
    if not legs:
        return PASSES
    first = legs[0]
    oci = _media_type(first).startswith(_OCI)
    return Fails(
        legs=tuple(legs),
        evidence=(
            *shown_by(first, "the manifest was refused"),
            Evidence(first, "request.header.Content-Type", "the type that was sent"),
        ),
        confidence=sure[first.id],
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "kind": plain(_kind(first)),
            "why": plain(_why(first)),
            "remedy": plain(_FOR_OCI if oci else _FOR_DOCKER),
        },
        count=tries(facts, legs),
    )


def _media_type(leg: Leg) -> str:
    return (leg.manifest.media_type if leg.manifest else None) or ""


def _kind(leg: Leg) -> str:
    words = {"index": "image indexes", "artifact": "artifact manifests"}
    kind = words.get(leg.manifest.kind if leg.manifest else "", "image manifests")
    of = "of OCI's type" if _media_type(leg).startswith(_OCI) else "of Docker's type"
    return f"{kind} {of}" if _media_type(leg) else f"{kind} of this type"


def _why(leg: Leg) -> str:
    if has_attestations(leg.manifest):
        return (
            "It is an index because docker buildx adds an attestation (unknown/unknown) to each"
            " image by default."
        )
    return "The Content-Type of the request names the type."
