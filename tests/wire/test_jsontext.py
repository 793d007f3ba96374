"""JSON from strangers: bounded, finite, and fit to be written again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.jsontext import parse_json


def test_json_from_a_stranger_can_always_be_written_again() -> None:
    hostile = b'{"a":"\\ud800","n":NaN,"i":1e999,"big":' + b"9" * 100_000 + b"}"
    assert parse_json(hostile, 1_000_000) == {"a": "?", "n": None, "i": None, "big": None}
    assert parse_json(b'"\\ud83d\\ude00"', 100) == "\N{GRINNING FACE}"
    assert parse_json(b'\xef\xbb\xbf{"bom":1}', 100) == {"bom": 1}


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[" * 100_000, b'{"a":' * 50_000, b"{}" + b" " * 1000, b"\xff{}"],
    ids=["none", "empty", "cut", "deep-list", "deep-object", "over-the-limit", "no-text"],
)
def test_what_is_no_json(content: bytes | None) -> None:
    limit = 1000 if content and content.startswith(b"{}") else 1_000_000
    assert parse_json(content, limit) is None


@given(st.binary() | st.text().map(lambda text: json.dumps(text).encode()))
def test_any_bytes_are_plain_data_or_none(content: bytes) -> None:
    json.dumps(parse_json(content, 1_000_000), ensure_ascii=False, allow_nan=False).encode()
