"""How far each server's clock is from the proxy's, from its ``Date`` headers, with an error bar.

An answer's ``Date`` is written between the end of the request and the beginning of the answer, and
cut to a whole second, so each one says: the clock's lead lies in an interval. Several narrow it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from regtrace.diagnose.facts.answers import received, server_time
from regtrace.wire.leg import Leg


@dataclass(frozen=True, slots=True)
class Clock:
    """A server's clock against the proxy's. Positive: it is ahead."""

    least: float
    most: float
    """Seconds that it is ahead, at least and at most."""
    leg: Leg
    """An answer that shows it."""

    @property
    def ahead(self) -> float:
        """Seconds, the middle of what is possible."""
        return (self.least + self.most) / 2


def read_clocks(legs: Iterable[Leg]) -> dict[str, Clock]:
    """Authority → its clock. Answers from a cache (``Age``) carry an old date and don't count."""
    seen: dict[str, list[Clock]] = {}
    for leg in legs:
        clock = _clock(leg)
        if clock:
            seen.setdefault(leg.url.authority, []).append(clock)
    return {authority: _narrowed(clocks) for authority, clocks in seen.items()}


def _clock(leg: Leg) -> Clock | None:
    date, response = server_time(leg), leg.exchange.response
    if date is None or response is None or "Age" in received(leg):
        return None
    begun = leg.exchange.request.started
    answered = max(response.started, begun)
    return Clock(date - answered, date + 1 - begun, leg)


def _narrowed(clocks: list[Clock]) -> Clock:
    least, most = max(c.least for c in clocks), min(c.most for c in clocks)
    tightest = min(clocks, key=lambda clock: clock.most - clock.least)
    if least <= most:
        return Clock(least, most, tightest.leg)
    # Several machines behind one name, or a clock that was set meanwhile: what most of them say.
    middle = median(clock.ahead for clock in clocks)
    return min(clocks, key=lambda clock: abs(clock.ahead - middle))


def in_words(seconds: float) -> str:
    """A span of time for a sentence: ``40 seconds``, ``25 minutes``, ``3 hours``, ``2 days``."""
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    whole = round(seconds)
    return "1 second" if whole == 1 else f"{whole} seconds"
