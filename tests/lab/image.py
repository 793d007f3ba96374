"""Makes tiny images as docker archives, which every client here can load, and indexes for skopeo.

The same seed gives the same bytes, and so the same digests.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_OCI = "application/vnd.oci.image"


def make(path: Path, reference: str, seed: str, layers: int, size: int) -> None:
    """Write an image of so many layers of so many random bytes under the given `name:tag`."""
    blobs = _layers(seed, layers, size)
    names = [f"layer-{number}/layer.tar" for number in range(layers)]
    manifest = [{"Config": "config.json", "RepoTags": [reference], "Layers": names}]
    files = {
        "config.json": _config("amd64", blobs),
        "manifest.json": json.dumps(manifest).encode(),
        **dict(zip(names, blobs, strict=True)),
    }
    path.write_bytes(_tar(files))


def make_index(path: Path, seed: str, layers: int, size: int, platforms: Sequence[str]) -> None:
    """Write an index of one image for each platform, as the OCI image layout has it."""
    layout = _Layout()
    images = []
    for platform in platforms:
        blobs = _layers(f"{seed} {platform}", layers, size)
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": layout.add(f"{_OCI}.config.v1+json", _config(platform, blobs)),
            "layers": [layout.add(f"{_OCI}.layer.v1.tar", blob) for blob in blobs],
        }
        descriptor = layout.add(f"{_OCI}.manifest.v1+json", _json(manifest))
        images.append({**descriptor, "platform": {"architecture": platform, "os": "linux"}})
    index = layout.add(f"{_OCI}.index.v1+json", _json(_index(images)))
    layout.files["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    layout.files["index.json"] = _json(_index([index]))
    path.write_bytes(_tar(layout.files))


class _Layout:
    """The files of an OCI image layout."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def add(self, media_type: str, blob: bytes) -> dict[str, Any]:
        """Put a blob in; returns its descriptor."""
        digest = hashlib.sha256(blob).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = blob
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(blob)}


def _index(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": manifests}


def _config(architecture: str, layers: list[bytes]) -> bytes:
    return _json(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "2024-01-01T00:00:00Z",
            "config": {},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(blob).hexdigest()}" for blob in layers],
            },
            "history": [{"created_by": "lab"} for _ in layers],  # schema 1 wants one per layer
        }
    )


def _layers(seed: str, count: int, size: int) -> list[bytes]:
    generator = random.Random(seed)
    return [_layer(number, generator.randbytes(size)) for number in range(count)]


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()


def _layer(number: int, content: bytes) -> bytes:
    return _tar({f"file-{number}": content})


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
