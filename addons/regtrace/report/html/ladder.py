"""The sequence diagram: the client, and whom it asked, with an arrow for each step.

What happened alike is drawn once: equal legs in a row, and blobs that went the same way. Across,
all places are in percent, so that the drawing fits any width and its text keeps its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from regtrace.report.html.speech import after, asked, outcome, place, state
from regtrace.report.model import Finding, Leg, Operation, Transfer
from regtrace.report.visible import size, visible
from regtrace.report.words import VENDORS, leg_name, plural, steps, transfer_name

_MOST_ACTORS = 6
_LONGEST_HOST = 28

_FIRST, _AROUND, _LAST = 14, 2, 10
"""Arrows of a long story that are drawn: at either end, and around each failed one."""
_MOST_FAILED = 12

_HEAD, _ARROW, _LINE, _END = 52, 50, 30, 14
"""Heights of the actors' names, of an arrow, of a line of text, of what is below all (px)."""

_LEFT, _RIGHT = 6.0, 92.0
"""Where the first and the last actor stand, in percent."""


@dataclass(frozen=True, slots=True)
class Actor:
    role: str
    host: str
    x: float


@dataclass(frozen=True, slots=True)
class Row:
    """An arrow to ``actor``; or, where that is None, a line of text, of a finding perhaps."""

    y: int
    text: str
    actor: Actor | None = None
    at: str = ""
    answer: str = ""
    state: str = "plain"
    leg: str = ""
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Ladder:
    actors: list[Actor]
    rows: list[Row]
    height: int
    said: str
    """The drawing in a sentence, for who can't see it."""


@dataclass(frozen=True, slots=True)
class _Arrow:
    legs: tuple[Leg, ...]
    transfer: Transfer | None

    @property
    def last(self) -> Leg:
        return self.legs[-1]


class _Drawn(NamedTuple):
    """A leg that is drawn."""

    at: int
    leg: Leg
    after: int
    """How many legs of transfers are drawn before it; 0 for those of transfers themselves."""


def ladder(
    operation: Operation,
    legs: Mapping[str, Leg],
    failed: Set[str],
    findings: Sequence[Finding],
) -> Ladder:
    """The story of this operation; ``legs`` are its own, ``failed`` those to mark."""
    alike = _alike(operation, legs, failed)
    arrows = _arrows(operation, legs, failed, alike)
    actors = _actors(operation, arrows)
    roots = {leg: f for f in reversed(findings) if f.explained_by is None for leg in f.legs}
    rows: list[Row] = []
    y = _HEAD

    def add(row: Row, height: int) -> None:
        nonlocal y
        rows.append(replace(row, y=y))
        y += height

    before: Transfer | None = None
    last, named = -1, set[str]()
    places = _drawn(arrows, failed)
    for number in places:
        arrow = arrows[number]
        skipped = number - last - 1
        if skipped:
            add(Row(0, f"{plural(skipped, 'step')} more, not drawn"), _LINE)
        if arrow.transfer is not before:
            add(Row(0, _heading(arrow.transfer, alike, named)), _LINE)
        add(_row(arrow, actors, failed, operation.started), _ARROW)
        root = roots.get(arrow.last.id) if arrow.last.id in failed else None
        if root:
            add(Row(0, f"{root.rule} {root.slug}", finding=root.id), _LINE)
        last, before = number, arrow.transfer
    said = _said(operation, arrows, len(places), failed)
    return Ladder(list(dict.fromkeys(actors.values())), rows, y + _END, said)


def _alike(
    operation: Operation, legs: Mapping[str, Leg], failed: Set[str]
) -> dict[str, list[Transfer]]:
    """The id of the first transfer of each sort → all that went its way."""
    sorts: dict[tuple[object, ...], list[Transfer]] = {}
    for transfer in operation.transfers:
        known = (legs[leg] for leg in transfer.legs if leg in legs)
        way = tuple((step.name, step.failed) for step in steps(known, failed))
        sorts.setdefault((transfer.kind, *way), []).append(transfer)
    return {same[0].id: same for same in sorts.values()}


