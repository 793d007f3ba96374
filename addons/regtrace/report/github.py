"""The report as GitHub's workflow commands: what is wrong stands at the top of the run's page.

GitHub shows ten annotations of each type for one step, and drops the rest without a word
(docs.github.com, "Workflow commands"; actions/toolkit, ``command.ts`` for the escapes).
"""

from __future__ import annotations

from collections.abc import Iterable

from regtrace.report.model import Finding, Report
from regtrace.report.visible import visible
from regtrace.report.words import (
    OUTCOMES,
    OWNERS,
    Explained,
    fold,
    operation_name,
    plural,
    rival_lines,
)

_MOST = 10
"""Annotations of one type for one step."""

_LONGEST = 1000
"""Characters of one string."""

_TYPES = {"error": "error", "warning": "warning", "note": "notice"}


def render(report: Report) -> str:
    """One line for each root finding; for a report without one, its verdict."""
    operations = {operation.id: operation_name(operation) for operation in report.operations}
    lines: dict[str, list[str]] = {}
    for explained in fold(report.findings):
        root = explained.root
        severity = "note" if root.suppressed else root.severity
        title = f"{root.rule} {root.slug}: {operations.get(root.operation or '', 'registry')}"
        kind = _TYPES.get(severity, "notice")
        lines.setdefault(kind, []).append(_command(kind, title, _said(explained, report.findings)))
    if not lines:
        outcome = report.verdict.outcome
        word = OUTCOMES.get(outcome, outcome)
        kind = "error" if outcome == "failed" else "notice"
        return _command(kind, f"regtrace: {word}", report.verdict.sentence)
    return "".join(line for kind, some in lines.items() for line in _shown(kind, some))


def _shown(kind: str, lines: list[str]) -> list[str]:
    if len(lines) <= _MOST:
        return lines
    rest = len(lines) - (_MOST - 1)
    more = f"{plural(rest, 'finding')} more of this kind: see the report itself"
    return [*lines[: _MOST - 1], _command(kind, "regtrace", more)]


def _said(explained: Explained, findings: Iterable[Finding]) -> str:
    root, beneath = explained.root, explained.beneath
    said = [f"{root.title}.", root.cause]
    if root.suppressed:
        said.append(f"Accepted until {root.suppressed.until}: {root.suppressed.reason}")
    said.append(f"Must act: {OWNERS.get(root.owner, root.owner)}")
    said += [f"{number}. {step}" for number, step in enumerate(root.fix, 1)]
    said += rival_lines(root, findings)
    if beneath:
        said.append(f"Explains: {', '.join(finding.slug for finding in beneath)}")
    return "\n".join(said)


def _command(kind: str, title: str, message: str) -> str:
    head = _escaped(visible(title, limit=_LONGEST)).replace(":", "%3A").replace(",", "%2C")
    body = visible(message, keep="\n", limit=4 * _LONGEST)
    return f"::{kind} title={head}::{_escaped(body)}\n"


def _escaped(text: str) -> str:
    """Nothing of it can end the line, or begin a command of its own."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
