"""Manifests, indexes and image configurations: what they name, by digest and size.

Only what is needed to follow a transfer and to explain a refusal is kept. Annotation values, URLs,
inlined bytes, environment variables and labels of an image are not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from regtrace.wire.endpoint import is_digest
from regtrace.wire.jsontext import parse_json

#: distribution refuses longer manifests (registry/handlers/manifests.go: maxManifestBodySize), and
#: docker and containerd don't read longer ones.
LARGEST_MANIFEST = 4 * 1024 * 1024

#: Docker ends at 127 layers; an index or a referrers list has one entry per platform or artifact.
_MOST_DESCRIPTORS = 5000

#: RFC 6838 4.2 ends a media type at 127 characters on either side of its slash.
_LONGEST_WORD = 255

#: What a signed 64-bit size can hold (Go's int64).
_LARGEST_SIZE = 2**63 - 1

_DOCKER = "application/vnd.docker.distribution.manifest"
_OCI = "application/vnd.oci"

#: Which kind of manifest a media type is (image-spec media-types.md; distribution manifest/).
_KINDS = {
    f"{_DOCKER}.v1+json": "schema1",
    f"{_DOCKER}.v1+prettyjws": "schema1",
    f"{_DOCKER}.v2+json": "image",
    f"{_DOCKER}.list.v2+json": "index",
    f"{_OCI}.image.manifest.v1+json": "image",
    f"{_OCI}.image.index.v1+json": "index",
    f"{_OCI}.artifact.manifest.v1+json": "artifact",
}

#: Which kind a body is when no media type says it: the first of these keys that it has.
_SHAPES = (
    ("manifests", "index"),
    ("fsLayers", "schema1"),
    ("layers", "image"),
    ("blobs", "artifact"),
)

#: Media type of the layers of a schema 1 manifest, which doesn't say it itself.
_SCHEMA1_LAYER = "application/vnd.docker.container.image.rootfs.diff+x-gtar"

#: buildkit's entry for an attestation in an index (exporter/containerimage/writer.go).
_ATTESTATION = "vnd.docker.reference.type"
_NO_PLATFORM = "unknown/unknown"

_ALGORITHMS = ("sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """One thing that a manifest names (image-spec descriptor.md)."""

    digest: str
    media_type: str | None = None
    size: int | None = None
    """Bytes; None where the manifest doesn't say (schema 1)."""
    platform: str | None = None
    """``os/architecture[/variant]``."""
    os_version: str | None = None
    annotations: tuple[str, ...] = ()
    """Names only."""
    data: bool = False
    """The bytes are inlined: this blob may legitimately have no upload."""
    urls: bool = False
    """A foreign layer: clients fetch it elsewhere and don't push it."""
    artifact_type: str | None = None

    @property
    def is_attestation(self) -> bool:
        """An entry of an index that no platform ever pulls."""
        return self.platform == _NO_PLATFORM or _ATTESTATION in self.annotations


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest or index. Entries without a readable digest are left out."""

    kind: str
    """``image``, ``index``, ``artifact`` or ``schema1``."""
    media_type: str | None = None
    """What the message calls it (``Content-Type``), else what the body calls itself."""
    body_media_type: str | None = None
    """``mediaType`` in the body, which OCI manifests may leave out."""
    schema_version: int | None = None
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    """In the body's order: base layer first, but newest first in schema 1."""
    manifests: tuple[Descriptor, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What an image's configuration says of its platform and layers (image-spec config.md)."""

    architecture: str | None = None
    os: str | None = None
    diff_ids: tuple[str, ...] = ()
    """Digests of the uncompressed layers, base first: docker's progress lines show these."""
    history: int = 0
    """Number of history entries, those of empty layers included."""


def read_manifest(content_type: str | None, body: bytes | None) -> Manifest | None:
    """The manifest in a body without Content-Encoding; None when it is none, or wasn't kept.

    ``Content-Type`` decides its kind, then the body's ``mediaType``, then its shape.
    """
    content = parse_json(body, LARGEST_MANIFEST)
    if not isinstance(content, dict):
        return None
    own = _word(content.get("mediaType"))
    named = (content_type or "").partition(";")[0].strip().lower()[:_LONGEST_WORD]
    kind = _KINDS.get(named) or _KINDS.get(own or "") or _shape(content)
    if kind is None:
        return None
    schema1 = kind == "schema1"
    version = content.get("schemaVersion")
    return Manifest(
        kind=kind,
        media_type=named if named in _KINDS else own or named or None,
        body_media_type=own,
        schema_version=version if type(version) is int else None,
        config=_descriptor(content.get("config")),
        layers=_schema1_layers(content) if schema1 else _descriptors(content.get("layers")),
        manifests=_descriptors(content.get("manifests")),
        blobs=_descriptors(content.get("blobs")),
        subject=_descriptor(content.get("subject")),
        artifact_type=_word(content.get("artifactType")),
    )


def is_schema1(content_type: str | None) -> bool:
    """Whether a message calls its manifest one of schema 1, also where its body was not kept."""
    return _KINDS.get((content_type or "").partition(";")[0].strip().lower()) == "schema1"


def read_config(body: bytes | None) -> ImageConfig | None:
    """An image's configuration blob; None when the body is something else."""
    content = parse_json(body, LARGEST_MANIFEST)
    rootfs = content.get("rootfs") if isinstance(content, dict) else None
    if not isinstance(rootfs, dict):
        return None
    history = content.get("history")
    return ImageConfig(
        architecture=_word(content.get("architecture")),
        os=_word(content.get("os")),
        diff_ids=tuple(
            diff_id
            for diff_id in _list(rootfs.get("diff_ids"))
            if isinstance(diff_id, str) and is_digest(diff_id)
        ),
        history=len(history) if isinstance(history, list) else 0,
    )


def referenced(manifest: Manifest) -> tuple[Descriptor, ...]:
    """Everything that a manifest names, each digest once: config, layers, blobs, children, subject.

    The subject may be missing from the registry (distribution-spec "Pushing Manifests with
    Subject"); all else must be there before the manifest is.
    """
    named = (
        manifest.config,
        *manifest.layers,
        *manifest.blobs,
        *manifest.manifests,
        manifest.subject,
    )
    by_digest: dict[str, Descriptor] = {}
    for descriptor in named:
        if descriptor is not None:
            by_digest.setdefault(descriptor.digest, descriptor)
    return tuple(by_digest.values())


def digest_of(body: bytes, algorithm: str = "sha256") -> str | None:
    """``algorithm:hex`` of these bytes; None for an algorithm that isn't registered (image-spec).

    A schema 1 manifest's digest is of its unsigned part, so it is not this one.
    """
    if algorithm not in _ALGORITHMS:
        return None
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


def _shape(content: dict[str, Any]) -> str | None:
    return next((kind for key, kind in _SHAPES if isinstance(content.get(key), list)), None)


def _descriptors(value: Any) -> tuple[Descriptor, ...]:
    found = (_descriptor(entry) for entry in _list(value))
    return tuple(descriptor for descriptor in found if descriptor is not None)


def _descriptor(value: Any) -> Descriptor | None:
    digest = value.get("digest") if isinstance(value, dict) else None
    if not isinstance(digest, str) or not is_digest(digest):
        return None
    size, annotations, platform = (value.get(key) for key in ("size", "annotations", "platform"))
    names = annotations if isinstance(annotations, dict) else {}
    return Descriptor(
        digest=digest,
        media_type=_word(value.get("mediaType")),
        size=size if type(size) is int and 0 <= size <= _LARGEST_SIZE else None,
        platform=_platform(platform),
        os_version=_word(platform.get("os.version")) if isinstance(platform, dict) else None,
        annotations=tuple(name[:_LONGEST_WORD] for name in names)[:_MOST_DESCRIPTORS],
        data=isinstance(value.get("data"), str),
        urls=bool(_list(value.get("urls"))),
        artifact_type=_word(value.get("artifactType")),
    )


def _platform(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    os, architecture, variant = (_word(value.get(k)) for k in ("os", "architecture", "variant"))
    if os is None or architecture is None:
        return None
    return f"{os}/{architecture}/{variant}" if variant else f"{os}/{architecture}"


def _schema1_layers(content: dict[str, Any]) -> tuple[Descriptor, ...]:
    sums = (
        entry.get("blobSum") for entry in _list(content.get("fsLayers")) if isinstance(entry, dict)
    )
    return tuple(
        Descriptor(digest=digest, media_type=_SCHEMA1_LAYER)
        for digest in sums
        if isinstance(digest, str) and is_digest(digest)
    )


def _list(value: Any) -> list[Any]:
    return value[:_MOST_DESCRIPTORS] if isinstance(value, list) else []


def _word(value: Any) -> str | None:
    return value[:_LONGEST_WORD] if isinstance(value, str) and value else None
