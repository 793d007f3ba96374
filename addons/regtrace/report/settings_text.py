"""The report on configuration files, for a terminal: one line for each check, findings in full."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from regtrace.report.page import Page
from regtrace.report.settings import Finding, Line, Seen, SettingsReport
from regtrace.report.words import OWNERS, plural

_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan", "fine": "green"}
_BEARINGS = {"confirmed": "bold red", "refuted": "bold green", "undecided": ""}
#: Columns of a check's outcome.
_MARK = 10


def print_settings_report(report: SettingsReport, console: Console) -> None:
    """What was read, each check, the findings in full, and the sum."""
    page = Page(console)
    _files(page, report)
    if report.checks:
        page.line()
    for each in sorted(report.checks, key=lambda line: line.rule):
        _line(page, each)
    for finding in report.findings:
        page.line()
        _finding(page, finding)
    page.line()
    page.prose(Text(), page.text(summary(report)))


def summary(report: SettingsReport) -> str:
    """The result as one sentence."""
    counts = [
        plural(sum(each.severity == severity for each in report.findings), severity)
        for severity in ("error", "warning", "note")
        if any(each.severity == severity for each in report.findings)
    ]
    unanswered = sum(each.outcome == "not-seen" for each in report.checks)
    fine = sum(each.outcome == "fine" for each in report.checks)
    parts = [", ".join(counts) if counts else "Nothing wrong was found", f"{fine} fine"]
    if unanswered:
        parts.append(f"{unanswered} can't be decided from these files")
    parts.append(f"{report.left_out} do not apply")
    return "; ".join(parts) + "."


def _files(page: Page, report: SettingsReport) -> None:
    for file in report.files:
        page.prose(Text("read      "), page.text(f"{file.name}: {file.kind}"))
    if report.capture:
        page.prose(Text("capture   "), page.text(report.capture))
    for fault in report.unreadable:
        page.prose(Text("UNREAD    ", "bold red"), page.text(fault))


def _line(page: Page, each: Line) -> None:
    mark = {"fine": "ok", "not-seen": "not seen"}.get(each.outcome, (each.severity or "").upper())
    style = _STYLES.get(each.severity or each.outcome, "")
    body = f"{each.rule} {each.slug}" + (f": {each.lacks}" if each.lacks else "")
    page.prose(Text.assemble(page.text(f"{mark:<{_MARK}}", style)), page.text(body))


def _finding(page: Page, finding: Finding) -> None:
    severity = page.text(f"{finding.severity.upper()} ", _STYLES.get(finding.severity, ""))
    page.prose(severity, page.text(f"{finding.rule} {finding.slug} · {finding.confidence}"))
    page.prose(Text("  "), page.text(finding.title, "bold"))
    for number, spot in enumerate(finding.spots):
        where = f"{spot.file}, line {spot.line}: {spot.setting} = {spot.value}"
        _item(page, "" if number else "where", where)
        page.prose(Text(" " * 14), page.text(spot.why, "dim"))
    if finding.traffic:
        _seen(page, finding.traffic)
    _item(page, "cause", finding.cause)
    page.prose(
        Text.assemble("  ", ("must act  ", "dim")),
        page.text(OWNERS.get(finding.owner, finding.owner), "bold"),
    )
    for number, step in enumerate(finding.fix, 1):
        _item(page, "fix" if number == 1 else "", f"{number}. {step}")
    _commands(page, finding.check)
    if finding.leads_to:
        _item(page, "leads to", ", ".join(finding.leads_to))
    for number, reference in enumerate(finding.references):
        _item(page, "" if number else "see", reference)


def _seen(page: Page, seen: Seen) -> None:
    label = Text.assemble("  ", ("capture   ", "dim"))
    word = page.text(seen.bearing, _BEARINGS.get(seen.bearing, ""))
    page.prose(label, Text.assemble(word, page.text(f": {seen.why}")))
    if seen.leg:
        page.prose(Text(" " * 14), page.text(seen.leg, "dim"))


def _commands(page: Page, commands: Sequence[str]) -> None:
    if commands:
        page.line(Text("  check", "dim"))
    for command in commands:
        page.line(Text("    "), page.text(command))


def _item(page: Page, label: str, text: str) -> None:
    page.prose(Text.assemble("  ", (f"{label:<10}", "dim")), page.text(text))
