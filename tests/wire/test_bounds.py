"""However long what a stranger sends, a leg's cost grows no faster than its length.

Eight times the length may cost eight times the time; a quadratic decoder would take 64. Between
lies a margin that a busy machine does not use up.
"""

from __future__ import annotations

import gzip
import json
from time import process_time

import pytest
from jwts import jwt

from regtrace.wire.decode import Role, decode
from regtrace.wire.exchange import Body, Exchange, Headers, Request, Response
from regtrace.wire.jsontext import MOST_VALUES, parse_json
from regtrace.wire.leg import Kind

SMALL, LARGE = 16_000, 128_000
MARGIN = 4

#: Seconds that any leg may take; below them a ratio says nothing.
NOISE = 0.02

HEADERS = """
WWW-Authenticate Location Content-Type Content-Encoding Server Via Docker-Upload-UUID
Docker-Content-Digest X-JFrog-Version User-Agent Authorization x-ms-error-code
""".split()
UNITS = ["a", "a,", "a=", '"\\', 'a="b",', "/..", "(", "a b ", "a/1 ", "%41", "<", "==", "é", "."]
CONTENTS = [
    b"[",
    b'{"a":',
    b"1,",
    b"1.5,",
    b'"a",',
    b"9",
    b"\\ud800",
    b"\\n",
    b"<a>",
    b"<Error>",
    b"<!--",
    b"<title",
    b"<center>",
    b"(squid/",
    b"scope=a:b:c ",
    b"&",
    b"%",
    b"\xff",
    b" ",
]
TARGETS = ["/v2", "/blobs", "/a", "/..", "/.", "%2e", "/docker/registry/v2/blobs", "?&", "?a=b&"]


def cost(exchange: Exchange) -> float:
    """Seconds of the processor, the best of three, in whatever role is the dearest."""

    def once(role: Role | None) -> float:
        began = process_time()
        decode(exchange, role)
        return process_time() - began

    return max(min(once(role) for _ in range(3)) for role in (None, *Role))


def exchange(
    method: str = "POST",
    target: str = "/v2/x/blobs/uploads/",
    *,
    headers: Headers | None = None,
    sent: bytes = b"",
    answer: bytes = b"",
    status: int = 401,
) -> Exchange:
    return Exchange(
        id="1",
        request=Request(
            method=method,
            scheme="https",
            host="registry.test",
            port=443,
            target=target,
            headers=headers or Headers(),
            body=Body.of(sent),
        ),
        response=Response(status=status, headers=headers or Headers(), body=Body.of(answer)),
    )


def assert_grows_with_its_length(small: Exchange, large: Exchange) -> None:
    bound = MARGIN * LARGE / SMALL * cost(small) + NOISE
    assert cost(large) < bound


@pytest.mark.parametrize("unit", UNITS)
def test_long_header_lines(unit: str) -> None:
    small, large = (
        exchange(headers=Headers((name, unit * (size // len(unit))) for name in HEADERS))
        for size in (SMALL, LARGE)
    )
    assert_grows_with_its_length(small, large)


def test_many_header_lines() -> None:
    small, large = (
        exchange(headers=Headers(("WWW-Authenticate", "Bearer realm=x") for _ in range(size // 8)))
        for size in (SMALL, LARGE)
    )
    assert_grows_with_its_length(small, large)


@pytest.mark.parametrize("unit", CONTENTS)
@pytest.mark.parametrize(
    ("line", "content_type"),
    [
        ("PUT /v2/x/manifests/1", "application/json"),
        ("GET https://s3.test/x", "application/xml"),
        ("POST /token", "application/x-www-form-urlencoded"),
    ],
)
def test_long_bodies(unit: bytes, line: str, content_type: str) -> None:
    method, _, target = line.partition(" ")
    headers = Headers([("Content-Type", content_type)])
    small, large = (
        exchange(method, target, headers=headers, sent=content, answer=content, status=403)
        for content in (unit * (size // len(unit)) for size in (SMALL, LARGE))
    )
    assert_grows_with_its_length(small, large)


@pytest.mark.parametrize("unit", TARGETS)
def test_long_targets(unit: str) -> None:
    small, large = (
        exchange("GET", "/v2/x" + unit * (size // len(unit))) for size in (SMALL, LARGE)
    )
    assert_grows_with_its_length(small, large)


def test_a_million_scopes() -> None:
    scopes = "repository:x:pull " * 1_000_000
    header = Headers([("WWW-Authenticate", f'Bearer realm="x",scope="{scopes}"')])
    assert cost(exchange("GET", "/v2/", headers=header)) < 5 * NOISE
    form = Headers([("Content-Type", "application/x-www-form-urlencoded")])
    body = b"grant_type=password&service=r&scope=" + scopes.encode()
    assert cost(exchange("POST", "/token", headers=form, sent=body)) < 5 * NOISE
    query = "/token?service=r" + "&scope=repository:x:pull" * 1_000_000
    assert cost(exchange("GET", query)) < 5 * NOISE


def test_a_token_that_grants_everything_to_everybody() -> None:
    access = [{"type": "repository", "name": "x", "actions": ["pull"]}] * 100_000
    reply = json.dumps({"token": jwt({"access": access})}).encode()
    assert cost(exchange("GET", "/", answer=reply, status=200)) < 5 * NOISE


@pytest.mark.parametrize("content", [b" ", b"<", b"[", b'{"a":'])
def test_a_bomb_is_not_unpacked(content: bytes) -> None:
    packed = Headers([("Content-Encoding", "gzip"), ("Content-Type", "text/html")])
    bomb = gzip.compress(content * (32_000_000 // len(content)), 1)
    for status in (200, 500):
        leg = exchange("GET", "/v2/x/manifests/1", headers=packed, answer=bomb, status=status)
        assert cost(leg) < 5 * NOISE


def test_a_layer_that_was_kept_is_not_looked_at() -> None:
    layer = bytes(64_000_000)
    leg = exchange("PATCH", "/v2/x/blobs/uploads/u", sent=layer, answer=layer, status=500)
    assert decode(leg).kind is Kind.UPLOAD_CHUNK
    assert cost(leg) < 5 * NOISE


def test_a_text_of_too_many_values_is_not_parsed() -> None:
    fits = b"[" + b"1," * (MOST_VALUES - 2) + b"1]"
    assert len(parse_json(fits, 10**7)) == MOST_VALUES - 1
    assert parse_json(fits[:-2] + b"1,1,1]", 10**7) is None
