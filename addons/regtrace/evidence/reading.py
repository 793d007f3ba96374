"""Reads the lines of a log that may matter, as a stream: a gigabyte costs seconds, and no memory.

A log is read in blocks. Each is searched for what the lines that are wanted must hold (a path, an
id, a phrase), as bytes; only the lines around what was found are looked at.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import sys
import zlib
from collections.abc import Iterator, Set
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timezone
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

from regtrace.evidence.dialects import MOST_LINE

_BLOCK = 4 * 1024 * 1024
#: The path of a request to a registry; what may end it is not in it.
_V2 = re.compile(rb"/v2/[\w./:@%~+-]{0,2000}")
_ZSTD = b"\x28\xb5\x2f\xfd"
#: Ids that are searched for one by one: more would make the search slow.
_MOST_IDS = 8
_CLOCK = re.compile(rb"\d\d:(\d\d):\d\d")
#: Of a line whose zone is UTC: up to the minute.
_UTC = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d):\d\d(?:\.\d{1,9})?Z"
    rb"|(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d):\d\d \+0000\]"
)
#: Lines that are looked at whatever their time, so that a log of another day can be told.
_FIRST = 2_000
#: Lines before a wanted one that may belong to it, in bytes.
_BACK = 8 * 1024


class Unreadable(Exception):
    """A log that can't be opened or unpacked: what, and what to do."""


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The log at this path, unpacked; ``-`` is standard input. Raises Unreadable."""
    try:
        with _raw(path) as raw:
            head = raw.peek(6)[:6]
            if head.startswith(_ZSTD):
                raise Unreadable("is packed with zstd; give its text: zstd -dc FILE | … -")
            yield _unpacked(raw, head)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as fault:
        raise Unreadable(f"can't be unpacked: {fault}") from None
    except OSError as fault:
        raise Unreadable(f"can't be read: {fault.strerror or 'its packing is damaged'}") from None


def _raw(path: str) -> AbstractContextManager[BufferedReader]:
    if path != "-":
        return Path(path).open("rb")
    stream = sys.stdin.buffer
    return nullcontext(
        stream if isinstance(stream, BufferedReader) else BufferedReader(cast(RawIOBase, stream))
    )


def _unpacked(raw: BinaryIO, head: bytes) -> BinaryIO:
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if head.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(raw))
    if head.startswith(b"\xfd7zXZ\0"):
        return cast(BinaryIO, lzma.LZMAFile(raw))
    return raw


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a line must hold to be looked at."""

    paths: Set[bytes]
    """Of requests to registries, from ``/v2/`` on."""
    phrases: tuple[bytes, ...] = ()
    """Anything else: other paths, words."""
    ids: Set[bytes] = frozenset()
    minutes: Set[int] | None = None
    """The minutes, since 1970, in which any request that matters may have been logged; None: in
    any."""


@dataclass(slots=True)
class Count:
    """What became of the lines of one log."""

    lines: int = 0
    looked_at: int = 0
    """Lines that hold what is wanted."""
    too_long: int = 0
    """Lines that may have mattered, and are longer than any of these programs writes."""
    unreadable: int = 0
    joined: int = 0
    ambiguous: list[int] = field(default_factory=list)
    """Numbers of the lines that fit several legs alike."""
    missed: list[float] = field(default_factory=list)
    """Seconds by which lines with the path of a leg lie beside it in time."""


def lines(stream: BinaryIO, wanted: Wanted, count: Count) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, the line, and the line before it, of each that holds what is wanted."""
    carry = last = b""
    skipping = False
    while block := stream.read(_BLOCK):
        if skipping:
            end = block.find(b"\n")
            if end < 0:
                continue
            block, skipping = block[end + 1 :], False
        whole = carry + block
        cut = whole.rfind(b"\n") + 1
        if not cut and len(whole) > MOST_LINE:
            count.lines += 1
            count.too_long += bool(_places(whole, wanted))
            carry, skipping = b"", True
            continue
        yield from _in_block(whole[:cut], wanted, count, last)
        last = whole[whole.rfind(b"\n", max(0, cut - _BACK), max(0, cut - 1)) + 1 : cut][:_BACK]
        carry = whole[cut:]
        if len(carry) > MOST_LINE:
            count.lines += 1
            count.too_long += bool(_places(carry, wanted))
            carry, skipping = b"", True
    if carry:
        yield from _in_block(carry, wanted, count, last)


def _in_block(
    block: bytes, wanted: Wanted, count: Count, last: bytes
) -> Iterator[tuple[int, bytes, bytes]]:
    counted, done = 0, -1
    then = _Then.of(wanted.minutes)
    for found in _places(block, wanted):
        if found < done:
            continue  # the same line
        start = block.rfind(b"\n", 0, found) + 1
        end = block.find(b"\n", found)
        done = end = end if end >= 0 else len(block)
        count.lines += block.count(b"\n", counted, start)
        counted = start
        if end - start > MOST_LINE:
            count.too_long += 1
            continue
        count.looked_at += 1
        if count.looked_at > _FIRST and then and not then.may_be(block[start:end]):
            continue
        back = block.rfind(b"\n", max(0, start - 1 - _BACK), max(0, start - 1)) + 1
        before = block[back : start - 1] if start else last
        yield count.lines + 1, block[start:end], before
    count.lines += block.count(b"\n", counted)
    if block and not block.endswith(b"\n"):
        count.lines += 1


@dataclass(frozen=True, slots=True)
class _Then:
    """Whether a line may be of these minutes, by its bytes: far cheaper than to read it."""

    written: Set[bytes]
    """The minutes as they are written in UTC."""
    within: Set[int]
    """Within a quarter of an hour: zones differ by whole ones."""

    @classmethod
    def of(cls, minutes: Set[int] | None) -> _Then | None:
        if minutes is None:
            return None
        moments = [datetime.fromtimestamp(60 * each, tz=timezone.utc) for each in minutes]
        forms = ("%Y-%m-%dT%H:%M", "%d/%b/%Y:%H:%M")
        written = {moment.strftime(form).encode() for moment in moments for form in forms}
        return cls(written, {each % 15 for each in minutes})

    def may_be(self, line: bytes) -> bool:
        """Lines without a clock may be of any time."""
        in_utc = _UTC.findall(line)
        if in_utc:
            return any((iso or clf) in self.written for iso, clf in in_utc)
        clocks = _CLOCK.findall(line)
        return not clocks or any(int(minute) % 15 in self.within for minute in clocks)


def _places(block: bytes, wanted: Wanted) -> list[int]:
    """Where something wanted stands, in order."""
    places: list[int] = []
    if wanted.paths:
        paths = wanted.paths
        places += [match.start() for match in _V2.finditer(block) if match[0] in paths]
    for phrase in (*wanted.phrases, *sorted(wanted.ids)[:_MOST_IDS]):
        at = block.find(phrase)
        while at >= 0:
            places.append(at)
            end = block.find(b"\n", at)
            at = block.find(phrase, end) if end >= 0 else -1
    places.sort()
    return places
