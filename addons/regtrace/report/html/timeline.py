"""The waterfall: when each transfer's legs ran, and above it how long tokens and signed URLs lived.

One axis for both, so that an end in the middle of an upload is seen. Across, all places are in
percent, so that the drawing fits any width and its text keeps its size.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from regtrace.report.html.amounts import few
from regtrace.report.html.grid import facts
from regtrace.report.html.speech import asked, host, lasted, outcome, state
from regtrace.report.model import Finding, Leg, Operation
from regtrace.report.visible import clock, duration
from regtrace.report.words import plural, transfer_name

_MOST_LIVES = 8
_MOST_ROWS = 40
_MOST_BARS = 80

_AXIS, _ROW, _BAR, _GAP = 30, 42, 12, 16
"""Heights of the axis, of a row, of a bar, of the space between the two halves (px)."""
_BAR_BELOW = 22
"""From the top of a row to its bar (px)."""

_LAST = 253_402_300_800.0
"""The end of the year 9999."""

_THINNEST = 0.4
"""Percent: of a bar that would else not be seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    width: float
    state: str
    leg: str
    said: str


@dataclass(frozen=True, slots=True)
class Row:
    y: int
    text: str
    facts: str
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Life:
    """Of a token or of signed URLs."""

    y: int
    name: str
    where: str
    lives: str
    ends: str
    """When, in words."""
    early: bool
    """It ends before all legs have ended."""
    x: float
    width: float
    cut: float | None
    """Where its end stands in the drawing; None when it is not within."""
    leg: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    ticks: list[Tick]
    lives: list[Life]
    rows: list[Row]
    bottom: int
    height: int
    began: str
    unknown: list[str]
    """Tokens that do not say how long they live."""
    left_out: int
    said: str


@dataclass(frozen=True, slots=True)
class _Axis:
    began: float
    span: float

    def place(self, moment: float) -> float:
        """In percent, within the drawing."""
        share = (moment - self.began) / self.span
        return round(min(max(share, 0.0), 1.0) * 100, 3) if math.isfinite(share) else 0.0

    @property
    def ended(self) -> float:
        return self.began + self.span


@dataclass(frozen=True, slots=True)
class _Lifetime:
    name: str
    where: str
    began: float
    ends: float
    legs: tuple[Leg, ...]
    """The legs that carried it."""


def timeline(
    operation: Operation, legs: Mapping[str, Leg], failed: Set[str], findings: Iterable[Finding]
) -> Timeline | None:
    """Of this operation; None when its legs bear no times that can be drawn."""
    known = [legs[leg] for leg in operation.legs if leg in legs]
    moments = [at for leg in known for at in map(_moment, (leg.started, leg.ended)) if at]
    if not moments:
        return None
    began = min(moments)
    axis = _Axis(began, max(max(moments) - began, 0.001))
    lifetimes = few(
        list(_lifetimes(known)),
        _MOST_LIVES,
        lambda life: life.ends < axis.ended or any(leg.id in failed for leg in life.legs),
    )
    dates = _dates(findings)
    lives = [
        _life(life, axis, _AXIS + _ROW * n, _refused_by(life, known, dates))
        for n, life in enumerate(lifetimes.items)
    ]
    top = _AXIS + _ROW * len(lives) + (_GAP if lives else 0)
    rows, left_out = _rows(operation, legs, failed, axis, top)
    bottom = top + _ROW * len(rows)
    return Timeline(
        ticks=_ticks(axis),
        lives=lives,
        rows=rows,
        bottom=bottom,
        height=bottom + 6,
        began=clock(began),
        unknown=_unknown(known),
        left_out=left_out + lifetimes.left_out,
        said=_said(axis, lives, rows),
    )


