"""What the client printed is joined to the leg that made it print so, or to none."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from regtrace.evidence.client_log import ClientJoin, ClientMessage, read_messages
from regtrace.wire.decode import decode
from regtrace.wire.leg import Leg
from regtrace.wire.notation import read_notation

STORY = """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 413 nginx
POST uploads                 -> 202
PATCH u2 L2                  -> 202
PUT u2 L2                    -> 201
HEAD blob L2                 -> 307 s3
HEAD s3 L2                   -> 403
"""


def legs(story: str = STORY) -> list[Leg]:
    return [decode(exchange) for exchange in read_notation(story)]


def one(text: str, told: list[Leg]) -> ClientMessage:
    (message,) = ClientJoin(told).read(io.BytesIO(text.encode()), "push.log")
    return message


def test_by_its_status() -> None:
    told = legs()
    message = one(
        'first\nerror parsing HTTP 403 response body: unexpected end of JSON input: ""', told
    )
    assert message.leg == told[-1].id
    assert (message.file, message.line, message.joined_by) == ("push.log", 2, "its status")


def test_by_its_url() -> None:
    told = legs()
    url = f"{told[3].url.origin}{told[3].url.path}?_state=REDACTED"
    message = one(f'ERRO[0003] failed to do request: Patch "{url}": EOF', told)
    assert (message.leg, message.joined_by) == (told[3].id, "its URL")


def test_by_the_words_of_the_answer() -> None:
    told = legs(
        "client docker/20.10.24\nGET /v2/ -> 401\ntoken pull team/app -> 200\n"
        "GET manifest 1 -> 404 MANIFEST_UNKNOWN"
    )
    message = one("manifest for registry.test/team/app:1 not found: manifest unknown: x", told)
    assert (message.leg, message.joined_by) == (told[2].id, "the words of the answer")


def test_what_fits_several_requests_is_joined_to_none() -> None:
    told = legs(STORY.replace("-> 307 s3\nHEAD s3 L2                   -> 403", "-> 413 nginx"))
    message = one("received unexpected HTTP status: 413 Request Entity Too Large", told)
    assert (message.leg, message.joined_by) == (None, "it fits several legs alike")
    assert one("toomanyrequests: slow down", told).leg is None


def test_a_logger_s_line_and_a_progress_bar() -> None:
    told = legs()
    assert (
        one('time="2026-11-24T05:14:18Z" level=fatal msg="x: StatusCode: 413, <html>"', told).leg
        == told[3].id
    )
    assert one("\x1b[2K layer: uploading\rctr: unexpected status: 403 Forbidden", told).said == (
        "ctr: unexpected status: 403 Forbidden"
    )


def test_a_countdown_is_one_message() -> None:
    text = "".join(f"e2e27883528d: Retrying in {n} seconds\n" for n in (5, 4, 3, 2, 1))
    assert len(read_messages(io.BytesIO(text.encode()))) == 1


def test_hostile_output() -> None:
    assert read_messages(io.BytesIO(b"\x00" * 5_000_000)) == []
    long = b"denied: requested access to the resource is denied " * 100_000
    (message,) = ClientJoin(legs()).read(io.BytesIO(long), "-")
    assert len(message.said) < 1_000
    many = b"".join(b"%d: no basic auth credentials\n" % n for n in range(10_000))
    assert len(read_messages(io.BytesIO(many))) == 100


@given(st.binary(max_size=400))
def test_any_bytes_are_read(raw: bytes) -> None:
    ClientJoin(legs()).read(io.BytesIO(raw + b" unauthorized: authentication required " + raw), "-")