def _arrows(
    operation: Operation,
    legs: Mapping[str, Leg],
    failed: Set[str],
    alike: Mapping[str, list[Transfer]],
) -> list[_Arrow]:
    """In the order in which they began. Transfers run side by side: each is folded by itself."""
    within = {leg: one for one in operation.transfers for leg in one.legs}
    strands: dict[str, list[_Drawn]] = {}
    others = 0
    for at, id_ in enumerate(operation.legs):
        owner = within.get(id_)
        if id_ in legs and (owner is None or owner.id in alike):
            # What stands outside any transfer, such as a token, is told where it came in between.
            others += owner is not None
            one = _Drawn(at, legs[id_], 0 if owner else others)
            strands.setdefault(owner.id if owner else "", []).append(one)
    arrows: list[tuple[int, _Arrow]] = []
    for strand in strands.values():
        for _, group in groupby(strand, key=lambda one: (one.after, *_same(one.leg, failed))):
            run = list(group)
            arrow = _Arrow(tuple(one.leg for one in run), within.get(run[0].leg.id))
            arrows.append((run[0].at, arrow))
    return [arrow for _, arrow in sorted(arrows, key=lambda entry: entry[0])]


def _same(leg: Leg, failed: Set[str]) -> tuple[object, ...]:
    """Neighbours for which this is equal are one arrow."""
    return leg.kind, leg_name(leg), place(leg), leg.id in failed


def _drawn(arrows: Sequence[_Arrow], failed: Set[str]) -> list[int]:
    """Which of the arrows."""
    count = len(arrows)
    wanted = {*range(min(_FIRST, count)), *range(max(0, count - _LAST), count)}
    bad = [number for number, arrow in enumerate(arrows) if arrow.last.id in failed]
    for number in bad[:_MOST_FAILED]:
        wanted.update(range(max(0, number - _AROUND), min(count, number + _AROUND + 1)))
    return sorted(wanted)


_Key = tuple[str, str]


def _actors(operation: Operation, arrows: Iterable[_Arrow]) -> dict[_Key, Actor]:
    """By role and host, in the order registry, token server, storage; what is too many, as one."""
    keys = dict.fromkeys(_key(arrow.last) for arrow in arrows)
    ordered = sorted(keys, key=lambda key: _ROLES.get(key[0], len(_ROLES)))
    crowd = len(ordered) >= _MOST_ACTORS
    alone = ordered[: _MOST_ACTORS - 2] if crowd else ordered
    names = [
        ("client", operation.client.product or ""),
        *alone,
        *([("others", "")] if crowd else []),
    ]
    gap = (_RIGHT - _LEFT) / max(len(names) - 1, 1)
    made = [
        Actor(role, visible(where, limit=_LONGEST_HOST), round(_LEFT + gap * number, 2))
        for number, (role, where) in enumerate(names)
    ]
    by_key = dict(zip(alone, made[1:], strict=False))
    return {("", ""): made[0], **{key: by_key.get(key, made[-1]) for key in ordered}}


_ROLES = {"registry": 0, "token server": 1}


def _key(leg: Leg) -> _Key:
    role = "registry"
    if leg.kind == "token":
        role = "token server"
    elif leg.kind == "storage":
        vendor = str(leg.decoded.get("vendor") or "storage")
        role = VENDORS.get(vendor, "storage")
    return role, place(leg)


def _heading(
    transfer: Transfer | None, alike: Mapping[str, list[Transfer]], named: set[str]
) -> str:
    if transfer is None:
        return "session"
    more = len(alike[transfer.id]) - 1
    first = transfer.id not in named
    named.add(transfer.id)
    name = transfer_name(transfer)
    return f"{name}, and {more} more that went the same way" if more and first else name


def _row(arrow: _Arrow, actors: Mapping[_Key, Actor], failed: Set[str], began: float) -> Row:
    leg = arrow.last
    times = len(arrow.legs)
    text = asked(leg)
    if times > 1:
        moved = sum(each.request_bytes or 0 for each in arrow.legs)
        text += f" \N{MULTIPLICATION SIGN}{times}" + (f", {size(moved)}" if moved else "")
    return Row(
        y=0,
        text=visible(text, limit=60),
        actor=actors[_key(leg)],
        at=after(arrow.legs[0].started, began),
        answer=outcome(leg),
        state=state(leg, failed),
        leg=leg.id,
    )


def _said(operation: Operation, arrows: Sequence[_Arrow], drawn: int, failed: Set[str]) -> str:
    bad = [arrow.last for arrow in arrows if arrow.last.id in failed]
    said = f"{plural(drawn, 'step')} of the {operation.kind}, from top to bottom in time."
    for leg in bad[:3]:
        said += f" Failed: {asked(leg)} at {place(leg) or 'an unknown place'}, {outcome(leg)}."
    return said if bad else f"{said} None of them failed."
