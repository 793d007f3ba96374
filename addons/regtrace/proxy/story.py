"""Addon: follows the traffic, tells it as it happens, and writes the report.

Live and replay run the same code; only a live proxy has lines while it runs, and a timer that
notices when a client has stopped trying. Reading the story takes time that the traffic waits for,
so it is read from the timer, never from a hook, and the more it costs the rarer.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Sequence

from mitmproxy import ctx, http

from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.follow.tracker import has_ended
from regtrace.proxy import guard, voice
from regtrace.proxy.capture import HAR_LACKS
from regtrace.proxy.exit_status import ExitStatus
from regtrace.proxy.flows import exchange_of, is_from_har
from regtrace.proxy.guard import guarded
from regtrace.proxy.history import History, exchanges_of
from regtrace.proxy.options import report_paths
from regtrace.proxy.unfinished import Unfinished
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import model, text
from regtrace.report.build import Telling, build
from regtrace.report.live import Narrator
from regtrace.report.output import Refused, gate_for, rendered, write
from regtrace.report.proof import prove

#: Seconds from news to telling it, and between two looks for operations that have ended.
_SOON, _TICK = 0.25, 1.0
#: A look takes at most this share of the time.
_SHARE = 0.05
#: Legs of operations that are over, which a running proxy keeps for its report.
_MOST_LEGS = 5_000


class Story:
    name = "regtrace-story"

    def __init__(self, unfinished: Unfinished) -> None:
        self._unfinished = unfinished
        self._history = History()
        self._seen_client = False
        self._from_har = False
        self._told: dict[str, Ending] = {}
        """First leg of each open operation whose summary was given → the ending it had."""
        self._unwritten = False
        self._writing: asyncio.Future[None] | None = None
        self._write_at = 0.0
        self._pen = threading.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._runs = False
        self._spoke = False

    @guarded
    def running(self) -> None:
        guard.reset()
        self._narrator = Narrator(self._redactor())
        self._runs = True
        self._history.most_legs = None if ctx.options.rfile else _MOST_LEGS
        if ctx.master.addons.get(ExitStatus.name) is None:
            ctx.master.addons.add(ExitStatus())

    # --- what happens

    @guarded
    def client_connected(self, client: object) -> None:
        self._seen_client = True

    def _is_live(self) -> bool:
        return self._seen_client or not ctx.options.rfile

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.live:
            self._take(flow)

    @guarded
    def request(self, flow: http.HTTPFlow) -> None:
        # Live, this is news only when an early answer came before it. In a replay, what follows
        # has a hook of its own.
        if bool(flow.live) == bool(flow.response or flow.error):
            self._take(flow)

    @guarded
    def response(self, flow: http.HTTPFlow) -> None:
        if flow.live or not flow.error:
            self._take(flow)

    @guarded
    def error(self, flow: http.HTTPFlow) -> None:
        self._take(flow)

    def _take(self, flow: http.HTTPFlow) -> None:
        self._from_har = self._from_har or is_from_har(flow)
        self._history.add(exchange_of(flow, keep=ctx.options.registry_body_limit))
        if self._is_live():
            self._look_in(_SOON)
        elif self._history.crowded:
            self._history.retire()

    # --- what is said

    def _look_in(self, seconds: float) -> None:
        if self._timer is None and self._runs:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        began = time.monotonic()
        self._tell_news()
        all_over = self._tell_endings(time.time())
        cost = time.monotonic() - began
        if not all_over:
            self._look_in(max(_TICK, cost / _SHARE))

    @guarded
    def _tell_news(self) -> None:
        if voice.is_wanted():
            for operation in self._history.open():
                news = self._narrator.news(operation)
                if news:
                    voice.say("\n".join(news), [leg.exchange for leg in operation.legs])

    @guarded
    def _tell_endings(self, now: float) -> bool:
        """Summaries of what has ended, and of what leaves. Whether nothing is left to look for."""
        ended = [operation for operation in self._history.open() if has_ended(operation, now)]
        leaving = self._history.retire(now)
        self._summarise({_key(operation): operation for operation in (*ended, *leaving)}.values())
        staying = {_key(operation) for operation in self._history.open()}
        self._told = {key: ending for key, ending in self._told.items() if key in staying}
        self._write_aside()
        return not (staying or self._unwritten)

    def _summarise(self, operations: Iterable[Operation]) -> None:
        """Print each operation once, and again when it took another turn."""
        news = [op for op in operations if self._told.get(_key(op)) is not op.ending]
        if news:
            self._told.update((_key(operation), operation.ending) for operation in news)
            self._unwritten = True
            self._print([Telling.of(operation) for operation in news])

    def _print(self, tellings: Sequence[Telling], *, last: bool = False) -> None:
        """Say how these operations ended; of other traffic only that nothing was seen at all."""
        if not voice.is_wanted():
            return
        report = self._report(tellings)
        if not report.operations and (self._spoke or not last):
            return
        self._spoke = True
        try:
            rendered(report, "text", gate_for(exchanges_of(tellings)))
        except Refused as fault:
            voice.complain(str(fault))
        else:
            voice.show(text.render(report))

    def _write_aside(self) -> None:
        """On a thread: a long report takes seconds, for which the traffic would have to wait."""
        is_writing = self._writing is not None and not self._writing.done()
        if self._unwritten and not is_writing and time.monotonic() >= self._write_at:
            self._unwritten = False
            self._writing = asyncio.get_running_loop().run_in_executor(
                None, self._write, self._history.tellings()
            )

    @guarded
    def _write(self, kept: Iterable[Telling]) -> None:
        paths = report_paths()
        if not paths:
            return
        with self._pen:
            began = time.monotonic()
            tellings = list(kept)
            try:
                report = self._report(tellings, prove(exchanges_of(tellings), self._level()))
                write(report, paths, gate_for(exchanges_of(tellings)))
            except Refused as fault:
                voice.complain(str(fault))
            ended = time.monotonic()
            self._write_at = ended + (ended - began) / _SHARE

    def _report(
        self, tellings: Sequence[Telling], canaries: model.Canaries | None = None
    ) -> model.Report:
        return build(
            tellings,
            capture=model.Capture(
                name=self._capture_name(),
                mode="live" if self._is_live() else "replay",
                flows=self._history.flows,
                first=self._history.first,
                last=self._history.last,
            ),
            redactor=self._redactor(),
            canaries=canaries,
            missed=[
                *guard.missed(),
                *self._history.lacks(),
                *([HAR_LACKS] if self._from_har else []),
            ],
        )

    def _capture_name(self) -> str:
        """The name of the file that is written, or read."""
        path: str = (
            ctx.options.save_stream_file if self._is_live() else ctx.options.rfile
        ) or "live"
        return "standard input" if path == "-" else path.removeprefix("+").rpartition("/")[2]

    # No properties in an addon: mitmproxy reads every attribute of one that it loads.
    def _redactor(self) -> Redactor:
        return Redactor(self._level())

    def _level(self) -> Level:
        return Level(ctx.options.registry_share)

    def has_failed(self) -> bool:
        """Whether an operation failed."""
        return self._history.failed

    # --- how it ends

    @guarded
    def done(self) -> None:
        if not self._runs:
            return  # mitmproxy did not start
        self._runs = False
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._writing:
            self._writing.cancel()
        self._take_unfinished()
        self._write(self._history.tellings())
        # mitmproxy takes a script off its list before it loads it anew, or for good.
        if ctx.master.addons.get(self.name) is self:
            self._say_goodbye()

    @guarded
    def _take_unfinished(self) -> None:
        for flow in self._unfinished.flows():
            self._take(flow)

    @guarded
    def _say_goodbye(self) -> None:
        """The summary of all that was not summarised; of a replay, that is everything."""
        if self._is_live():
            rest = [op for op in self._history.open() if self._told.get(_key(op)) is not op.ending]
            self._print([Telling.of(operation) for operation in rest], last=True)
        else:
            self._print(list(self._history.tellings()), last=True)


def _key(operation: Operation) -> str:
    return operation.legs[0].id
