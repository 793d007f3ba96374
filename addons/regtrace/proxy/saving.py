"""Addon: the capture that ``mitmdump -w`` writes holds each exchange from the moment it is over,
and whatever becomes of that file, the traffic goes on.

mitmproxy 11 leaves the last exchanges in a buffer, which dies with the process, and every version
ends the process when the capture can't be written (addons/save.py).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from mitmproxy import ctx, http
from mitmproxy.version import VERSION

from regtrace import __version__
from regtrace.proxy import voice
from regtrace.proxy.flows import NOTES
from regtrace.proxy.guard import guarded
from regtrace.report.model import NotSeen


class Saving:
    name = "regtrace-saving"

    def __init__(self) -> None:
        self._runs = False
        self._signs = True
        self._lost = 0
        self._reason = ""

    def lacks(self) -> Iterator[NotSeen]:
        """What the capture lacks, for the report."""
        if self._lost:
            yield NotSeen(
                f"{self._lost} exchanges in the capture",
                f"it could not be written: {self._reason}",
                "a replay of the capture tells less than this report",
            )

    @guarded
    def running(self) -> None:
        self._runs = True

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if self._signs and not ctx.options.rfile:
            self._signs = False
            notes = flow.metadata.setdefault(NOTES, {})
            notes["recorded_by"] = {"regtrace": __version__, "mitmproxy": VERSION}

    @guarded
    def response(self, flow: http.HTTPFlow) -> None:
        self._take_over(flow)

    @guarded
    def error(self, flow: http.HTTPFlow) -> None:
        self._take_over(flow)

    @guarded
    def done(self) -> None:
        # Flows that end now are too late, and to open the file again would empty it.
        self._runs = False

    def _take_over(self, flow: http.HTTPFlow) -> None:
        """Before mitmproxy saves this flow: open the file that is due, and stand before it."""
        save = ctx.master.addons.get("save")
        if save is None or not self._runs or not ctx.options.save_stream_file:
            return
        try:
            save.maybe_rotate_to_new_file()
        except OSError as fault:
            # It has no file now, saves nothing, and would hold the flow until it ends.
            save.active_flows.discard(flow)
            self._lose(fault)
        else:
            if not isinstance(save.stream.fo, Steady):
                save.stream.fo = Steady(save.stream.fo.detach(), self._lose)

    def _lose(self, fault: OSError) -> None:
        self._lost += 1
        self._reason = fault.strerror or "the file is gone"
        if self._lost == 1:
            voice.complain(
                f"the capture can't be written: {self._reason}. The traffic goes on, and what"
                " passes now is missing in the capture"
            )


class Steady:
    """A file into which each record goes whole, at once, or not at all; nothing is raised."""

    def __init__(self, file: io.FileIO, lose: Callable[[OSError], Any]) -> None:
        self._file = file
        self._lose = lose

    def write(self, record: bytes) -> None:
        written = 0
        try:
            while written < len(record):
                written += self._file.write(record[written:]) or 0
        except OSError as fault:
            self._lose(fault)
            self._take_back(written)

    def _take_back(self, size: int) -> None:
        """Half a record would make all that is written behind it unreadable."""
        try:
            self._file.seek(-size, io.SEEK_CUR)
            self._file.truncate()
        except OSError:
            pass  # a pipe: what was sent is sent

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as fault:
            self._lose(fault)
