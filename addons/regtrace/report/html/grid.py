"""The grid: a row for each blob and manifest, a column for each step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from regtrace.report.html.speech import outcome, state
from regtrace.report.model import Leg, Operation, Transfer
from regtrace.report.visible import duration, rate, size
from regtrace.report.words import Step, steps, transfer_name

_MOST_ROWS = 60
_MOST_IN_CELL = 4

_COLUMN_OF = {
    "connect": "connect",
    "ping": "ping",
    "token": "token",
    "blob-head": "exists?",
    "manifest-head": "exists?",
    "mount": "mount",
    "upload-start": "start",
    "upload-chunk": "data",
    "upload-status": "status",
    "upload-commit": "commit",
    "manifest-put": "commit",
    "blob-get": "read",
    "manifest-get": "read",
    "upload-cancel": "cancel",
    "blob-delete": "delete",
    "manifest-delete": "delete",
    "storage": "storage",
}
_OTHER = "other"
_READ_BACK = "read back"
_COLUMNS = (
    *("connect", "ping", "token", "exists?", "mount", "start", "data", "status", "commit"),
    *(_READ_BACK, "read", "storage", "cancel", "delete", _OTHER),
)
"""In the order of a push; a column in which nothing stands is not drawn."""

_SIGNS = {"good": "✓", "bad": "✗", "open": "!", "plain": "○"}
_SPOKEN = {"good": "went well", "bad": "failed", "open": "worth a look", "plain": "as usual"}

_DIGEST = {True: "verified", False: "WRONG", None: "not checked"}


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing in a cell: ``✓ 202``, and where it links to."""

    sign: str
    text: str
    spoken: str
    """The same for who hears it."""
    state: str
    """``good``, ``bad``, ``plain`` or ``open``."""
    leg: str


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    transfer: Transfer | None
    """None: what belongs to no transfer."""
    cells: list[list[Mark]]
    facts: str
    digest: str


@dataclass(frozen=True, slots=True)
class Grid:
    columns: list[str]
    rows: list[Row]
    left_out: int

    @property
    def digests(self) -> bool:
        """Whether a column of them has anything in it."""
        return any(row.digest for row in self.rows)


def grid(operation: Operation, legs: Mapping[str, Leg], failed: Set[str]) -> Grid:
    """The steps of this operation; ``legs`` are its own, ``failed`` those to mark.

    The session comes first, then what failed, then the rest as it came.
    """
    transfers = sorted(operation.transfers, key=lambda one: not _is_bad(one, failed))
    within = {leg for transfer in operation.transfers for leg in transfer.legs}
    session = [leg for leg in operation.legs if leg not in within]
    issuers = _issuers(legs.values())
    rows: list[tuple[Transfer | None, dict[str, list[Mark]]]] = []
    if session:
        rows.append((None, _marks(session, legs, failed, {})))
    rows += [(one, _marks(one.legs, legs, failed, issuers)) for one in transfers[:_MOST_ROWS]]
    columns = [column for column in _COLUMNS if any(column in marks for _, marks in rows)]
    left_out = max(len(transfers) - _MOST_ROWS, 0)
    return Grid(columns, [_row(one, marks, columns) for one, marks in rows], left_out)


def _is_bad(transfer: Transfer, failed: Set[str]) -> bool:
    return transfer.outcome == "failed" or not failed.isdisjoint(transfer.legs)


def _row(transfer: Transfer | None, marks: Mapping[str, list[Mark]], columns: list[str]) -> Row:
    cells = [marks.get(column, []) for column in columns]
    if transfer is None:
        return Row("session", None, cells, "", "")
    has_bytes = transfer.bytes_sent or transfer.bytes_received
    checked = transfer.digest_verified is not None or has_bytes
    digest = _DIGEST[transfer.digest_verified] if checked else ""
    return Row(transfer_name(transfer), transfer, cells, facts(transfer), digest)


def facts(transfer: Transfer) -> str:
    """``3.2 MB, 0.40 s, 8.1 MB/s``, as far as known."""
    moved = max(transfer.bytes_sent, transfer.bytes_received)
    known = []
    if transfer.size is not None and transfer.outcome == "failed" and 0 < moved < transfer.size:
        known.append(f"{size(moved)} of {size(transfer.size)}")
    elif transfer.size is not None or moved:
        known.append(size(moved if transfer.size is None else transfer.size))
    if transfer.seconds is not None:
        known += [duration(transfer.seconds), rate(moved, transfer.seconds)]
    return ", ".join(fact for fact in known if fact)


def _marks(
    ids: Iterable[str], legs: Mapping[str, Leg], failed: Set[str], issuers: Mapping[str, str]
) -> dict[str, list[Mark]]:
    """What stands in each column."""
    sorted_legs: dict[str, list[Leg]] = {}
    committed = False
    tokens = dict[str, None]()
    for leg in (legs[leg_id] for leg_id in ids if leg_id in legs):
        column = _COLUMN_OF.get(leg.kind, _OTHER)
        if committed and column == "exists?":
            column = _READ_BACK
        committed = committed or column == "commit"
        sorted_legs.setdefault(column, []).append(leg)
        tokens[str(leg.decoded.get("token"))] = None
    marks = {
        column: _folded(steps(found, failed), legs, column, failed)
        for column, found in sorted_legs.items()
    }
    used = [_token(label, issuers[label]) for label in tokens if label in issuers]
    if used:
        marks["token"] = [*used[:_MOST_IN_CELL], *marks.get("token", [])]
    return marks


def _issuers(legs: Iterable[Leg]) -> dict[str, str]:
    """The leg in which each token came, by the token's label."""
    issued = ((leg.id, leg.decoded.get("issued_token")) for leg in legs)
    return {str(token.get("label")): leg for leg, token in issued if isinstance(token, Mapping)}


def _token(label: str, leg: str) -> Mark:
    return Mark("", label, f"uses {label}", "plain", leg)


def _folded(
    folded: list[Step], legs: Mapping[str, Leg], column: str, failed: Set[str]
) -> list[Mark]:
    marks = [_mark(step, legs[step.legs[-1]], column, failed) for step in folded]
    if len(marks) <= _MOST_IN_CELL:
        return marks
    bad = [mark for mark in marks if mark.state == "bad"]
    return list(dict.fromkeys([*marks[:1], *bad[-1:], *marks[-1:]]))


def _mark(step: Step, leg: Leg, column: str, failed: Set[str]) -> Mark:
    """A sign that needs no colour stands before the answer."""
    times = f" \N{MULTIPLICATION SIGN}{len(step.legs)}" if len(step.legs) > 1 else ""
    of_leg = state(leg, failed)
    sign = "→" if leg.status and 300 <= leg.status < 400 else _SIGNS[of_leg]
    spoken = f"{column}: {step.label}, {_SPOKEN[of_leg]}"
    return Mark(sign, f"{outcome(leg)}{times}", spoken, of_leg, step.legs[-1])