def _moment(value: object) -> float | None:
    """Epoch seconds; None where there is no such time."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and abs(value) < _LAST else None


def _rows(
    operation: Operation, legs: Mapping[str, Leg], failed: Set[str], axis: _Axis, top: int
) -> tuple[list[Row], int]:
    """The session, then the transfers; and how many are left out."""
    within = {leg for transfer in operation.transfers for leg in transfer.legs}
    session = [leg for leg in operation.legs if leg not in within]
    entries = [("session", "", session)] if session else []
    entries += [(transfer_name(one), facts(one), list(one.legs)) for one in operation.transfers]
    shown = few(entries, _MOST_ROWS, lambda entry: not failed.isdisjoint(entry[2]))
    drawn = [
        Row(
            top + _ROW * number,
            name,
            of_it,
            _bars([legs[leg] for leg in ids if leg in legs], failed, axis),
        )
        for number, (name, of_it, ids) in enumerate(shown.items)
    ]
    return drawn, shown.left_out


def _bars(legs: Sequence[Leg], failed: Set[str], axis: _Axis) -> list[Bar]:
    shown = few(legs, _MOST_BARS, lambda leg: leg.id in failed)
    return [_bar(leg, failed, axis) for leg in shown.items if _moment(leg.started)]


def _bar(leg: Leg, failed: Set[str], axis: _Axis) -> Bar:
    x = axis.place(leg.started)
    ended = _moment(leg.ended)
    end = x if ended is None else axis.place(ended)
    took = lasted(leg)
    said = f"{asked(leg)}: {outcome(leg)}" + (f", {duration(took)}" if took is not None else "")
    width = max(round(end - x, 3), _THINNEST)
    return Bar(min(x, 100 - width), width, state(leg, failed), leg.id, said)


# --- lifetimes


def _lifetimes(legs: Iterable[Leg]) -> Iterator[_Lifetime]:
    """Tokens in the order in which they came, then signed URLs; equal ones as one."""
    tokens: dict[str, _Lifetime] = {}
    urls: dict[tuple[str, float, float], list[Leg]] = {}
    for leg in legs:
        token = leg.decoded.get("issued_token")
        ends = _moment(token.get("expires")) if isinstance(token, Mapping) else None
        if isinstance(token, Mapping) and ends:
            name = str(token.get("label") or "token")
            began = _moment(token.get("not_before")) or leg.started
            if began < leg.started < ends:
                began = leg.started  # token servers date nbf back; a client has it from here on
            tokens.setdefault(name, _Lifetime(name, "", began, ends, (leg,)))
        signature = leg.decoded.get("signature")
        ends = _moment(signature.get("expires_at")) if isinstance(signature, Mapping) else None
        if isinstance(signature, Mapping) and ends:
            began = _moment(signature.get("signed_at")) or leg.started
            urls.setdefault((host(leg.url) or "", began, ends), []).append(leg)
    yield from tokens.values()
    for (where, began, ends), same in urls.items():
        yield _Lifetime("signed URL", where, began, ends, tuple(same))


def _dates(findings: Iterable[Finding]) -> dict[str, float]:
    """What the clock of who answered a leg said, where a finding shows it."""
    dates = {}
    for row in (row for finding in findings for row in finding.evidence):
        if row.where.lower() == "response.header.date":
            with contextlib.suppress(ValueError, TypeError, OverflowError):
                dates[row.leg] = parsedate_to_datetime(row.value).timestamp()
    return dates


def _refused_by(life: _Lifetime, legs: Iterable[Leg], dates: Mapping[str, float]) -> str:
    """Where it is another clock by which this was over, or had not begun: whose, and by how much.

    The drawing has one axis, that of the capture's clock, and can't show it.
    """
    carriers = {leg.id for leg in life.legs}
    for leg in legs:
        date = dates.get(leg.id)
        if date is None or not (leg.id in carriers or leg.decoded.get("token") == life.name):
            continue
        by_capture = leg.ended if leg.ended is not None else leg.started
        if date > life.ends >= by_capture:
            return f"over since {duration(date - life.ends)} by the clock of {host(leg.url)}"
        if date < life.began <= by_capture:
            return f"valid in {duration(life.began - date)} by the clock of {host(leg.url)}"
    return ""


def _life(life: _Lifetime, axis: _Axis, y: int, refused: str) -> Life:
    x, end = axis.place(life.began), axis.place(life.ends)
    times = f" \N{MULTIPLICATION SIGN}{len(life.legs)}" if len(life.legs) > 1 else ""
    return Life(
        y=y,
        name=f"{life.name}{times}",
        where=life.where,
        lives=duration(life.ends - life.began),
        ends=refused or _ends(life, axis),
        early=bool(refused) or life.ends < axis.ended or life.began > axis.ended,
        x=x,
        width=max(round(end - x, 3), 0.0),
        cut=end if axis.began <= life.ends <= axis.ended else None,
        leg=life.legs[0].id,
    )


def _ends(life: _Lifetime, axis: _Axis) -> str:
    if life.began > axis.ended:
        return f"begins {duration(life.began - axis.ended)} after the last leg"
    if life.ends < axis.began:
        return f"had ended {duration(axis.began - life.ends)} before the first leg"
    if life.ends < axis.ended:
        return f"ends {duration(axis.ended - life.ends)} before the last leg does"
    return f"ends {duration(life.ends - axis.ended)} after the last leg"


def _unknown(legs: Iterable[Leg]) -> list[str]:
    issued = [leg.decoded.get("issued_token") for leg in legs]
    silent = [t for t in issued if isinstance(t, Mapping) and not _moment(t.get("expires"))]
    return list(dict.fromkeys(str(token.get("label") or "token") for token in silent))[:_MOST_LIVES]


# --- the axis


def _ticks(axis: _Axis) -> list[Tick]:
    """About four round steps."""
    rough = axis.span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= rough * 0.999)
    if rough > 30:
        step = next((s for s in _ROUND if s >= rough), step)
    count = int(axis.span / step + 1e-9)
    return [
        Tick(axis.place(axis.began + step * n), "0" if n == 0 else f"+{_tick(step * n)}")
        for n in range(count + 1)
    ]


_ROUND = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
"""Steps of seconds that people count in."""


def _tick(seconds: float) -> str:
    if seconds >= 60:
        return duration(seconds)
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _said(axis: _Axis, lives: Sequence[Life], rows: Sequence[Row]) -> str:
    said = f"{duration(axis.span)} in all, {plural(len(rows), 'row')}."
    bad = [bar.said for row in rows for bar in row.bars if bar.state == "bad"]
    for one in bad[:3]:
        said += f" Failed: {one}."
    for life in lives:
        said += f" {life.name} {life.where}".rstrip() + f" {life.ends}."
    return said
