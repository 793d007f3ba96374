"""What was seen so far, as operations: those that are open, and those that are over.

The same for a live proxy, a replay and a file, so that all three tell the same story.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from regtrace.diagnose.engine import Examiner, examine
from regtrace.follow.story import Operation
from regtrace.follow.tracker import Tracker
from regtrace.report.model import NotSeen
from regtrace.report.telling import Telling
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Exchange, Headers, Request, Response, Rewritten
from regtrace.wire.leg import Kind

#: Ids of exchanges remembered at most, of a file and of a running proxy: in a file, the second copy
#: of a flow stands at the very end.
_MOST_IDS, _MOST_IDS_LIVE = 100_000, 10_000
#: Different changes of the gateway that are told.
_MOST_REWRITTEN = 100
_BY_OTHER_NAME = NotSeen(
    "how the client fares under the registry's own name",
    "it talked to regtrace gateway at a loopback address: with another name, a login of its own,"
    " without the registry's certificate",
    "the client's trust (certs.d), its proxy and NO_PROXY, and its login for the registry's own"
    " name are not tested this way",
)


class History:
    def __init__(self) -> None:
        self.judge: Examiner = examine
        """Says what is wrong with an operation."""
        self._most_legs: int | None = None
        self._tracker = Tracker()
        self._over: deque[Telling] = deque()
        self._legs_over = 0
        self._is_over: dict[str, bool] = {}
        """Of each exchange."""
        self._one_failed = False
        self.flows = 0
        """Exchanges taken in."""
        self.first: float | None = None
        """Start of the first exchange, epoch seconds UTC."""
        self.last: float | None = None
        self._rewritten: dict[Rewritten, None] = {}
        self.cut = 0
        """Operations that ended and are no longer kept."""

    def bound(self, most_legs: int) -> None:
        """Before anything comes: keep so many legs of operations that are open, and of those that
        are over."""
        self._most_legs = most_legs
        self._tracker = Tracker(most_legs=most_legs)

    def add(self, exchange: Exchange) -> None:
        """Take in an exchange, or what is newly known of it: the same id replaces.

        mitmproxy saves a flow twice when its answer came before the request's end.
        """
        is_over = self._is_over.get(exchange.id)
        if is_over:
            return
        if is_over is None:
            self.flows += 1
            self._is_over[exchange.id] = False
        if len(self._rewritten) < _MOST_REWRITTEN:
            self._rewritten.update(dict.fromkeys(exchange.rewritten))
        leg = decode(exchange)
        self._tracker.feed(leg)
        self.first = leg.started if self.first is None else min(self.first, leg.started)
        self.last = leg.last_seen if self.last is None else max(self.last, leg.last_seen)

    @property
    def crowded(self) -> bool:
        """Whether :meth:`retire` is worth its cost."""
        return self._tracker.crowded

    def open(self) -> tuple[Operation, ...]:
        """The operations that may still go on, by start."""
        return self._tracker.operations()

    def retire(self, now: float | None = None) -> tuple[Operation, ...]:
        """The operations that are over for good by ``now``: they move to those that are over."""
        leaving = self._tracker.retire(now)
        for operation in leaving:
            self._is_over.update(dict.fromkeys((leg.id for leg in operation.legs), True))
            if any(leg.kind is not Kind.OTHER for leg in operation.legs):
                telling = Telling.of(operation, self.judge)
                self._over.append(telling)
                self._legs_over += len(operation.legs)
                self._one_failed = self._one_failed or telling.failed
        self._forget()
        return leaving

    def take(self) -> tuple[Telling, ...]:
        """The operations that are over: who takes them keeps them."""
        taken = tuple(self._over)
        self._over.clear()
        self._legs_over = 0
        return taken

    def tellings(self) -> Iterator[Telling]:
        """Every operation that is kept now, with what the rules say of it. They are asked as this
        is read, which may be on another thread."""
        return chain(tuple(self._over), (Telling.of(op, self.judge) for op in self.open()))

    @property
    def failed(self) -> bool:
        """Whether an operation failed, kept or not, by anything that is not suppressed."""
        return self._one_failed or any(Telling.of(op, self.judge).failed for op in self.open())

    def holds(self) -> int:
        """Bytes of messages in all that is kept."""
        operations = chain(self.open(), (telling.operation for telling in self._over))
        return sum(bytes_held(leg.exchange) for op in operations for leg in op.legs)

    def lacks(self) -> Iterator[NotSeen]:
        """What had to be given up, for the report."""
        yield from self._gateway()
        if self._tracker.cut:
            yield NotSeen(
                f"the end of operations of {self._tracker.cut} legs",
                "more was going on at once than regtrace can follow",
                "these operations are told as they stood, what came later is told as others",
            )
        if self.cut:
            yield NotSeen(
                f"{self.cut} earlier operations",
                f"a running proxy keeps the last {self._most_legs} legs that are over",
                "replay the capture (mitmdump -w) for the whole story",
            )

    def _gateway(self) -> Iterator[NotSeen]:
        if self._rewritten:
            yield _BY_OTHER_NAME
        for where in dict.fromkeys(change.where for change in self._rewritten):
            changes = [change for change in self._rewritten if change.where == where]
            moved = [f"{change.shown} for {change.true}" for change in changes if change.shown]
            kept = [change.true for change in changes if not change.shown]
            if moved:
                yield NotSeen(
                    f"{where} as the client had it",
                    f"regtrace gateway put {', '.join(moved)}",
                    "the report shows the true names",
                )
            if kept:
                yield NotSeen(
                    f"the client's requests to {', '.join(kept)}",
                    "regtrace gateway has no address left that could stand for it",
                    f"{where} was left as it is, and leads past the gateway",
                )

    def _forget(self) -> None:
        while self._most_legs is not None and self._legs_over > self._most_legs:
            self._legs_over -= len(self._over.popleft().operation.legs)
            self.cut += 1
        most = _MOST_IDS if self._most_legs is None else _MOST_IDS_LIVE
        while len(self._is_over) > most:
            del self._is_over[next(iter(self._is_over))]


def exchanges_of(tellings: Iterable[Telling]) -> list[Exchange]:
    """All that these operations were told from: what the redaction gate must know."""
    return [leg.exchange for telling in tellings for leg in telling.operation.legs]


def bytes_held(exchange: Exchange) -> int:
    """Bytes of the bodies, header fields and the URL that it keeps."""
    return len(exchange.request.target) + sum(map(_held, _messages(exchange)))


def lightened(exchange: Exchange, most: int) -> Exchange:
    """The same without bodies and header fields that are longer than so many bytes, and without the
    end of such a URL."""
    request, response = exchange.request, exchange.response
    return replace(
        exchange,
        request=replace(_light(request, most), target=request.target[:most]),
        response=response and _light(response, most),
    )


_Message = TypeVar("_Message", Request, Response)


def _light(message: _Message, most: int) -> _Message:
    body, left, fields = message.body, most, []
    for name, value in message.headers:
        if len(name) + len(value) <= left:
            left -= len(name) + len(value)
            fields.append((name, value))
    if len(body.kept or b"") > most:
        body = replace(body, kept=None)
    return replace(message, headers=Headers(fields), body=body)


def _messages(exchange: Exchange) -> tuple[Request | Response, ...]:
    return (exchange.request, exchange.response) if exchange.response else (exchange.request,)


def _held(message: Request | Response) -> int:
    fields = message.headers.fields
    return len(message.body.kept or b"") + sum([len(name) + len(value) for name, value in fields])
