"""What is wrong with a manifest that was pushed, as far as its own bytes and the refusal tell."""

from __future__ import annotations

from enum import Enum

from regtrace.diagnose.facts.answers import codes, said, sent
from regtrace.diagnose.rule import Confidence
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.manifest import LARGEST_MANIFEST, Manifest, is_schema1


class ManifestFault(str, Enum):
    EMPTY = "empty"
    NOT_JSON = "not-json"
    """Or JSON that is no manifest."""
    TOO_LARGE = "too-large"
    TWO_TYPES = "two-types"
    """Its Content-Type and its own mediaType differ."""
    NO_TYPE = "no-type"
    """It has no mediaType."""
    LAYER_URLS = "layer-urls"
    """Layers that are to be fetched elsewhere."""
    NO_SIZES = "no-sizes"


#: Codes that say something else of a manifest than that its type is not taken.
_OTHER_CODES = frozenset(
    {
        "BLOB_UNKNOWN",
        "DENIED",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_UNVERIFIED",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "TAG_ALREADY_EXISTS",
        "TAG_IMMUTABLE",
        "TAG_INVALID",
        "TOOMANYREQUESTS",
        "UNAUTHORIZED",
        "UNAVAILABLE",
    }
)

#: How registries say that they do not take a type: distribution manifests.go, Quay, Harbor 1.x,
#: ECR before 2019, Nexus, zot.
_TYPE_WORDS = (
    "media type",
    "mediatype",
    "content type",
    "content-type",
    "invalid json syntax",
    "manifest list",
    "oci index",
    "oci manifest",
    "unknown manifest class",
    "unknown manifest schema",
    "unrecognized manifest",
    "unsupported manifest",
    "schema version",
)


def manifest_fault(leg: Leg) -> ManifestFault | None:
    """What is wrong with the manifest in this PUT, seen by its own bytes; None: nothing, or they
    were not recorded."""
    body, manifest = leg.exchange.request.body, leg.manifest
    if leg.status == 413 or (body.size or 0) > LARGEST_MANIFEST:
        return ManifestFault.TOO_LARGE
    if body.complete and body.size == 0:
        return ManifestFault.EMPTY
    if body.kept is None or not body.complete:
        return None
    return ManifestFault.NOT_JSON if manifest is None else _fault_inside(leg, manifest)


def _fault_inside(leg: Leg, manifest: Manifest) -> ManifestFault | None:
    named = (sent(leg).get("Content-Type") or "").partition(";")[0].strip().lower()
    own = manifest.body_media_type
    if own and named and own.lower() != named:
        return ManifestFault.TWO_TYPES
    entries = (*filter(None, [manifest.config]), *manifest.layers, *manifest.manifests)
    if manifest.kind != "schema1" and any(entry.size is None for entry in entries):
        return ManifestFault.NO_SIZES
    if any(layer.urls for layer in manifest.layers):
        return ManifestFault.LAYER_URLS
    return ManifestFault.NO_TYPE if own is None and manifest.kind != "schema1" else None


def is_schema1_push(leg: Leg) -> bool:
    if leg.kind is not Kind.MANIFEST_PUT:
        return False
    if leg.manifest is None:
        return is_schema1(sent(leg).get("Content-Type"))
    return _is_schema1(leg.manifest)


def _is_schema1(manifest: Manifest) -> bool:
    return manifest.kind == "schema1" or manifest.schema_version == 1


def before_fallback(answers: list[Leg]) -> list[Leg]:
    """Without what was said to docker's last resort: engines up to 27 push the image in schema 1
    when its newer manifest was refused for whatever reason (distribution/push_v2.go), and only the
    first refusal tells that reason."""
    pushed = [leg for leg in answers if leg.kind is Kind.MANIFEST_PUT]
    newer = [leg for leg in pushed if not is_schema1_push(leg)]
    return newer if newer and is_schema1_push(pushed[-1]) else answers


def type_refusal(leg: Leg) -> Confidence | None:
    """How surely a PUT was refused because the registry does not take manifests of this type; None
    where something else is said, or is wrong with it."""
    if leg.kind is not Kind.MANIFEST_PUT or codes(leg) & _OTHER_CODES or is_schema1_push(leg):
        return None
    if leg.status == 415:
        return Confidence.CERTAIN
    if leg.status not in {400, 404, 405, 406, 500}:
        return None
    if manifest_fault(leg) not in {None, ManifestFault.NO_TYPE}:
        return None
    if any(words in said(leg) for words in _TYPE_WORDS):
        return Confidence.CERTAIN
    if leg.status == 405 or "UNSUPPORTED" in codes(leg):
        return Confidence.LIKELY
    modern = leg.manifest is not None and is_newer_than_images(leg.manifest)
    silent = not codes(leg) - {"MANIFEST_INVALID", "UNKNOWN"} and leg.status in {400, 415}
    return Confidence.LIKELY if modern and silent else None


def is_newer_than_images(manifest: Manifest) -> bool:
    """An index, an artifact, or what names another manifest: what registries learnt last."""
    listed = manifest.kind in {"index", "artifact"}
    return listed or manifest.subject is not None or manifest.artifact_type is not None


def has_attestations(manifest: Manifest | None) -> bool:
    return manifest is not None and any(entry.is_attestation for entry in manifest.manifests)
