"""Lists of tags, whatever a registry makes of them."""

from __future__ import annotations

import gzip

import pytest

from regtrace.wire.exchange import Body, Headers, Response
from regtrace.wire.lists import read_tags


def read(content: bytes | None, **headers: str) -> tuple[str, ...] | None:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    body = Body.of(content) if content is not None else Body.unrecorded()
    return read_tags(Response(status=200, headers=Headers(fields), body=body))


@pytest.mark.parametrize(
    ("content", "tags"),
    [
        (b'{"name":"a","tags":["1",""]}', ("1", "")),
        (b'{"name":"a","tags":null}', ()),
        (b'{"name":"a","tags":[1,null,"x"]}', ("x",)),
        (b'{"name":"a"}', None),
        (b"[]", None),
        (b"<html>", None),
        (b"", None),
        (None, None),
    ],
)
def test_read(content: bytes | None, tags: tuple[str, ...] | None) -> None:
    assert read(content) == tags


def test_packed_and_endless() -> None:
    assert read(gzip.compress(b'{"tags":["1"]}'), Content_Encoding="gzip") == ("1",)
    endless = b'{"tags":[' + b'"x",' * 50_000 + b'"x"]}'
    assert len(read(endless) or ()) == 10_000
