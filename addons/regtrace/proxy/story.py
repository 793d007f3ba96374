"""Addon: follows the traffic, tells it as it happens, and writes the report.

Live and replay run the same code; only a live proxy has lines while it runs, and a timer that
notices when a client has stopped trying. Reading the story takes time for which the traffic must
not wait: the hooks only note what came, and a thread of its own reads, judges and tells it, the
rarer the more it costs.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from mitmproxy import ctx, http

from regtrace.diagnose.engine import Diagnosis
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation, OperationKind
from regtrace.follow.tracker import has_ended
from regtrace.proxy import guard, voice
from regtrace.proxy.capture import HAR_LACKS, PLAIN_LACKS
from regtrace.proxy.exit_status import ExitStatus
from regtrace.proxy.flows import exchange_of, is_from_har, notes_of
from regtrace.proxy.guard import guarded
from regtrace.proxy.history import History, bytes_held, exchanges_of, lightened
from regtrace.proxy.options import new_redactor, report_paths, site
from regtrace.proxy.saving import Saving
from regtrace.proxy.unfinished import Unfinished
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import model, text
from regtrace.report.build import build
from regtrace.report.live import Narrator
from regtrace.report.output import Refused, gate_for, rendered, write
from regtrace.report.proof import prove
from regtrace.report.telling import Telling
from regtrace.wire.exchange import Exchange

T = TypeVar("T")

#: Seconds from news to telling it, and between two looks for operations that have ended.
_SOON, _TICK = 0.25, 1.0
#: A look takes at most this share of the time.
_SHARE = 0.05
#: Legs of operations that go on, and of those that are over, which a running proxy keeps.
_MOST_LEGS = 5_000
#: Exchanges of a replay that are read at once; and those that came live, beyond which a look is
#: due whatever it costs.
_MANY, _CROWDED = 256, 2_000
#: Bytes of messages that a running proxy holds, before it keeps no body and no header that is
#: larger than a little; and with twice as much, than the least.
_MOST_HELD, _LITTLE, _LEAST = 64 * 1024 * 1024, 64 * 1024, 8 * 1024
_NO_ROOM = model.NotSeen(
    "the content of some long bodies and headers",
    "a running proxy holds 64 MB of messages, and beyond that only short ones",
    "replay the capture (mitmdump -w) for the whole story",
)


class Story:
    name = "regtrace-story"

    def __init__(self, unfinished: Unfinished, saving: Saving) -> None:
        self._unfinished = unfinished
        self._saving = saving
        self._news: deque[Exchange] = deque()
        """What came and was not read yet."""
        self._history = History()
        """Only the reading thread touches it, until that has ended."""
        self._held = self._history_holds = 0
        """Bytes of messages, in all and in the history."""
        self._passed_over = False
        """Whether something was not kept for want of room."""
        self._reading = ThreadPoolExecutor(1, "regtrace-story")
        self._writing = ThreadPoolExecutor(1, "regtrace-report")
        self._seen_client = False
        self._from_har = self._noted = False
        """Whether a flow comes of a HAR file, and whether regtrace wrote something on one."""
        self._told: dict[str, tuple[OperationKind, Ending]] = {}
        """First leg of each open operation whose summary was given → what it was, and its end."""
        self._unwritten = False
        self._write_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Future[float | None] | None = None
        self._runs = False
        self._spoke = False

    @guarded
    def configure(self, updated: set[str]) -> None:
        if updated & {"registry_config", "registry_rules"}:
            self._history.judge = site().examine

    @guarded
    def running(self) -> None:
        guard.reset()
        self._narrator = Narrator(self._redactor(), self._judge)
        self._runs = True
        if not ctx.options.rfile:
            self._history.bound(_MOST_LEGS)
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
        self._noted = self._noted or bool(notes_of(flow))
        self._news.append(self._exchange_of(flow))
        if self._is_live():
            self._look_in(_SOON)
        elif len(self._news) >= _MANY:
            self._on_thread(self._read_news)

    def _exchange_of(self, flow: http.HTTPFlow) -> Exchange:
        exchange = exchange_of(flow, keep=ctx.options.registry_body_limit)
        if self._is_live() and self._held > _MOST_HELD:
            most = _LITTLE if self._held < 2 * _MOST_HELD else _LEAST
            if bytes_held(exchange) > most:
                exchange = lightened(exchange, most)
                self._passed_over = True
        self._held += bytes_held(exchange)
        return exchange

    def _on_thread(self, work: Callable[[], T]) -> T:
        """Have the reading thread do this, after what it does now, and wait for it."""
        return self._reading.submit(work).result() if self._runs else work()

    @guarded
    def _read_news(self) -> None:
        while self._news:
            self._history.add(self._news.popleft())
            if self._history.crowded and not self._is_live():
                self._history.retire()

    # --- what is said

    def _look_in(self, seconds: float) -> None:
        if self._timer and len(self._news) == _CROWDED:
            self._timer.cancel()
            self._timer, seconds = None, 0.0
        if self._timer is None and self._looking is None and self._runs:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        looking = asyncio.get_running_loop().run_in_executor(self._reading, self._tell)
        self._looking = looking
        looking.add_done_callback(self._look_again)

    def _look_again(self, looked: asyncio.Future[float | None]) -> None:
        self._looking = None
        self._held = self._history_holds + sum(map(bytes_held, self._news))
        if not looked.cancelled():
            wait = _SOON if len(self._news) >= _CROWDED else looked.result()
            if wait is not None or self._news:
                self._look_in(wait or _SOON)

    @guarded
    def _tell(self) -> float | None:
        """Tell what is new. Seconds until it is worth to look again; None when all is over."""
        began = time.monotonic()
        self._read_news()
        self._tell_news()
        all_over = self._tell_endings(time.time())
        self._history_holds = self._history.holds()
        cost = time.monotonic() - began
        return None if all_over else max(_TICK, cost / _SHARE)

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
        self._told = {key: turn for key, turn in self._told.items() if key in staying}
        self._write_now_and_then()
        return not (staying or self._unwritten)

    def _summarise(self, operations: Iterable[Operation]) -> None:
        """Print each operation once, and again when it took another turn."""
        news = [op for op in operations if self._told.get(_key(op)) != _turn(op)]
        if news:
            self._told.update((_key(operation), _turn(operation)) for operation in news)
            self._unwritten = True
            self._print([Telling.of(operation, self._judge) for operation in news])

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

    def _write_now_and_then(self) -> None:
        """On another thread: a long report takes seconds, in which there may be news."""
        if self._unwritten and time.monotonic() >= self._write_at:
            self._unwritten = False
            self._write_at = math.inf
            self._writing.submit(self._write, self._history.tellings())

    @guarded
    def _write(self, kept: Iterable[Telling]) -> None:
        paths = report_paths()
        began = time.monotonic()
        try:
            if paths:
                self._write_to(paths, list(kept))
        except Refused as fault:
            voice.complain(str(fault))
        finally:
            ended = time.monotonic()
            self._write_at = ended + (ended - began) / _SHARE

    def _write_to(self, paths: Sequence[str], tellings: Sequence[Telling]) -> None:
        exchanges = exchanges_of(tellings)
        write(self._report(tellings, prove(exchanges, self._level())), paths, gate_for(exchanges))

    # --- what other addons ask

    def aside(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Have the reading thread do this when it comes to it; nobody waits."""
        return asyncio.get_running_loop().run_in_executor(self._reading, work)

    def tellings(self) -> list[Telling]:
        """Every operation that is kept now, with what the rules say of it. Takes a while."""
        return self._on_thread(self.tellings_now)

    def tellings_now(self) -> list[Telling]:
        """The same, for who is on the reading thread already."""
        self._read_news()
        return list(self._history.tellings())

    def write(self, path: str) -> None:
        """Write the report of all that is kept. Raises Refused."""
        self._write_to([path], self.tellings())

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
                *self._saving.lacks(),
                *self._history.lacks(),
                *self._capture_lacks(),
                *([_NO_ROOM] if self._passed_over else []),
            ],
        )

    def _capture_lacks(self) -> list[model.NotSeen]:
        if self._from_har:
            return [HAR_LACKS]
        is_plain = self._history.flows and not (self._noted or self._is_live())
        return [PLAIN_LACKS] if is_plain else []

    def _capture_name(self) -> str:
        """The name of the file that is written, or read."""
        path: str = (
            ctx.options.save_stream_file if self._is_live() else ctx.options.rfile
        ) or "live"
        return "standard input" if path == "-" else path.removeprefix("+").rpartition("/")[2]

    # No properties in an addon: mitmproxy reads every attribute of one that it loads.
    def _redactor(self) -> Redactor:
        return new_redactor()

    def _level(self) -> Level:
        return Level(ctx.options.registry_share)

    def _judge(self, operation: Operation) -> Diagnosis:
        return self._history.judge(operation)

    def has_failed(self) -> bool:
        """Whether an operation failed by anything that is not suppressed."""
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
        for thread in (self._reading, self._writing):
            thread.shutdown(cancel_futures=True)
        self._take_unfinished()
        self._read_news()
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
            rest = [op for op in self._history.open() if self._told.get(_key(op)) != _turn(op)]
            self._print([Telling.of(op, self._judge) for op in rest], last=True)
        else:
            self._print(list(self._history.tellings()), last=True)


def _key(operation: Operation) -> str:
    return operation.legs[0].id


def _turn(operation: Operation) -> tuple[OperationKind, Ending]:
    return operation.kind, operation.ending
