"""The registry's log is joined to the legs that it speaks of, and to no others."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from regtrace.evidence.registry_log import join, read_line
from regtrace.wire.decode import decode
from regtrace.wire.leg import Leg
from regtrace.wire.notation import BEGINNING, read_notation

CAPTURES = Path(__file__).parents[2] / "captures"

STORY = """
client docker/20.10.24
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN "unknown error"
+5s POST uploads             -> 500 UNKNOWN "unknown error"
POST uploads                 -> 202
"""


def legs(story: str = STORY) -> list[Leg]:
    return [decode(exchange) for exchange in read_notation(story)]


def line(time: str, *, uri: str = "/v2/team/app/blobs/uploads/", **more: object) -> bytes:
    content = {
        "err.code": "unknown",
        "err.message": "unknown error",
        "err.detail": "s3aws: SignatureDoesNotMatch: the key is wrong",
        "http.request.method": "POST",
        "http.request.uri": uri,
        "http.request.id": "1de353ad-74a3-432e-9211-838fd44d8e35",
        "time": time,
        **more,
    }
    return json.dumps(content).encode() + b"\n"


def second(offset: float) -> str:
    """A moment of the story, as distribution writes it."""
    whole = int(BEGINNING + offset) % 60
    return f"2026-01-15T12:00:{whole:02d}.1234567Z"


def test_a_line_goes_to_the_leg_that_it_was_written_for() -> None:
    told = legs()
    joined = join([line(second(0)), line(second(5))], told)
    assert list(joined) == [told[1].id, told[2].id]
    assert joined[told[1].id].said == (
        "unknown: unknown error: s3aws: SignatureDoesNotMatch: the key is wrong"
    )


def test_the_registrys_clock_may_be_wrong() -> None:
    """Its own Date header says by how much."""
    told = legs(STORY.replace("-> 500", "clock=+20s -> 500", 1))
    assert list(join([line(second(20))], told)) == [told[1].id]


def test_a_line_that_fits_two_legs_goes_to_none() -> None:
    told = legs(STORY.replace("+5s ", ""))
    assert join([line(second(0))], told) == {}


def test_lines_of_other_requests_go_nowhere() -> None:
    told = legs()
    others = [
        line(second(0), uri="/v2/other/app/blobs/uploads/"),
        line("2026-01-15T13:00:00Z"),
        line(second(0), **{"http.request.method": "GET"}),
    ]
    assert join(others, told) == {}


def test_a_prefix_of_the_log_collector_does_no_harm() -> None:
    assert read_line(b"registry-1  | " + line(second(0))) is not None


def test_what_is_no_such_line_is_passed_over() -> None:
    log = (CAPTURES / "docker-push-s3-403.registry.log").read_bytes().splitlines(keepends=True)
    assert len(log) > 10
    assert [read_line(raw) for raw in log if b'"err.code"' not in raw].count(None) >= 10


def test_a_real_log_names_a_real_refusal() -> None:
    log = (CAPTURES / "skopeo-push-ok.registry.log").read_bytes().splitlines()
    said = [found.said for raw in log if (found := read_line(raw))]
    assert said
    assert all(text.startswith("blob unknown: blob unknown to registry") for text in said)


@given(st.binary(max_size=300))
def test_any_bytes_are_read(raw: bytes) -> None:
    read_line(raw)
    read_line(b'{"err.code": ' + raw)
    read_line(line(second(0)) + raw)
