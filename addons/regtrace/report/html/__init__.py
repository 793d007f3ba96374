"""The report as a page for a browser: one file, whole without script and without a network.

A page has room for what matters. Findings, failed operations and their legs are drawn in full, each
kind within its share of ``MOST`` bytes; the rest is a line each or a count, and the page says so.
Only what is drawn is linked to, so no link leads nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from regtrace.report.html.amounts import within
from regtrace.report.html.cover import cover, readable, went_well
from regtrace.report.html.grid import grid
from regtrace.report.html.ladder import ladder
from regtrace.report.html.legs import Lines, wanted
from regtrace.report.html.links import Here, is_web
from regtrace.report.html.page import draw
from regtrace.report.html.speech import moment
from regtrace.report.html.timeline import timeline
from regtrace.report.model import SCHEMA, Finding, Operation, Report
from regtrace.report.visible import duration
from regtrace.report.words import (
    OUTCOMES,
    OWNERS,
    Explained,
    client_name,
    failed_legs,
    fold,
    operation_name,
    plural,
)

MOST = 2 * 1024 * 1024
"""Bytes of a page."""

_FOR_FINDINGS, _FOR_OPERATIONS, _FOR_LEGS = 450_000, 450_000, 1_000_000
"""Bytes; what is left of ``MOST`` is for the cover, the lists, style and script."""

_ALL_IN_FULL = 6
"""Operations; above this number, those that went well are a line each."""
_MOST_IN_FULL = 25
_MOST_BRIEF = 300
_MOST_FINDINGS = 60
_MOST_NOT_SEEN = 60


def render(report: Report) -> str:
    """The page. Its beginning tells that regtrace wrote it, see ``output``."""
    return str(_Book(report).page())


@dataclass(frozen=True, slots=True)
class Story:
    """A root finding with what it explains, and where else the same was found."""

    root: Finding
    beneath: tuple[Finding, ...]
    where: str
    elsewhere: list[tuple[Finding, str]]


class _Book:
    """What is drawn of one report."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.failed = failed_legs(report)
        self.names = {operation.id: operation_name(operation) for operation in report.operations}
        self.findings = {finding.id: finding for finding in report.findings}
        self.lines = Lines(report, self.failed)

    def page(self) -> Markup:
        report = self.report
        full = _in_full(report.operations)
        stories = {story.root.id: story for story in self._stories()[:_MOST_FINDINGS]}
        legs = wanted(report, full, self.failed)
        # What turns out to have no room is drawn nowhere, so that what links to it is drawn again.
        while True:
            here = Here.of(legs, _told(stories.values()))
            told = within(_FOR_FINDINGS, {id_: self._story(stories[id_], here) for id_ in stories})
            listed = within(_FOR_LEGS, self._legs(legs, here))
            if len(told) == len(stories) and len(listed) == len(legs):
                break
            stories = {id_: stories[id_] for id_ in told}
            legs = list(listed)
        drawn = within(_FOR_OPERATIONS, self._operations(full, here))
        brief = [one for one in report.operations if one.id not in drawn]
        in_time = [listed[leg] for leg in report.legs if leg in listed]
        return draw(
            "report.html",
            SCHEMA=SCHEMA,
            report=report,
            cover=cover(report, self.failed),
            word=OUTCOMES.get(report.verdict.outcome, "REPORT"),
            owners=OWNERS,
            here=here,
            operations=list(drawn.values()),
            brief=[self._brief(one) for one in brief[:_MOST_BRIEF]],
            brief_left_out=max(len(brief) - _MOST_BRIEF, 0),
            findings=list(told.values()),
            findings_left_out=len(fold(report.findings)) - _count(stories.values()),
            legs=in_time,
            legs_left_out=len(report.legs) - len(in_time),
            went_well=went_well(report),
            many=_MANY,
            not_seen=report.not_seen[:_MOST_NOT_SEEN],
            not_seen_left_out=max(len(report.not_seen) - _MOST_NOT_SEEN, 0),
            readable=readable(report.redaction.level),
            began=None if report.capture.first is None else moment(report.capture.first),
        )

    def _stories(self) -> list[Story]:
        """Roots, worst first; the same cause in several operations is told once."""
        told: dict[tuple[object, ...], list[Explained]] = {}
        for explained in fold(self.findings.values()):
            root = explained.root
            suppressed = root.suppressed is not None
            key = (root.rule, root.title, root.cause, root.fix, suppressed)
            told.setdefault(key, []).append(explained)
        return [self._told(same) for same in told.values()]

    def _told(self, same: Sequence[Explained]) -> Story:
        first, *others = same
        return Story(
            root=first.root,
            beneath=first.beneath,
            where=self._where(first.root),
            elsewhere=[(other.root, self._where(other.root)) for other in others],
        )

    def _where(self, finding: Finding) -> str:
        return self.names.get(finding.operation or "", "")

    def _story(self, story: Story, here: Here) -> Markup:
        root = story.root
        return draw(
            "finding.html",
            story=story,
            root=root,
            owner=OWNERS.get(root.owner, root.owner),
            rivals=[self.findings[id_] for id_ in root.rivals if id_ in self.findings],
            here=here,
            single=len(self.names) < 2,
            is_web=is_web,
            many=_MANY,
        )

    def _legs(self, legs: Sequence[str], here: Here) -> dict[str, Markup]:
        return {
            leg: draw("leg.html", leg=self.lines.line(self.report.legs[leg]), here=here)
            for leg in legs
        }

    def _operations(self, operations: Sequence[Operation], here: Here) -> dict[str, Markup]:
        several = len(self.report.operations) > 1
        troubled = any(operation.outcome != "ok" for operation in operations)
        return {
            operation.id: self._operation(
                operation,
                number,
                here,
                several=several,
                folded=several and number > 1 and (not troubled or operation.outcome == "ok"),
            )
            for number, operation in enumerate(operations, 1)
        }

    def _operation(
        self,
        operation: Operation,
        number: int,
        here: Here,
        *,
        several: bool,
        folded: bool,
    ) -> Markup:
        legs = {leg: self.report.legs[leg] for leg in operation.legs if leg in self.report.legs}
        return draw(
            "operation.html",
            n=number,
            operation=operation,
            name=operation_name(operation),
            client=client_name(operation),
            ended=_ended(operation),
            several=several,
            folded=folded,
            here=here,
            grid=grid(operation, legs, self.failed),
            ladder=ladder(operation, legs, self.failed, self.report.findings),
            timeline=timeline(operation, legs, self.failed, self.report.findings),
        )

    def _brief(self, operation: Operation) -> dict[str, str]:
        return {
            "name": operation_name(operation),
            "client": client_name(operation),
            "outcome": operation.outcome,
            "ended": _ended(operation),
            "transfers": plural(len(operation.transfers), "transfer"),
        }


def _in_full(operations: Sequence[Operation]) -> list[Operation]:
    """Those that failed first."""
    ranked = sorted(operations, key=lambda one: _RANKS.get(one.outcome, 1))
    if len(operations) <= _ALL_IN_FULL:
        return ranked
    troubled = [operation for operation in ranked if operation.outcome != "ok"]
    return (troubled or ranked[:1])[:_MOST_IN_FULL]


_RANKS = {"failed": 0, "ok": 2}

_MANY = 20
"""Of what one finding says of others, and of what the client said."""


def _told(stories: Iterable[Story]) -> list[str]:
    """The findings that have an anchor in the page."""
    told = []
    for story in stories:
        told += [story.root.id, *(finding.id for finding in story.beneath[:_MANY])]
        told += [finding.id for finding, _ in story.elsewhere[:_MANY]]
    return told


def _count(stories: Iterable[Story]) -> int:
    return sum(1 + len(story.elsewhere) for story in stories)


def _ended(operation: Operation) -> str:
    if operation.ended is None:
        return operation.outcome
    joint = "in" if operation.outcome == "ok" else "after"
    return f"{operation.outcome} {joint} {duration(operation.ended - operation.started)}"
