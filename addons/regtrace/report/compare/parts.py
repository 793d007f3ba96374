"""The rows of a comparison as people read them: blob by blob, equal neighbours folded, and of very
many the ones that diverge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from regtrace.report.compare.model import Half, Row
from regtrace.report.compare.words import phrase, sign

MOST_PARTS = 20
"""Blobs and manifests that are drawn; those that diverge come first."""

_MOST_GROUPS = 12
"""Of one of them."""


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbours of which the same is to be said."""

    mark: str
    """``=`` alike, ``~`` differs in what changes from run to run, ``!!`` diverges, ``<`` only the
    good side has it, ``>`` only the bad one."""
    told: str
    good: tuple[str, ...]
    """The names of the legs, with a count where one came several times in a row."""
    bad: tuple[str, ...]
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    groups: tuple[Group, ...]
    legs_left_out: int
    left_out_that_diverge: int


@dataclass(frozen=True, slots=True)
class Rest:
    """What is not drawn."""

    parts: int
    legs: int
    diverging: int


def parts_of(rows: Iterable[Row]) -> tuple[list[Part], Rest]:
    """In the order in which they began."""
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        by_name.setdefault(row.part, []).append(row)
    worst = sorted(by_name, key=lambda name: min(map(_rank, by_name[name])))
    drawn = {*worst[:MOST_PARTS]}
    rest = [row for name in worst[MOST_PARTS:] for row in by_name[name]]
    return (
        [_part(name, some) for name, some in by_name.items() if name in drawn],
        Rest(len(by_name) - len(drawn), len(rest), sum(row.matters for row in rest)),
    )


def _rank(row: Row) -> tuple[bool, bool]:
    return not row.matters, not row.differences


def _part(name: str, rows: Sequence[Row]) -> Part:
    groups = [(key, list(some)) for key, some in groupby(rows, key=_story)]
    hidden = [row for _, some in groups[_MOST_GROUPS:] for row in some]
    return Part(
        name=name,
        groups=tuple(_group(mark, told, some) for (mark, told), some in groups[:_MOST_GROUPS]),
        legs_left_out=len(hidden),
        left_out_that_diverge=sum(row.matters for row in hidden),
    )


def _group(mark: str, told: str, rows: Sequence[Row]) -> Group:
    return Group(
        mark=mark,
        told=told,
        good=_folded(row.good for row in rows),
        bad=_folded(row.bad for row in rows),
        rows=tuple(row.id for row in rows),
    )


def _story(row: Row) -> tuple[str, str]:
    """The sign of a row, and what is to be said of it."""
    if row.bad is None:
        return "<", ""
    if row.good is None:
        return ("!!", "only the bad side has it") if row.matters else (">", "")
    return sign(row), "; ".join(phrase(one) for one in row.differences)


def _folded(halves: Iterable[Half | None]) -> tuple[str, ...]:
    names = groupby(half.name for half in halves if half)
    counted = ((name, len(list(some))) for name, some in names)
    times = "\N{MULTIPLICATION SIGN}"
    return tuple(f"{name} {times}{count}" if count > 1 else name for name, count in counted)
