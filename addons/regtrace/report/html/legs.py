"""Every leg that is drawn: its line in the list, and all that was read from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from regtrace.report.html.speech import after, answered, asked, lasted, moment, place, read, state
from regtrace.report.model import Finding, Leg, Operation, Report, Transfer
from regtrace.report.visible import clock, duration, size
from regtrace.report.words import operation_name, transfer_name

MOST = 2000
"""Legs that are drawn at most; how many have room is another question."""


@dataclass(frozen=True, slots=True)
class Line:
    id: str
    state: str
    clock: str
    offset: str
    asked: str
    host: str
    answered: str
    took: str
    began: str
    ended: str
    bytes: str
    belongs: str
    redirected_from: str | None
    retry_of: str | None
    findings: list[Finding]
    url: str
    error: str | None
    connection: str | None
    read: list[tuple[str, str]]
    started: float
    """For the order in which a script puts them."""
    seconds: float
    moved: int
    is_open: bool


def wanted(report: Report, operations: Sequence[Operation], failed: Set[str]) -> list[str]:
    """The legs to draw, those first that matter most: which findings name, then those of these
    operations, then those outside any."""
    named = [row.leg for finding in report.findings for row in finding.evidence]
    named += [leg for finding in report.findings for leg in finding.legs]
    own = [leg for operation in operations for leg in operation.legs]
    outside = (leg.id for leg in report.legs.values() if leg.operation is None)
    marked = [leg for leg in own if leg in failed]
    ranked = dict.fromkeys(_each(named, marked, own, outside))
    return [leg for leg in ranked if leg in report.legs][:MOST]


def _each(*several: Sequence[str] | Iterator[str]) -> Iterator[str]:
    for ids in several:
        yield from ids


class Lines:
    """Makes the lines of one report."""

    def __init__(self, report: Report, failed: Set[str]) -> None:
        self._report = report
        self._failed = failed
        self._operations = {operation.id: operation for operation in report.operations}
        self._transfers: Mapping[tuple[str, str], Transfer] = {
            (operation.id, transfer.id): transfer
            for operation in report.operations
            for transfer in operation.transfers
        }
        self._findings: dict[str, list[Finding]] = {}
        for finding in report.findings:
            for leg in dict.fromkeys(finding.legs):
                self._findings.setdefault(leg, []).append(finding)

    def line(self, leg: Leg) -> Line:
        operation = self._operations.get(leg.operation or "")
        since = operation.started if operation else self._report.capture.first
        took = lasted(leg)
        of_leg = state(leg, self._failed)
        return Line(
            id=leg.id,
            state=of_leg,
            clock=clock(leg.started),
            offset=after(leg.started, leg.started if since is None else since),
            asked=asked(leg),
            host=place(leg),
            answered=answered(leg),
            took="" if took is None else duration(took),
            began=moment(leg.started),
            ended="" if leg.ended is None else moment(leg.ended),
            bytes=_bytes(leg),
            belongs=self._belongs(leg, operation),
            redirected_from=leg.redirected_from,
            retry_of=leg.retry_of,
            findings=self._findings.get(leg.id, [])[:8],
            url=leg.url,
            error=leg.error,
            connection=leg.connection,
            read=read(leg),
            started=leg.started,
            seconds=took or 0.0,
            moved=(leg.request_bytes or 0) + (leg.response_bytes or 0),
            is_open=of_leg == "bad",
        )

    def _belongs(self, leg: Leg, operation: Operation | None) -> str:
        if operation is None:
            return "no operation"
        transfer = self._transfers.get((operation.id, leg.transfer or ""))
        name = operation_name(operation)
        return f"{name}, {transfer_name(transfer)}" if transfer else name


def _bytes(leg: Leg) -> str:
    known = [
        f"{size(count)} {way}"
        for count, way in ((leg.request_bytes, "sent"), (leg.response_bytes, "received"))
        if count
    ]
    return ", ".join(known)
