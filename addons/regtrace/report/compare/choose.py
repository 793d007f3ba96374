"""Which two operations are laid side by side: what failed, and the most like it that did not."""

from __future__ import annotations

from regtrace.report.model import Operation, Report
from regtrace.report.visible import visible
from regtrace.report.words import operation_name, plural

_MOST_NAMED = 5


class Unlike(Exception):
    """No two operations to compare. The message says what is there, and what to do."""


def choose(
    good: Report, bad: Report, good_id: str | None = None, bad_id: str | None = None
) -> tuple[Operation, Operation]:
    """The good one and the bad one, each by its id where one is given. Raises Unlike."""
    wrong = _named(bad, bad_id, "BAD", "--bad") if bad_id else _worst(bad)
    if good_id:
        return _named(good, good_id, "GOOD", "--good"), wrong
    # What failed before it was known what it would become is like anything.
    of_its_kind = [one for one in good.operations if wrong.kind in {one.kind, "other"}]
    if not of_its_kind:
        raise Unlike(
            f"GOOD holds no {wrong.kind} to compare with {visible(operation_name(wrong))};"
            f" it holds {_list(good)}"
        )
    return max(of_its_kind, key=lambda operation: _likeness(operation, wrong)), wrong


def _worst(report: Report) -> Operation:
    """The first that failed, else the first that did not end, else the first."""
    order = ("failed", "incomplete", "ok")
    by_outcome = sorted(report.operations, key=lambda operation: order.index(operation.outcome))
    if not by_outcome:
        raise Unlike("BAD holds no operation; no registry traffic was seen in it")
    return by_outcome[0]


def _likeness(operation: Operation, other: Operation) -> tuple[bool, ...]:
    """What counts, in this order."""
    return (
        operation.outcome == "ok",
        operation.repository == other.repository,
        operation.registry == other.registry,
        operation.client.product == other.client.product,
        operation.reference == other.reference,
        bool(_digests(operation) & _digests(other)),
    )


def _digests(operation: Operation) -> set[str]:
    return {transfer.digest for transfer in operation.transfers if transfer.digest}


def _named(report: Report, wanted: str, side: str, option: str) -> Operation:
    for operation in report.operations:
        if operation.id == wanted:
            return operation
    said = f"{side} holds no operation {visible(wanted, limit=60)} ({option})"
    raise Unlike(f"{said}; it holds {_list(report)}")


def _list(report: Report) -> str:
    """``push-1 (failed), pull-1 (ok)``."""
    named = [f"{visible(one.id, limit=40)} ({one.outcome})" for one in report.operations]
    more = len(named) - _MOST_NAMED
    if more > 0:
        named[_MOST_NAMED:] = [f"{plural(more, 'more operation')}"]
    return ", ".join(named) or "no operation"
