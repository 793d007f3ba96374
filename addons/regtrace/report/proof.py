"""The proof in every report: secrets planted in a copy of this very capture do not come out.

The copy goes the same way as the capture: decode, follow, diagnose, build, every renderer. Then a
gate that knows the canaries looks at each output.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from regtrace.follow.tracker import Tracker
from regtrace.redact.canary import Canary, plant
from regtrace.redact.copying import Copier, texts_of
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import model
from regtrace.report.build import build
from regtrace.report.output import FORMATS, Leaking
from regtrace.report.telling import Telling
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Exchange

#: Exchanges that are copied at most, so that a proof costs a fraction of its report.
MOST = 50
#: Exchanges that are looked at to choose them.
_MOST_SEEN = 5_000


def prove(
    exchanges: Iterable[Exchange],
    level: Level,
    formats: Sequence[str] | None = None,
    *,
    copies: bool = False,
) -> model.Canaries:
    """How many canaries were planted; none was found, or Leaking is raised.

    ``formats`` are names in ``output.FORMATS``; all of them when nothing is said. ``copies``: a
    redacted capture as well.
    """
    return proven(*trial(exchanges, level, formats, copies=copies))


def proven(planted: int, found: frozenset[str]) -> model.Canaries:
    """Raises Leaking if any was found."""
    if found:
        raise Leaking(
            f"the report was not written: {len(found)} of {planted} planted secrets came through,"
            f" at {', '.join(sorted(found)[:5])}; please report this as a fault of regtrace"
        )
    return model.Canaries(planted, 0)


def trial(
    exchanges: Iterable[Exchange],
    level: Level,
    formats: Sequence[str] | None = None,
    *,
    copies: bool = False,
) -> tuple[int, frozenset[str]]:
    """How many different canaries were planted, and where those stood that came out."""
    planted = Planted(exchanges, level)
    found = planted.found_in(
        FORMATS[form](planted.report) for form in (FORMATS if formats is None else formats)
    )
    if copies:
        found |= planted.found_in_copies()
    return planted.canaries, found


class Planted:
    """A report on a copy of a capture with secrets planted in it, and the gate that knows them."""

    def __init__(self, exchanges: Iterable[Exchange], level: Level) -> None:
        tracker, canaries = Tracker(), dict[str, Canary]()
        sample = Sample()
        for exchange in exchanges:
            sample.add(exchange)
        self._redactor, self._exchanges = Redactor(level), list[Exchange]()
        for exchange in sample.exchanges():
            copy, planted = plant(exchange)
            self._exchanges.append(copy)
            self._redactor.learn(copy)
            tracker.feed(decode(copy))
            for canary in planted:
                if level is not Level.INTERNAL or not canary.personal:
                    canaries.setdefault(canary.value, canary)
        self.canaries = len(canaries)
        """How many different ones."""
        self.report = build(
            map(Telling.of, tracker.finish()),
            capture=model.Capture("canaries", "file", len(canaries), None, None),
            redactor=self._redactor,
        )
        self._gate = Gate()
        for number, canary in enumerate(canaries.values(), 1):
            self._gate.taint(f"{canary.where} (canary {number})", canary.value, whole=canary.whole)

    def found_in(self, outputs: Iterable[str | bytes]) -> frozenset[str]:
        """Where those stood that came out."""
        return frozenset(where for output in outputs for where in self._gate.leaks(output))

    def found_in_copies(self) -> frozenset[str]:
        """The same, of a redacted capture."""
        copier = Copier(self._redactor)
        return self.found_in(texts_of(copier.exchange(each)) for each in self._exchanges)


class Sample:
    """Exchanges to copy, at most ``MOST``: of each sort the first, then the last ones."""

    def __init__(self) -> None:
        self._seen = 0
        self._first: dict[tuple[object, ...], tuple[int, Exchange]] = {}
        self._last: deque[tuple[int, Exchange]] = deque(maxlen=MOST)

    def add(self, exchange: Exchange) -> None:
        if self._seen < _MOST_SEEN:
            numbered = self._seen, exchange
            self._seen += 1
            self._last.append(numbered)
            if len(self._first) < MOST:
                self._first.setdefault(_sort(exchange), numbered)

    def exchanges(self) -> list[Exchange]:
        """In the order in which they came."""
        wanted = dict(self._first.values())
        for number, exchange in reversed(self._last):
            if len(wanted) < MOST:
                wanted[number] = exchange
        return [wanted[number] for number in sorted(wanted)]


def _sort(exchange: Exchange) -> tuple[object, ...]:
    """Exchanges of one sort have secrets in the same places."""
    request, response = exchange.request, exchange.response
    names = frozenset(name.lower() for name, _ in request.headers)
    answered = frozenset(name.lower() for name, _ in response.headers) if response else None
    status = response.status if response else None
    return request.method, request.host, status, exchange.error is None, names, answered
