"""RT706: the registry finds fault with the manifest itself."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
from regtrace.diagnose.facts.manifests import (
    ManifestFault,
    is_schema1_push,
    manifest_fault,
    type_refusal,
)
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
from regtrace.wire.term import host, plain

#: What the bytes show, and where.
_SHOWN = {
    ManifestFault.EMPTY: ("It is empty.", "request.body.size"),
    ManifestFault.NOT_JSON: ("It is not JSON, or JSON that is no manifest.", "request.body.size"),
    ManifestFault.TOO_LARGE: (
        "It is larger than the registry takes; most draw the line at 4 MiB.",
        "request.body.size",
    ),
    ManifestFault.TWO_TYPES: (
        "Its header Content-Type says another type than mediaType in its body.",
        "request.header.Content-Type",
    ),
    ManifestFault.NO_TYPE: (
        "It has no mediaType in its body, which some registries demand.",
        "request.header.Content-Type",
    ),
    ManifestFault.LAYER_URLS: (
        (
            "It names layers by foreign URLs, which registries refuse unless they are told to allow"
            " them."
        ),
        "request.header.Content-Type",
    ),
    ManifestFault.NO_SIZES: (
        "It names blobs without their sizes.",
        "request.header.Content-Type",
    ),
}
_UNSEEN = "What is wrong with it, its bytes do not show here; the answer may say."


@rule(
    number="RT706",
    slug="manifest-invalid",
    title="The registry {registry} refuses the manifest as invalid",
    cause=("{registry} took the blobs and does not accept the manifest that joins them. {fault}"),
    fix=(
        "Read the answer's detail: it names the field or the layer that is wrong.",
        (
            "Build and push again with a current client; write manifests by a tool (docker, skopeo,"
            " oras), not by hand, and set Content-Type to the mediaType in the body."
        ),
        (
            "Layers with foreign URLs: push the layers themselves (dockerd:"
            " allow-nondistributable-artifacts in daemon.json), or allow the addresses in the"
            " registry: validation.manifests.urls.allow in config.yml."
        ),
        (
            "If the same push works without a proxy between, the proxy changes what passes: switch"
            " its rewriting off for /v2/."
        ),
    ),
    references=(
        "https://github.com/opencontainers/image-spec/blob/main/manifest.md",
        "https://distribution.github.io/distribution/about/configuration/#validation",
    ),
    owner=Owner.CLIENT,
    needs=frozenset({Kind.MANIFEST_PUT}),
    fires="""
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_INVALID
  > Content-Type: application/vnd.docker.distribution.manifest.v2+json
""",
    silent="""
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 400 TAG_INVALID
  > Content-Type: application/vnd.docker.distribution.manifest.v2+json
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_INVALID
  >> {"schemaVersion": 2, "layers":
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_INVALID    # the body was not recorded
  >> ?
""",
    ),
    also_silent=(
        """
client skopeo/1.14.2
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_INVALID    # it tries the other format next
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def manifest_invalid(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, Kind.MANIFEST_PUT)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if _is_called_invalid(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    fault = manifest_fault(first)
    evidence = list(shown_by(first, "the manifest was refused"))
    text = _UNSEEN
    if fault is not None:
        text, where = _SHOWN[fault]
        evidence.append(Evidence(first, where, "of the manifest that was sent"))
    return Fails(
        legs=tuple(legs),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"registry": host(first.url.authority), "fault": plain(text)},
        count=tries(facts, legs),
    )


def _is_called_invalid(leg: Leg) -> bool:
    called = codes(leg) & {"MANIFEST_INVALID", "MANIFEST_UNVERIFIED"}
    return bool(called) and not is_schema1_push(leg) and type_refusal(leg) is None
