"""Reading a saved capture, mitmproxy's own or a HAR file, exchange by exchange.

A capture that ends in the middle is read up to there. mitmproxy's format has no mark from which
reading could go on behind damage.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import shlex
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mitmproxy import http
from mitmproxy.io.har import request_to_flow

from regtrace.proxy.flows import exchange_of, notes_of
from regtrace.proxy.saved import saved_flows, saved_states
from regtrace.report.model import Damage, NotSeen
from regtrace.report.visible import visible
from regtrace.wire.exchange import Exchange

#: What a HAR file can't say, for the report.
HAR_LACKS = NotSeen(
    "connections, tunnels that failed, and bodies byte by byte",
    "a HAR file does not record them",
    "digests of bodies are not checked; record with mitmdump -w for all of it",
)
#: What a capture of mitmproxy alone can't say.
PLAIN_LACKS = NotSeen(
    "tunnels and TLS handshakes that failed, and digests of bodies that were streamed",
    "mitmproxy recorded this capture without regtrace",
    "who got no further than a tunnel left nothing in it; record with regtrace loaded",
)
#: Bytes at the beginning by which a foreign file is recognised.
_EDGE = 512
#: Bytes after which it is told how far reading is.
_TELLING = 256 * 1024
#: Bytes that are asked for at once.
_STEP = 1024 * 1024
_FOREIGN = (
    (b"\x1f\x8b", "is compressed; unpack it first: gunzip -c {path} | regtrace report -"),
    (b"\x28\xb5\x2f\xfd", "is compressed; unpack it first: zstd -dc {path} | regtrace report -"),
    (b"\xfd7zXZ", "is compressed; unpack it first: xz -dc {path} | regtrace report -"),
    (b"BZh", "is compressed; unpack it first: bzip2 -dc {path} | regtrace report -"),
    (b"PK\x03\x04", "is a ZIP archive; unpack it first, and name a capture in it"),
)
_PACKETS = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\n\r\r\n")
_EXPECTED = "expected a file that mitmdump -w wrote, or a .har file"


class Unreadable(Exception):
    """A capture of which nothing can be read. The message names it, what is wrong, what to do."""


@dataclass(slots=True)
class Reader:
    """The exchanges of one capture; after reading, the fields say how it went."""

    path: str
    stream: BinaryIO
    advance: Callable[[int], None] | None = None
    """Told how many bytes have been read."""
    damage: Damage | None = None
    is_har: bool = False
    is_plain: bool = False
    """mitmproxy recorded it without regtrace."""

    def lacks(self) -> list[NotSeen]:
        """What can't be in a capture of this kind, for the report."""
        return [HAR_LACKS] * self.is_har + [PLAIN_LACKS] * self.is_plain

    def __iter__(self) -> Iterator[Exchange]:
        """Raises Unreadable when there is nothing to read."""
        counted = _Counted(self.stream)
        try:
            yield from self._read(counted)
        finally:
            counted.detach()

    def _read(self, counted: _Counted) -> Iterator[Exchange]:
        whole = told = 0
        first = b""
        seen = noted = False
        try:
            first = counted.peek(_EDGE)[:_EDGE]
            if not first:
                raise Unreadable(
                    f"{_named(self.path)}: is empty; was the proxy stopped before any traffic?"
                )
            self.is_har = first.removeprefix(b"\xef\xbb\xbf").startswith(b"{")
            for item in _har(counted) if self.is_har else saved_flows(counted):
                if item is not None:
                    seen, noted = True, noted or bool(notes_of(item))
                    yield exchange_of(item)
                whole = counted.position
                if self.advance and whole - told >= _TELLING:
                    told = whole
                    self.advance(whole)
        except Unreadable:
            raise
        except Exception as fault:
            # Whatever a stranger's bytes make of mitmproxy's reader, they are what is broken.
            if not whole:
                raise Unreadable(_foreign(self.path, first, counted.position, fault)) from fault
            self.damage = Damage(whole, _reason(fault))
        self.is_plain = seen and not (noted or self.is_har or self.damage)


def flow_states(stream: BinaryIO, *, is_har: bool) -> Iterator[dict[str, Any]]:
    """All that is known of each HTTP flow, as mitmproxy keeps it, up to where the file breaks."""
    if not is_har:
        yield from saved_states(stream)
        return
    with contextlib.suppress(ValueError, TypeError, LookupError, AttributeError):
        for made in _har(stream):
            yield made.get_state()


