"""Upload sessions: distribution's ``_state``, the dialects of Range, and session ids."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.exchange import Headers
from regtrace.wire.upload import (
    ByteRange,
    UploadState,
    is_dockers_range,
    read_range,
    read_state,
    session_id,
)
from regtrace.wire.url import Url, parse_url

MAC = bytes(range(200, 232))
UUID = "6e5a1f0c-6f3a-4c1f-9d52-3a3d0b6f8a11"


def packed(state: object, mac: bytes = MAC) -> str:
    return urlsafe_b64encode(mac + json.dumps(state).encode()).decode()


def said(**changes: object) -> dict[str, object]:
    state: dict[str, object] = {
        "Name": "team/app",
        "UUID": UUID,
        "Offset": 1024,
        "StartedAt": "2026-11-23T19:45:00.25Z",
    }
    return {**state, **changes}


def test_the_state_is_readable_without_the_registrys_secret() -> None:
    assert read_state(packed(said())) == UploadState("team/app", UUID, 1024, 1795463100.25)


def test_the_mac_is_not_kept() -> None:
    assert MAC.hex() not in repr(read_state(packed(said())))
    assert not hasattr(read_state(packed(said())), "__dict__")


def test_the_state_of_a_proxy_that_cuts_the_padding_is_still_readable() -> None:
    for name in ("a", "ab", "abc"):
        assert read_state(packed(said(Name=name)).rstrip("=")) is not None


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "not base64!",
        " " + packed(said())[1:],
        packed(said())[:50],
        packed(["a list"]),
        packed(said(Offset="1024")),
        packed(said(Offset=True)),
        packed(said(Offset=-1)),
        packed(said(UUID=None)),
        packed(said(Name="n" * 5000)),
        urlsafe_b64encode(MAC).decode(),
        urlsafe_b64encode(MAC + b"[" * 2000).decode(),
    ],
)
def test_what_is_no_state(value: str | None) -> None:
    assert read_state(value) is None


def test_an_unreadable_start_does_not_hide_the_offset() -> None:
    state = read_state(packed(said(StartedAt="soon")))
    assert state is not None
    assert (state.offset, state.started_at) == (1024, None)


@pytest.mark.parametrize(
    ("text", "expected", "size"),
    [
        ("0-0", ByteRange(0, 0), 1),
        ("0-1023", ByteRange(0, 1023), 1024),
        (" 0-1023 ", ByteRange(0, 1023), 1024),
        ("1024-2047", ByteRange(1024, 2047), 1024),
        ("bytes=0-1023", ByteRange(0, 1023), 1024),
        ("bytes=0--1", ByteRange(0, -1), 0),
        ("bytes 0-1023/4096", ByteRange(0, 1023), 1024),
        ("bytes 1024-2047/*", ByteRange(1024, 2047), 1024),
    ],
)
def test_every_dialect_of_a_range(text: str, expected: ByteRange, size: int) -> None:
    assert read_range(text) == expected
    assert expected.size == size


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0",
        "1023",
        "5-3",
        "5--1",
        "-5",
        "bytes */4096",
        "0-1,2-3",
        "\u0660-\u0661",
        "0-" * 99,
    ],
)
def test_what_is_no_range(text: str | None) -> None:
    assert read_range(text) is None


@pytest.mark.parametrize(
    ("text", "goes_on"),
    [("0-1023", True), ("0-0", True), ("bytes=0-1023", False), ("", False), (None, False)],
)
def test_docker_reads_a_range_in_one_form_only(text: str | None, goes_on: bool) -> None:
    assert is_dockers_range(text) is goes_on


@pytest.mark.parametrize(
    ("url", "headers", "expected"),
    [
        (f"https://r.test/v2/team/app/blobs/uploads/{UUID}?_state=x", {}, UUID),
        (f"https://r.test/v2/team/app/blobs/uploads/{UUID}/", {}, UUID),
        ("https://eu-docker.pkg.dev/artifacts-uploads/namespaces/p/uploads/AF2a-b", {}, "AF2a-b"),
        ("https://r.test/v2/team/app/blobs/uploads/", {"Docker-Upload-UUID": UUID}, UUID),
        (f"https://r.test/v2/a/blobs/uploads/{UUID}", {"docker-upload-uuid": "other"}, "other"),
        ("https://r.test/v2/team/app/blobs/uploads/", {}, None),
        ("https://r.test/v2/uploads/blobs/uploads/", {}, None),
        ("https://r.test/v2/team/app/manifests/v1", {}, None),
        ("https://r.test/", {}, None),
    ],
)
def test_the_session_of_an_upload(url: str, headers: dict[str, str], expected: str | None) -> None:
    parsed = parse_url(url)
    assert parsed is not None
    assert session_id(parsed, Headers(headers.items())) == expected


@given(st.text() | st.binary().map(lambda junk: urlsafe_b64encode(MAC + junk).decode()))
def test_any_text_is_a_state_or_none(text: str) -> None:
    assert isinstance(read_state(text), UploadState | None)


@given(st.text() | st.from_regex(r"(bytes[= ])?[0-9-]*/?[0-9*]*"))
def test_any_text_is_a_range_or_none(text: str) -> None:
    assert isinstance(read_range(text), ByteRange | None)


@given(st.text(), st.text())
def test_any_path_has_a_session_or_none(path: str, header: str) -> None:
    url = Url("https", "r.test", 443, path)
    assert isinstance(session_id(url, Headers([("Docker-Upload-UUID", header)])), str | None)
