"""Which entries of an index a machine runs."""

from __future__ import annotations

import pytest

from regtrace.wire.manifest import Descriptor
from regtrace.wire.platform import fits, offered

DIGEST = "sha256:" + "0" * 64


def entry(platform: str | None) -> Descriptor:
    return Descriptor(digest=DIGEST, platform=platform)


@pytest.mark.parametrize(
    ("machine", "platform"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/amd64", "linux/amd64/v3"),
        ("linux/amd64", "linux/386"),
        ("linux/amd64", "linux/x86_64"),
        ("linux/arm64", "linux/arm64/v8"),
        ("linux/arm64", "linux/arm/v7"),
        ("linux/arm64", "linux/aarch64"),
        ("linux/arm", "linux/arm/v6"),
        ("windows/amd64", "windows/amd64"),
        ("linux/s390x", None),
    ],
)
def test_runs(machine: str, platform: str | None) -> None:
    assert fits(*machine.split("/"), entry(platform))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("machine", "platform"),
    [
        ("linux/amd64", "linux/arm64"),
        ("linux/arm64", "linux/amd64"),
        ("linux/386", "linux/amd64"),
        ("linux/arm", "linux/arm64/v8"),
        ("linux/amd64", "windows/amd64"),
        ("linux/amd64", "unknown/unknown"),
    ],
)
def test_does_not_run(machine: str, platform: str) -> None:
    assert not fits(*machine.split("/"), entry(platform))  # type: ignore[misc]


def test_attestations_are_not_offered() -> None:
    entries = [entry("linux/amd64"), entry("unknown/unknown"), entry(None), entry("linux/amd64")]
    assert offered(entries) == ("linux/amd64",)
