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
    planted, found = trial(exchanges, level, formats, copies=copies)
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
    tracker, canaries = Tracker(), dict[str, Canary]()
    sample = Sample()
    for exchange in exchanges:
        sample.add(exchange)
    redactor, planteds = Redactor(level), list[Exchange]()
    for exchange in sample.exchanges():
        copy, planted = plant(exchange)
        planteds.append(copy)
        redactor.learn(copy)
        tracker.feed(decode(copy))
        for canary in planted:
            if level is not Level.INTERNAL or not canary.personal:
                canaries.setdefault(canary.value, canary)
    report = build(
        map(Telling.of, tracker.finish()),
        capture=model.Capture("canaries", "file", len(canaries), None, None),
        redactor=redactor,
    )
    gate = Gate()
    for number, canary in enumerate(canaries.values(), 1):
        gate.taint(f"{canary.where} (canary {number})", canary.value, whole=canary.whole)
    found: set[str] = set()
    for form in FORMATS if formats is None else formats:
        found.update(gate.leaks(FORMATS[form](report)))
    copier = Copier(redactor)
    for exchange in planteds if copies else ():
        found.update(gate.leaks(texts_of(copier.exchange(exchange))))
    return len(canaries), frozenset(found)


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