def open_capture(path: str) -> BinaryIO:
    """The file, opened; ``-`` is standard input. Raises Unreadable with what to do."""
    if path == "-":
        if sys.stdin is None:
            raise Unreadable("standard input: is closed; name a capture file")
        return sys.stdin.buffer
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise Unreadable(f"{_named(path)}: no such file; check the path") from None
    except IsADirectoryError:
        raise Unreadable(f"{_named(path)}: is a directory; name a capture file in it") from None
    except PermissionError:
        raise Unreadable(f"{_named(path)}: you may not read it; change its mode or owner") from None
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise Unreadable(f"{_named(path)}: can't be read: {reason}") from None


def _har(stream: BinaryIO) -> Iterator[http.HTTPFlow]:
    """The flows of a HAR file. mitmproxy's own reader gives up on exports of mitmproxy's own that
    hold a streamed upload, so the entries are read one by one."""
    content = stream.read()
    log = json.loads(content.decode("utf-8-sig"))["log"]
    file = hashlib.sha256(content).hexdigest()
    for number, entry in enumerate(log["entries"], 1):
        try:
            if entry["request"].get("postData", {}).get("text") is None:
                entry["request"].pop("postData", None)
            content = entry["response"]["content"]
            if content.get("text") is None:
                content.pop("text", None)
            made = request_to_flow(entry)
            if made.response and not content.get("text"):
                made.response.raw_content = b""  # packed anew, nothing has become something
            _set_times(made, entry)
        except Exception as fault:
            raise ValueError(f"entry {number} can't be read: {type(fault).__name__}") from fault
        # The same each time that the file is read.
        made.id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{file} {number}"))
        yield made


def _set_times(flow: http.HTTPFlow, entry: Mapping[str, Any]) -> None:
    """When the request was sent and the answer began; mitmproxy lets both take all of the time.

    ``timings`` are milliseconds, -1 where a phase did not happen (HAR 1.2, timings). Without them
    the answer is as if it came at the end: it can't have begun before the request was sent.
    """
    said = entry.get("timings") or {}
    receive = min(max(said.get("receive") or 0, 0), max(entry["time"], 0)) / 1000
    wait = max(said.get("wait") or 0, 0) / 1000
    if flow.response and flow.response.timestamp_end is not None:
        began = flow.response.timestamp_end - receive
        flow.response.timestamp_start = began
        flow.request.timestamp_end = max(began - wait, flow.request.timestamp_start)


class _Counted(io.BufferedReader):
    """A stream that knows how far it was read, also when it can't seek."""

    def __init__(self, raw: Any) -> None:
        super().__init__(raw)
        self.position = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """In steps: a broken length may ask for more than the machine has."""
        if size is not None and 0 <= size <= _STEP:
            data = super().read(size)
            self.position += len(data)
            return data
        pieces = []
        left = sys.maxsize if size is None or size < 0 else size
        while left and (piece := super().read(min(left, _STEP))):
            pieces.append(piece)
            left -= len(piece)
        data = b"".join(pieces)
        self.position += len(data)
        return data


def _named(path: str) -> str:
    return "standard input" if path == "-" else visible(path)


def _foreign(path: str, first: bytes, position: int, fault: Exception) -> str:
    """Why nothing could be read, and what to do."""
    name = _named(path)
    if isinstance(fault, OSError):
        return f"{name}: can't be read: {_reason(fault)}"
    for magic, what in _FOREIGN:
        if first.startswith(magic):
            return f"{name}: {what.format(path=shlex.quote(visible(path)))}"
    if first.startswith(_PACKETS):
        return f"{name}: is a packet capture, whose TLS can't be read; record with mitmdump -w"
    if b'"regtrace/report/' in first:
        return f"{name}: is a report of regtrace; name the capture that it was made from"
    if first.removeprefix(b"\xef\xbb\xbf").startswith(b"{"):
        return f"{name}: is JSON, but no HAR file that can be read ({_reason(fault)}); {_EXPECTED}"
    if "format version" in str(fault):
        return f"{name}: {visible(str(fault))}"
    if re.match(rb"\d{1,12}:", first):
        return (
            f"{name}: holds no whole flow: it ends or breaks at byte {position};"
            " copy it again once the proxy has ended"
        )
    return f"{name}: is no capture; {_EXPECTED}"


def _reason(fault: Exception) -> str:
    text = visible(getattr(fault, "strerror", None) or str(fault).strip(), limit=200)
    return "the data ends or breaks here" if text in {"", "Invalid data format."} else text
