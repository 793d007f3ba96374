"""Addon: says how far long uploads and downloads are, one line for all of them, now and then.

12:00:31  uploading: 3 blobs, 412 MB of 1.2 GB, 13.7 MB/s, for 30 s
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from mitmproxy import http

from regtrace.proxy import voice
from regtrace.proxy.flows import notes_of
from regtrace.proxy.guard import guarded
from regtrace.proxy.unfinished import Unfinished
from regtrace.report.visible import clock, duration, rate, size

#: Seconds that a transfer takes before anything is said of it; between two lines; and until it is
#: looked again when there was nothing to say.
_LONG, _EVERY, _SOON = 10.0, 10.0, 1.0


@dataclass(frozen=True, slots=True)
class Moving:
    """A body that is on its way."""

    began: float
    passed: int
    length: int | None
    """Bytes; None when the message does not say."""


class Progress:
    name = "regtrace-progress"

    def __init__(self, unfinished: Unfinished) -> None:
        self._unfinished = unfinished
        self._timer: asyncio.TimerHandle | None = None

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.live and self._timer is None and voice.is_wanted():
            self._look_in(_LONG)

    def _look_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    @guarded
    def _look(self) -> None:
        self._timer = None
        flows = self._unfinished.flows()
        now, said = time.time(), False
        for word, which in (("uploading", "request"), ("downloading", "response")):
            line = progress_line(word, _moving(flows, which), now)
            if line:
                said = True
                voice.show(line)
        if flows:
            self._look_in(_EVERY if said else _SOON)

    @guarded
    def done(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def progress_line(word: str, moving: Iterable[Moving], now: float) -> str | None:
    """One line on everything that has been moving for long; None when nothing has."""
    long = [body for body in moving if now - body.began >= _LONG and body.passed]
    if not long:
        return None
    passed = sum(body.passed for body in long)
    seconds = now - min(body.began for body in long)
    known = [body.length for body in long if body.length is not None]
    total = f" of {size(sum(known))}" if len(known) == len(long) else ""
    blobs = f"{len(long)} blobs" if len(long) > 1 else "1 blob"
    return (
        f"{clock(now)}  {word}: {blobs}, {size(passed)}{total}, {rate(passed, seconds)},"
        f" for {duration(seconds)}"
    )


def _moving(flows: Iterable[http.HTTPFlow], which: str) -> list[Moving]:
    found = []
    for flow in flows:
        tally = notes_of(flow).get(f"{which}_body")
        message = flow.request if which == "request" else flow.response
        if message is not None and isinstance(tally, dict) and not tally.get("complete"):
            length = message.headers.get("content-length", "")
            known = int(length) if length.isascii() and length.isdigit() else None
            found.append(Moving(message.timestamp_start, int(tally.get("size", 0)), known))
    return found
