"""Addon: the capture that ``mitmdump -w`` writes holds each exchange from the moment it is over,
and whatever becomes of that file, the traffic goes on. It is for its owner alone; with the option
``registry_redact``, labels stand in it for secrets before its first byte is written.

mitmproxy 11 leaves the last exchanges in a buffer, which dies with the process, and every version
ends the process when the capture can't be written (addons/save.py).
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from mitmproxy import ctx, http
from mitmproxy.version import VERSION

from regtrace import __version__
from regtrace.proxy import voice
from regtrace.proxy.flows import NOTES, exchange_of
from regtrace.proxy.guard import guarded, note
from regtrace.proxy.options import case
from regtrace.proxy.redacted import FlowCopier
from regtrace.proxy.saved import flow_of, state_of
from regtrace.redact.cases import Unkept
from regtrace.redact.copying import Copier
from regtrace.redact.gate import Gate
from regtrace.redact.holdings import Holdings
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.model import NotSeen

#: Secrets of a redacted capture that are remembered, to find them again in sentences. Each flow is
#: searched for all of them while the traffic waits.
_MOST_SECRETS = 500
#: Bytes of a record that is redacted in a few milliseconds; and of all that wait for it.
_SHORT, _MOST_WAITING = 16 * 1024, 32 * 1024 * 1024


class Saving:
    name = "regtrace-saving"

    def __init__(self) -> None:
        self._runs = False
        self._signs = True
        self._stood_before: list[Any] = []
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
        self._stand_before_all()

    @guarded
    def configure(self, updated: set[str]) -> None:
        if self._runs and updated & {"save_stream_file", "save_stream_filter", "registry_redact"}:
            self._stand_before_all()

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

    def _stand_before_all(self) -> None:
        """A file that mitmproxy opens between two of our hooks is ours too: what it saves of other
        protocols has no hook here."""
        save = ctx.master.addons.get("save")
        if save is None or save in self._stood_before:
            self._stand_before(save)
            return
        rotate = save.maybe_rotate_to_new_file

        def rotate_and_stand_before() -> None:
            rotate()
            self._stand_before(save)

        save.maybe_rotate_to_new_file = rotate_and_stand_before
        self._stood_before.append(save)
        self._stand_before(save)

    def _stand_before(self, save: Any) -> None:
        stream = save.stream if save is not None else None
        if stream is None or not self._runs:
            return
        redacts = bool(ctx.options.registry_redact)
        if isinstance(stream.fo, Steady):
            if isinstance(stream.fo, Labelling) == redacts:
                stream.fo.lose = self._lose  # of a script that was loaded anew
                return
            file = stream.fo.released()
        else:
            file = stream.fo.detach()
            _keep_private(file)
        stream.fo = Labelling(file, self._lose) if redacts else Steady(file, self._lose)

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
            self._stand_before(save)

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
        self.file = file
        self.lose = lose

    def write(self, record: bytes) -> None:
        written = 0
        try:
            while written < len(record):
                written += self.file.write(record[written:]) or 0
        except OSError as fault:
            self.lose(fault)
            self._take_back(written)

    def _take_back(self, size: int) -> None:
        """Half a record would make all that is written behind it unreadable."""
        try:
            self.file.seek(-size, io.SEEK_CUR)
            self.file.truncate()
        except OSError:
            pass  # a pipe: what was sent is sent

    def flush(self) -> None:
        """Nothing waits."""

    def released(self) -> io.FileIO:
        """The file, for another writer."""
        return self.file

    def close(self) -> None:
        try:
            self.file.close()
        except OSError as fault:
            self.lose(fault)


class Labelling(Steady):
    """The same, with labels where secrets stand in a record. What can't be redacted is left out."""

    def __init__(self, file: io.FileIO, lose: Callable[[OSError], Any]) -> None:
        super().__init__(file, lose)
        self._book = case() or Unkept()
        self._aside = ThreadPoolExecutor(1, "regtrace-redaction")
        self._waiting: deque[tuple[Future[None], int]] = deque()
        """Records that are not written yet, and their bytes."""
        self._begin()

    def _begin(self) -> None:
        self._holdings = Holdings()
        level = Level(ctx.options.registry_share)
        self._redactor = Redactor(level, self._holdings, self._book)
        self._gate = Gate(self._holdings)

    def write(self, record: bytes) -> None:
        """A long record takes longer than the traffic can wait: a thread labels it, and what comes
        behind it meanwhile."""
        while self._waiting and self._waiting[0][0].done():
            self._waiting.popleft()
        if not self._waiting and len(record) <= _SHORT:
            self._write(record)
        elif sum(size for _, size in self._waiting) > _MOST_WAITING:
            self.lose(OSError(errno.EBUSY, "flows came faster than they could be redacted"))
        else:
            self._waiting.append((self._aside.submit(self._write, record), len(record)))

    def released(self) -> io.FileIO:
        self._aside.shutdown()
        return self.file

    def close(self) -> None:
        self._aside.shutdown()
        super().close()

    def _write(self, record: bytes) -> None:
        try:
            labelled = self._labelled(record)
        except Exception as fault:  # a raw record must not be written in its place
            note("a redacted capture", fault)
            self.lose(OSError(errno.EIO, "a flow could not be redacted"))
            return
        if labelled:
            super().write(labelled)

    def _labelled(self, record: bytes) -> bytes:
        """Empty for other protocols than HTTP."""
        state = state_of(record)
        if state is None:
            return b""
        if len(self._holdings.secrets) > _MOST_SECRETS:
            self._begin()
        exchange = exchange_of(flow_of(state))
        self._redactor.learn(exchange)
        self._gate.learn(exchange)
        labelled = FlowCopier(Copier(self._redactor)).record(state)
        if self._gate.leaks(labelled):
            raise ValueError
        return labelled


def _keep_private(file: io.FileIO) -> None:
    """For its owner alone: mitmproxy makes it as the umask says, readable by all mostly."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            os.fchmod(file.fileno(), 0o600)
