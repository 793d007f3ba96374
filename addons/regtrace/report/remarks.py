"""What stands beside a flow in mitmproxy's own lists: what this leg is, and what was wrong with it.

A remark lets the flow list read as a story, and be filtered: ``~comment push``, ``~marker x``.
"""

from __future__ import annotations

from dataclasses import dataclass

from regtrace.diagnose.rule import Finding, Severity
from regtrace.follow.story import Operation, Transfer
from regtrace.redact.redactor import Redactor
from regtrace.report.build import filled
from regtrace.report.naming import client_name, operation_name, transfer_name
from regtrace.report.telling import Telling
from regtrace.report.visible import visible
from regtrace.wire.leg import Leg

#: Names of emoji that mitmproxy draws in its list (mitmproxy/utils/emoji.py).
_MARKERS = {Severity.ERROR: ":x:", Severity.WARNING: ":warning:", Severity.NOTE: ""}


@dataclass(frozen=True, slots=True)
class Remark:
    comment: str
    """Lines of plain text, made harmless for a terminal."""
    marker: str
    """Empty for a leg that nothing is wrong with."""


def remarks(telling: Telling, redactor: Redactor) -> dict[str, Remark]:
    """Id of each leg's exchange → what is to be said of it."""
    operation = telling.operation
    for leg in operation.legs:
        redactor.learn(leg.exchange)
    owners = {leg.id: transfer for transfer in operation.transfers for leg in transfer.legs}
    return {leg.id: _remark(leg, owners.get(leg.id), telling, redactor) for leg in operation.legs}


def _remark(leg: Leg, transfer: Transfer | None, telling: Telling, redactor: Redactor) -> Remark:
    findings = [
        finding
        for finding in telling.diagnosis.findings
        if any(leg.id == other.id for other in finding.fails.legs)
    ]
    lines = [_place(leg, transfer, telling.operation, redactor)]
    for finding in findings:
        lines += _said(finding, redactor)
    worst = min((finding.severity for finding in findings), key=_ORDER.index, default=None)
    return Remark(
        comment="\n".join(visible(line) for line in lines),
        marker=_MARKERS[worst] if worst else "",
    )


_ORDER = list(Severity)


def _place(leg: Leg, transfer: Transfer | None, operation: Operation, redactor: Redactor) -> str:
    what = f"{transfer_name(transfer, redactor)}: {leg.kind.value}" if transfer else leg.kind.value
    tries = "  (tried again)" if leg.id in operation.retry_of.values() else ""
    who = client_name(operation, redactor)
    return f"{operation_name(operation, redactor)} by {who} · {what}{tries}"


def _said(finding: Finding, redactor: Redactor) -> list[str]:
    rule, fails = finding.rule, finding.fails
    fields = {name: redactor.term(term) for name, term in fails.fields.items()}
    return [
        f"{finding.severity.value.upper()} {rule.number} {rule.slug}: {filled(rule.title, fields)}",
        f"Fix: {filled(rule.fix[0], fields)}",
    ]
