"""A log is read as a stream: packed or not, long or damaged, in memory that does not grow."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.evidence import reading
from regtrace.evidence.dialects import MOST_LINE
from regtrace.evidence.reading import Count, Unreadable, Wanted, lines, opened

WANTED = Wanted(frozenset({b"/v2/a/manifests/1"}), (b"panic",), frozenset({b"an-id-of-mine"}))
HIT = b'x "GET /v2/a/manifests/1 HTTP/1.1" 500\n'


def found(log: bytes, wanted: Wanted = WANTED) -> tuple[list[tuple[int, bytes, bytes]], Count]:
    count = Count()
    return list(lines(io.BytesIO(log), wanted, count)), count


def test_only_the_lines_that_hold_what_is_wanted_are_given() -> None:
    log = b"one\n/v2/a/manifests/11\n" + HIT + b"a panic\nan-id-of-mine\n/v2/a/manifests/1?x=y\n"
    given, count = found(log)
    assert [number for number, _, _ in given] == [3, 4, 5, 6]
    assert given[0][1:] == (HIT[:-1], b"/v2/a/manifests/11")
    assert count.lines == 6


def test_a_line_that_holds_several_is_given_once() -> None:
    given, _ = found(HIT[:-1] + b" panic an-id-of-mine " + HIT + HIT)
    assert [number for number, _, _ in given] == [1, 2]


def test_the_last_line_needs_no_end() -> None:
    given, count = found(b"one\n" + HIT[:-1])
    assert [(number, line) for number, line, _ in given] == [(2, HIT[:-1])]
    assert count.lines == 2


@given(st.lists(st.sampled_from([HIT, b"other\n", b"\n", b"x" * 40 + b"\n"])), st.integers(8, 300))
def test_blocks_make_no_difference(log: list[bytes], block: int) -> None:
    whole, all_lines = found(b"".join(log))
    usual, reading._BLOCK = reading._BLOCK, block
    try:
        parts, counted = found(b"".join(log))
    finally:
        reading._BLOCK = usual
    assert [one[:2] for one in parts] == [one[:2] for one in whole]
    assert counted.lines == all_lines.lines == len(log)


def test_of_many_lines_those_of_another_time_are_not_read() -> None:
    """In UTC, told exactly; in a zone that is not known, by the minutes within a quarter."""
    early = b'/v2/a/manifests/1 "time":"2026-01-15T11:00:00Z"\n'
    log = early * 3_000 + early.replace(b"11:00", b"12:00")
    log += b"/v2/a/manifests/1 2026/01/15 14:30:00 x\n/v2/a/manifests/1 2026/01/15 14:31:00 x\n"
    log += b"/v2/a/manifests/1 no clock\n" + b"/v2/a/manifests/1 [15/Jan/2026:12:00:00 +0000]\n"
    noon = Wanted(WANTED.paths, minutes={29_474_640})
    given, count = found(log, noon)
    assert [number for number, _, _ in given][2_000:] == [3_001, 3_002, 3_004, 3_005]
    assert count.lines == 3_005


def test_megabyte_lines_are_passed_over_and_counted() -> None:
    long = b"/v2/a/manifests/1 " * 300_000 + b"\n"
    given, count = found(HIT + long + HIT + b"/v2/a/manifests/1 " + b"x" * MOST_LINE + b"\n" + HIT)
    assert [number for number, _, _ in given] == [1, 3, 5]
    assert (count.lines, count.too_long) == (5, 2)


def test_memory_does_not_grow_with_the_log() -> None:
    class Endless(io.RawIOBase):
        left = 60

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            return (b"other line of a log\n" * (size // 20)) if self.left > 0 else b""

    count = Count()
    tracemalloc.start()
    try:
        assert list(lines(Endless(), WANTED, count)) == []  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count.lines > 10_000_000
    assert peak < 40e6


@pytest.mark.parametrize(
    "pack",
    [lambda raw: raw, gzip.compress, bz2.compress, lzma.compress],
    ids=["", "gz", "bz2", "xz"],
)
def test_packed_logs(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "registry.log"
    path.write_bytes(pack(HIT * 3))
    with opened(str(path)) as stream:
        assert len(list(lines(stream, WANTED, Count()))) == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (gzip.compress(HIT * 100, mtime=0)[:40], "can't be unpacked"),
        (lzma.compress(HIT * 100)[:70], "can't be unpacked"),
        (b"\x1f\x8b\x08" + bytes(20), "can't be"),
        (bz2.compress(HIT * 100)[:40], "can't be unpacked"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "zstd -dc"),
    ],
)
def test_a_damaged_log_is_one_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "registry.log"
    path.write_bytes(content)

    def read() -> Iterator[object]:
        with opened(str(path)) as stream:
            yield from lines(stream, WANTED, Count())

    with pytest.raises(Unreadable, match=says):
        list(read())
