"""Manifests of every kind, what they name, and image configurations."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.manifest import (
    LARGEST_MANIFEST,
    Descriptor,
    ImageConfig,
    Manifest,
    digest_of,
    read_config,
    read_manifest,
    referenced,
)

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SIGNED_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def body(content: object) -> bytes:
    return json.dumps(content).encode()


def read(content_type: str | None, content: object) -> Manifest:
    manifest = read_manifest(content_type, body(content))
    assert manifest is not None
    return manifest


def entry(letter: str, **more: object) -> dict[str, object]:
    return {"mediaType": "application/x", "digest": digest(letter), "size": 7, **more}


IMAGE: dict[str, Any] = {
    "schemaVersion": 2,
    "mediaType": DOCKER_MANIFEST,
    "config": entry("c"),
    "layers": [entry("1"), entry("2")],
}


def test_a_docker_image() -> None:
    manifest = read(DOCKER_MANIFEST, IMAGE)
    assert manifest.kind == "image"
    assert manifest.media_type == manifest.body_media_type == DOCKER_MANIFEST
    assert manifest.schema_version == 2
    assert manifest.config == Descriptor(digest=digest("c"), media_type="application/x", size=7)
    assert [layer.digest for layer in manifest.layers] == [digest("1"), digest("2")]


def test_an_index_of_buildx_with_its_attestation() -> None:
    index = read(
        OCI_INDEX,
        {
            "schemaVersion": 2,
            "manifests": [
                entry("a", platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
                entry(
                    "b",
                    platform={"os": "windows", "architecture": "amd64", "os.version": "10.0.20348"},
                ),
                entry(
                    "d",
                    platform={"os": "unknown", "architecture": "unknown"},
                    annotations={"vnd.docker.reference.type": "attestation-manifest"},
                ),
            ],
        },
    )
    arm, windows, attestation = index.manifests
    assert index.kind == "index"
    assert index.body_media_type is None
    assert (arm.platform, arm.is_attestation) == ("linux/arm64/v8", False)
    assert (windows.platform, windows.os_version) == ("windows/amd64", "10.0.20348")
    assert (attestation.platform, attestation.is_attestation) == ("unknown/unknown", True)


def test_a_signed_schema_1_manifest() -> None:
    manifest = read(
        SIGNED_SCHEMA1 + "; charset=utf-8",
        {
            "schemaVersion": 1,
            "fsLayers": [{"blobSum": digest("2")}, {"blobSum": digest("1")}, {"blobSum": "x"}],
            "signatures": [{"protected": "made-up"}],
        },
    )
    assert manifest.kind == "schema1"
    assert manifest.media_type == SIGNED_SCHEMA1
    assert [layer.digest for layer in manifest.layers] == [digest("2"), digest("1")]
    assert manifest.layers[0].size is None


def test_an_artifact_with_a_subject() -> None:
    manifest = read(
        OCI_ARTIFACT,
        {"artifactType": "application/sbom", "blobs": [entry("b")], "subject": entry("5")},
    )
    assert manifest.kind == "artifact"
    assert manifest.artifact_type == "application/sbom"
    assert manifest.subject is not None
    assert [named.digest for named in referenced(manifest)] == [digest("b"), digest("5")]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"manifests": []}, "index"),
        ({"config": entry("c"), "layers": []}, "image"),
        ({"blobs": []}, "artifact"),
        ({"fsLayers": []}, "schema1"),
        ({"mediaType": DOCKER_LIST}, "index"),
    ],
)
@pytest.mark.parametrize("content_type", [None, "", "application/json", "text/plain"])
def test_the_body_tells_the_kind_when_the_header_does_not(
    content_type: str | None, content: object, kind: str
) -> None:
    assert read(content_type, content).kind == kind


def test_the_header_is_believed_before_the_body() -> None:
    manifest = read(OCI_INDEX, {**IMAGE, "manifests": [entry("a")]})
    assert manifest.kind == "index"
    assert manifest.media_type == OCI_INDEX
    assert manifest.body_media_type == DOCKER_MANIFEST


def test_foreign_and_inlined_blobs_are_marked_without_keeping_either() -> None:
    manifest = read(
        OCI_MANIFEST,
        {
            "layers": [
                entry("1", urls=["https://elsewhere.test/layer?key=made-up"]),
                entry("2", data="aGVsbG8=", annotations={"name": "made-up-value"}),
            ]
        },
    )
    foreign, inlined = manifest.layers
    assert (foreign.urls, foreign.data) == (True, False)
    assert (inlined.urls, inlined.data, inlined.annotations) == (False, True, ("name",))
    assert "made-up" not in repr(manifest)
    assert "aGVsbG8" not in repr(manifest)


def test_everything_that_a_manifest_names_once() -> None:
    manifest = read(OCI_MANIFEST, {**IMAGE, "layers": [entry("1"), entry("c"), entry("1")]})
    assert [named.digest for named in referenced(manifest)] == [digest("c"), digest("1")]


@pytest.mark.parametrize(
    "broken",
    [{}, {"digest": "sha256:short"}, {"digest": 7}, "text", None, [], {"digest": "x" * 10_000}],
)
def test_an_entry_without_a_readable_digest_is_left_out(broken: object) -> None:
    manifest = read(OCI_MANIFEST, {"config": broken, "layers": [broken, entry("1")]})
    assert manifest.config is None
    assert [layer.digest for layer in manifest.layers] == [digest("1")]


@pytest.mark.parametrize("size", [-1, True, "7", 1.5, None, 2**70, [7]])
def test_an_impossible_size_is_unknown(size: object) -> None:
    assert read(OCI_MANIFEST, {"layers": [entry("1", size=size)]}).layers[0].size is None


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"<html>Blocked by your administrator</html>",
        b"[]",
        b'"text"',
        b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}',
        b"[" * 100_000,
        b'{"layers":' * 50_000,
        b'{"layers":[]' + b" " * LARGEST_MANIFEST + b"}",
        b"\xff\xfe{\x00}\x00",
    ],
)
def test_what_is_no_manifest(content: bytes | None) -> None:
    assert read_manifest("application/json", content) is None
    assert read_config(content) is None


def test_a_configuration_without_its_secrets() -> None:
    config = read_config(
        body(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Env": ["TOKEN=made-up-secret"]},
                "rootfs": {"type": "layers", "diff_ids": [digest("1"), 7, digest("2")]},
                "history": [{"created_by": "ENV TOKEN=made-up-secret"}, {"empty_layer": True}],
            }
        )
    )
    assert config == ImageConfig(
        architecture="amd64", os="linux", diff_ids=(digest("1"), digest("2")), history=2
    )


def test_the_digest_of_a_body() -> None:
    empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest_of(b"{}") == empty
    assert digest_of(b"{}", "sha512") == "sha512:" + hashlib.sha512(b"{}").hexdigest()
    assert digest_of(b"{}", "md5") is None
    assert digest_of(b"{}", "shake_128") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
KEYS = ("mediaType", "config", "layers", "manifests", "fsLayers", "blobs", "subject", "rootfs")


@given(st.sampled_from([None, OCI_INDEX, OCI_MANIFEST, SIGNED_SCHEMA1]), st.binary())
def test_any_bytes_are_a_manifest_or_none(content_type: str | None, junk: bytes) -> None:
    assert isinstance(read_manifest(content_type, junk), Manifest | None)
    assert isinstance(read_config(junk), ImageConfig | None)


@given(st.text(), st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_json_is_a_manifest_or_none(content_type: str, content: object) -> None:
    manifest = read_manifest(content_type, body(content))
    assert isinstance(manifest, Manifest | None)
    assert manifest is None or isinstance(referenced(manifest), tuple)
    assert isinstance(read_config(body(content)), ImageConfig | None)
