"""What is wrong in configuration files, redacted: one model, drawn as text or written as JSON.

Every value of a setting passes the redactor here; a secret one is never shown, not even as a label.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from regtrace import __version__
from regtrace.diagnose.config.check import Check, Judged, Outcome, Wrong
from regtrace.diagnose.config.traffic import Bearing, Ruling
from regtrace.diagnose.rule import Severity
from regtrace.diagnose.rules import VERSION
from regtrace.redact.redactor import Redactor
from regtrace.report.build import filled
from regtrace.report.catalogue import placed
from regtrace.wire.leg import Leg
from regtrace.wire.settings import Setting

#: It begins as a report's, so that the same file is recognised and may be replaced.
SCHEMA = "regtrace/report/config/1"
_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_LONGEST = 200
_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}")
SECRET = "(secret, not shown)"
COMPUTED = "(worked out by the file, not readable here)"


@dataclass(frozen=True, slots=True)
class Spot:
    file: str
    line: int
    setting: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the capture says of a finding."""

    bearing: str
    """``confirmed``, ``refuted`` or ``undecided``."""
    why: str
    leg: str | None
    """Method, URL and status of the leg that shows it."""


@dataclass(frozen=True, slots=True)
class Finding:
    rule: str
    slug: str
    severity: str
    confidence: str
    owner: str
    title: str
    cause: str
    fix: tuple[str, ...]
    check: tuple[str, ...]
    references: tuple[str, ...]
    leads_to: tuple[str, ...]
    spots: tuple[Spot, ...]
    traffic: Seen | None
    """None without a capture."""

    @property
    def counts(self) -> bool:
        """It makes the command fail: an error that the capture does not refute."""
        refuted = self.traffic is not None and self.traffic.bearing == Bearing.REFUTED.value
        return self.severity == Severity.ERROR.value and not refuted


@dataclass(frozen=True, slots=True)
class Line:
    """One check, in one line."""

    rule: str
    slug: str
    outcome: str
    """``wrong``, ``fine`` or ``not-seen``."""
    severity: str | None
    """The worst of its findings."""
    title: str
    lacks: str
    """What is missing, where that keeps it from an answer."""


@dataclass(frozen=True, slots=True)
class File:
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class SettingsReport:
    files: tuple[File, ...]
    unreadable: tuple[str, ...]
    capture: str | None
    checks: tuple[Line, ...]
    findings: tuple[Finding, ...]
    left_out: int
    """Checks that ask about something which these files do not have."""

    @property
    def failed(self) -> bool:
        return any(finding.counts for finding in self.findings)


def build_settings_report(
    judged: Sequence[Judged],
    *,
    files: Iterable[tuple[str, str]],
    unreadable: Iterable[str],
    capture: str | None,
    redactor: Redactor,
) -> SettingsReport:
    """The report; ``files`` are name and kind of each that was read."""
    builder = _Builder(redactor)
    found = [finding for each in judged for finding in builder.findings(each)]
    return SettingsReport(
        files=tuple(File(redactor.plain(name), kind) for name, kind in files),
        unreadable=tuple(redactor.plain(fault) for fault in unreadable),
        capture=None if capture is None else redactor.capture_name(capture),
        checks=tuple(
            builder.line(each) for each in judged if each.outcome is not Outcome.NOT_THERE
        ),
        findings=tuple(
            sorted(found, key=lambda each: (_ORDER[Severity(each.severity)], each.rule))
        ),
        left_out=sum(each.outcome is Outcome.NOT_THERE for each in judged),
    )


def as_json(report: SettingsReport) -> str:
    """Pure ASCII."""
    document = {
        "schema": SCHEMA,
        "tool": {"version": __version__, "rules": VERSION},
        "failed": report.failed,
        **asdict(report),
    }
    return json.dumps(document, indent=2) + "\n"


class _Builder:
    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor

    def line(self, each: Judged) -> Line:
        severities = [wrong.severity or each.check.severity for wrong in each.wrong]
        lacks = each.not_seen
        said = f"{lacks.what}: {lacks.why}; {lacks.effect}" if lacks else ""
        return Line(
            rule=each.check.number,
            slug=each.check.slug,
            outcome=each.outcome.value,
            severity=min(severities, key=_ORDER.__getitem__).value if severities else None,
            title=placed(each.check.title),
            lacks=self.redactor.plain(said),
        )

    def findings(self, each: Judged) -> list[Finding]:
        rulings: Sequence[Ruling | None] = each.rulings or [None] * len(each.wrong)
        return [
            self._finding(each.check, wrong, ruling)
            for wrong, ruling in zip(each.wrong, rulings, strict=True)
        ]

    def _finding(self, check: Check, wrong: Wrong, ruling: Ruling | None) -> Finding:
        fields = {name: self.redactor.term(term) for name, term in wrong.fields.items()}
        # A command is pasted into a shell: what a file says must stay one word there.
        quoted = {name: shlex.quote(text) for name, text in fields.items()}
        return Finding(
            rule=check.number,
            slug=check.slug,
            severity=(wrong.severity or check.severity).value,
            confidence=wrong.confidence.value,
            owner=check.owner.value,
            title=filled(check.title, fields),
            cause=filled(check.cause, fields),
            fix=tuple(filled(step, fields) for step in check.fix),
            check=tuple(filled(command, quoted) for command in check.check),
            references=check.references,
            leads_to=check.leads_to,
            spots=tuple(
                Spot(
                    file=self.redactor.plain(spot.setting.source),
                    line=spot.setting.line,
                    setting=self.redactor.plain(spot.setting.name[:_LONGEST]),
                    value=self.value(spot.setting),
                    why=self.redactor.plain(spot.why),
                )
                for spot in wrong.spots
            ),
            traffic=self._seen(ruling) if ruling else None,
        )

    def value(self, setting: Setting) -> str:
        """What stands there, as far as it may be shown."""
        if setting.computed:
            return COMPUTED
        if setting.secret:
            return SECRET
        text = setting.text[:_LONGEST]
        if setting.url:
            return self.redactor.url_text(text)
        if _AUTHORITY.fullmatch(text):
            return self.redactor.host(text)
        return self.redactor.prose(text)

    def _seen(self, ruling: Ruling) -> Seen:
        leg = ruling.leg
        return Seen(ruling.bearing.value, ruling.why, self._leg(leg) if leg else None)

    def _leg(self, leg: Leg) -> str:
        method = self.redactor.method(leg.method)
        answered = leg.status if leg.status is not None else "no answer"
        return f"{method} {self.redactor.leg_url(leg.kind, leg.url)} ({answered})"
