"""What the commands read: captures, with a bar that shows how far it is, and saved reports."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from regtrace.cli.ending import complain
from regtrace.evidence.client_log import ClientMessage
from regtrace.proxy.capture import Reader, Unreadable, open_capture
from regtrace.proxy.history import History
from regtrace.proxy.site import Site
from regtrace.redact.cases import Case
from regtrace.redact.redactor import Redactor
from regtrace.report import model
from regtrace.report.build import compose
from regtrace.report.draft import Draft
from regtrace.report.output import Refused
from regtrace.report.reading import MOST, Misread, read_report
from regtrace.report.telling import Telling
from regtrace.report.visible import visible

#: Bytes of a capture from which on reading takes long enough to show how far it is.
_LONG = 4 * 1024 * 1024


class Reading:
    """One capture, read: its operations go into the draft, and to ``heed`` if that is asked for."""

    def __init__(
        self,
        path: str,
        site: Site,
        draft: Draft,
        heed: Callable[[Telling], None] | None = None,
    ) -> None:
        self._heed = heed
        self.name = "standard input" if path == "-" else Path(path).name
        self.history = History()
        self.history.judge = site.examine
        self.readable = self.is_har = False
        self.damage: model.Damage | None = None
        self.lacks: list[model.NotSeen] = []
        try:
            self._read(path, draft)
        except Unreadable as fault:
            complain(str(fault))

    def _read(self, path: str, draft: Draft) -> None:
        with open_capture(path) as stream, _progress(path) as progress:
            name = escape(visible(self.name))  # rich reads markup here
            task = progress.add_task(f"reading {name}", total=_size(path))
            reader = Reader(path, stream, lambda done: progress.update(task, completed=done))
            for exchange in reader:
                self.history.add(exchange)
                if self.history.crowded:
                    self.history.retire()
                    for telling in self.history.take():
                        self._take(telling, draft)
                    gc.freeze()  # what is kept now is kept to the end
        for telling in self.history.tellings():
            self._take(telling, draft)
        gc.freeze()
        self.readable, self.damage = True, reader.damage
        self.is_har = reader.is_har
        self.lacks = reader.lacks()
        if self.damage:
            complain(
                f"{visible(path)}: damaged at byte {self.damage.offset}: {self.damage.reason};"
                f" the flows before it ({self.history.flows}) are reported. If the proxy was still"
                " writing, copy the capture again"
            )

    def _take(self, telling: Telling, draft: Draft) -> None:
        draft.add(telling)
        if self._heed:
            self._heed(telling)


def _size(path: str) -> int | None:
    with contextlib.suppress(OSError):
        return os.stat(path).st_size or None
    return None


def _progress(path: str) -> Progress:
    """How far reading is: only for who watches, and only when it takes a while."""
    console = Console(stderr=True)
    long = (_size(path) or 0) >= _LONG
    return Progress(console=console, transient=True, disable=not (console.is_terminal and long))


def told_of(
    readings: Sequence[Reading],
    draft: Draft,
    redactor: Redactor,
    canaries: model.Canaries,
    *,
    unheard: Sequence[model.NotSeen] = (),
    printed: Sequence[ClientMessage] = (),
) -> model.Report:
    """The report of what these readings put into the draft; ``unheard`` is what logs did not
    tell, ``printed`` what clients said."""
    read = [reading for reading in readings if reading.readable]
    histories = [reading.history for reading in read]
    return compose(
        draft.accounts,
        capture=model.Capture(
            name=", ".join(reading.name for reading in readings),
            mode="file",
            flows=sum(history.flows for history in histories),
            first=min((h.first for h in histories if h.first is not None), default=None),
            last=max((h.last for h in histories if h.last is not None), default=None),
            damaged=next((reading.damage for reading in read if reading.damage), None),
        ),
        redactor=redactor,
        canaries=canaries,
        printed=printed,
        missed=[
            *unheard,
            *(lack for reading in read for lack in (*reading.lacks, *reading.history.lacks())),
        ],
    )


def remember(case: Case | None, redactor: Redactor, draft: Draft) -> None:
    """Where each secret stood that got a label, for its owner."""
    for secret in () if case is None else draft.holdings.secrets.values():
        label = redactor.label_of(secret.kind, secret.value)
        if case is not None and label is not None:
            case.seen(label, secret.where)


def read_saved(path: str) -> model.Report:
    """The report that was written to this file as JSON. Raises Refused."""
    name = "standard input" if path == "-" else visible(path)
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(MOST + 1)
        else:
            with Path(path).open("rb") as stream:
                raw = stream.read(MOST + 1)
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise Refused(f"{name}: can't be read: {visible(str(reason))}") from None
    if len(raw) > MOST:
        raise Refused(f"{name}: is larger than any report that regtrace reads")
    try:
        return read_report(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Refused(f"{name}: is no report: not in UTF-8") from None
    except Misread as fault:
        raise Refused(f"{name}: {fault}") from None
