"""The proof in every report: secrets planted in a copy of this very capture do not come out.

The copy goes the same way as the capture: decode, follow, diagnose, build, every renderer. Then a
gate that knows the canaries looks at each output.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from regtrace.follow.tracker import Tracker
from regtrace.redact.canary import Canary, plant
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import model
from regtrace.report.build import Telling, build
from regtrace.report.output import FORMATS, Leaking
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Exchange

#: Exchanges that are copied at most, so that a proof costs a fraction of its report.
MOST = 50
#: Exchanges that are looked at to choose them.
_MOST_SEEN = 5_000


def prove(
    exchanges: Iterable[Exchange], level: Level, formats: Sequence[str] | None = None
) -> model.Canaries:
    """How many canaries were planted; none was found, or Leaking is raised.

    ``formats`` are names in ``output.FORMATS``; all of them when nothing is said.
    """
    planted, found = trial(exchanges, level, formats)
    if found:
        raise Leaking(
            f"the report was not written: {len(found)} of {planted} planted secrets came through,"
            f" at {', '.join(sorted(found)[:5])}; please report this as a fault of regtrace"
        )
    return model.Canaries(planted, 0)


def trial(
    exchanges: Iterable[Exchange], level: Level, formats: Sequence[str] | None = None
) -> tuple[int, frozenset[str]]:
    """How many different canaries were planted, and where those stood that came out."""
    tracker, canaries = Tracker(), dict[str, Canary]()
    for exchange in chosen(exchanges):
        copy, planted = plant(exchange)
        tracker.feed(decode(copy))
        for canary in planted:
            if level is not Level.INTERNAL or not canary.personal:
                canaries.setdefault(canary.value, canary)
    report = build(
        map(Telling.of, tracker.finish()),
        capture=model.Capture("canaries", "file", len(canaries), None, None),
        redactor=Redactor(level),
    )
    gate = Gate()
    for number, canary in enumerate(canaries.values(), 1):
        gate.taint(f"{canary.where} (canary {number})", canary.value)
    found: set[str] = set()
    for form in FORMATS if formats is None else formats:
        found.update(gate.leaks(FORMATS[form](report)))
    return len(canaries), frozenset(found)


def chosen(exchanges: Iterable[Exchange]) -> list[Exchange]:
    """At most ``MOST``, in their order: of each sort the first, then the last ones."""
    seen = list(islice(exchanges, _MOST_SEEN))
    sorts = {_sort(exchange): exchange.id for exchange in reversed(seen)}
    first = set(islice(reversed(sorts.values()), MOST))
    rest = [exchange.id for exchange in reversed(seen) if exchange.id not in first]
    wanted = first | set(rest[: MOST - len(first)])
    return [exchange for exchange in seen if exchange.id in wanted]


def _sort(exchange: Exchange) -> tuple[object, ...]:
    """Exchanges of one sort have secrets in the same places."""
    request, response = exchange.request, exchange.response
    names = frozenset(name.lower() for name, _ in request.headers)
    answered = frozenset(name.lower() for name, _ in response.headers) if response else None
    status = response.status if response else None
    return request.method, request.host, status, exchange.error is None, names, answered
