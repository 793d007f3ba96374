"""The logs of one report: read one after the other, with what they say and what they leave open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from regtrace.evidence.reading import Count, Unreadable, opened
from regtrace.evidence.registry_log import Join
from regtrace.wire.leg import Leg
from regtrace.wire.testimony import NO_TESTIMONY, Testimonies

#: Line numbers that are named of one log.
_MANY = 8


@dataclass(frozen=True, slots=True)
class Heard:
    testimonies: Testimonies = NO_TESTIMONY
    counts: tuple[tuple[str, Count], ...] = ()
    """Name of each log, and what became of its lines."""
    users: frozenset[str] = frozenset()
    texts: tuple[str, ...] = ()
    """All that is shown of the logs, which may hold secrets."""
    asked: int = 0
    """Legs that a log could have spoken of."""


def hear(paths: Sequence[str], legs: Iterable[Leg]) -> Heard:
    """What these logs say of the legs. Raises Unreadable, with the path in it."""
    join = Join(legs)
    counts: list[tuple[str, Count]] = []
    for path in paths:
        try:
            with opened(path) as stream:
                counts.append((_name(path), join.read(stream, path)))
        except Unreadable as fault:
            raise Unreadable(f"{path}: {fault}") from None
    said = join.joined.testimonies()
    lines = (*said.general, *(line for told in said.by_leg.values() for line in told))
    return Heard(
        testimonies=said,
        counts=tuple(counts),
        users=frozenset(join.joined.users),
        texts=tuple(line.said for line in lines),
        asked=join.asked,
    )


def lacks(heard: Heard) -> Iterator[tuple[str, str, str]]:
    """What the logs leave open: what, why, and what follows from it."""
    for name, count in heard.counts:
        if not heard.asked:
            yield (
                f"what {name} says",
                "no request to a registry or token server was refused",
                _IDLE,
            )
        elif not count.joined:
            yield (f"what {name} says of the requests that failed", _why_nothing(count), _ALONE)
        if count.ambiguous:
            lines = ", ".join(map(str, count.ambiguous[:_MANY]))
            more = (
                f" and {len(count.ambiguous) - _MANY} more" if len(count.ambiguous) > _MANY else ""
            )
            yield (
                f"which requests lines {lines}{more} of {name} are about",
                "each fits several requests of the capture alike, by method, path and time",
                "they are used for none; an X-Request-Id header would tell them apart",
            )
        unread = count.unreadable + count.too_long
        if unread:
            yield (
                f"{unread} lines of {name} that name such a request",
                "they are in no form that regtrace knows, or longer than 64 kB",
                "what they say is not used",
            )


_IDLE = "it was not needed"
_ALONE = "the verdict rests on the traffic alone"


def _why_nothing(count: Count) -> str:
    if not count.lines:
        return "it is empty"
    if count.missed:
        near = min(count.missed, key=abs)
        way = "later" if near > 0 else "earlier"
        return (
            f"of its {count.lines} lines {len(count.missed)} name such a request, but at other"
            f" times: the nearest {abs(near):.0f} s {way}. Is it the log of this day, and are the"
            " clocks right?"
        )
    return f"none of its {count.lines} lines names one of them"


def _name(path: str) -> str:
    return "standard input" if path == "-" else PurePath(path).name
