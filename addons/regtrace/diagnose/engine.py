"""From one operation to its findings: all rules asked, symptoms folded under their root.

A rule that raises is a fault of ours: it costs that rule's answer, never the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import Fails, Finding, NotSeen, Rule, Severity
from regtrace.diagnose.rules import CATALOGUE, LAST_RESORT
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the rules say of one operation."""

    findings: tuple[Finding, ...]
    not_seen: tuple[NotSeen, ...]

    @property
    def roots(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.explained_by is None)


def examine(operation: Operation, rules: Sequence[Rule] = CATALOGUE) -> Diagnosis:
    """The findings on this operation, roots first, most severe first."""
    facts = Facts(operation)
    findings: list[Finding] = []
    not_seen = _blind_spots(operation)
    for rule in rules:
        verdict = _ask(rule, operation, facts)
        if isinstance(verdict, Fails):
            findings.append(_finding(rule, operation, verdict))
        elif isinstance(verdict, NotSeen):
            not_seen.append(verdict)
    findings = _folded(findings)
    if operation.ending is Ending.FAILED and not any(_accounts_for_failure(f) for f in findings):
        verdict = _ask(LAST_RESORT, operation, facts)
        if isinstance(verdict, Fails):
            findings.append(_finding(LAST_RESORT, operation, verdict))
    return Diagnosis(tuple(sorted(findings, key=_importance)), tuple(not_seen))


def _ask(rule: Rule, operation: Operation, facts: Facts) -> object:
    try:
        return rule.examine(operation, facts)
    except Exception as fault:
        return NotSeen(
            f"rule {rule.number} {rule.slug}",
            f"it stopped with {type(fault).__name__}: a fault of regtrace",
            "this fault would not have been recognised",
        )


def _finding(rule: Rule, operation: Operation, fails: Fails) -> Finding:
    severity = fails.severity or rule.severity
    if severity is Severity.ERROR and operation.ending is not Ending.FAILED:
        # What did not stop the operation is worth a look, and no more.
        severity = Severity.WARNING
    return Finding(rule, operation, fails, severity)


def _folded(findings: list[Finding]) -> list[Finding]:
    """Each finding that another one explains, marked as its symptom."""
    explained = {
        slug: finding.rule.slug for finding in findings for slug in sorted(finding.rule.explains)
    }
    return [replace(f, explained_by=explained.get(f.rule.slug)) for f in findings]


def _accounts_for_failure(finding: Finding) -> bool:
    return finding.severity is Severity.ERROR and finding.explained_by is None


def _importance(finding: Finding) -> tuple[bool, int, str]:
    severity = (Severity.ERROR, Severity.WARNING, Severity.NOTE).index(finding.severity)
    return finding.explained_by is not None, severity, finding.rule.number


def _blind_spots(operation: Operation) -> list[NotSeen]:
    """Legs that must have happened and are not in the capture: never taken for failures."""
    spots: list[NotSeen] = []
    chains = [transfer.chains[-1] for transfer in operation.transfers] or operation.session[-1:]
    if operation.ending is Ending.INCOMPLETE and any(c.last.is_challenge for c in chains):
        spots.append(
            NotSeen(
                "what came after the registry's challenge",
                "no second try passed through this proxy",
                "whether the client could log in is not known",
            )
        )
    unfollowed = [
        chain for transfer in operation.transfers for chain in transfer.chains if chain.unfollowed
    ]
    if unfollowed:
        spots.append(
            NotSeen(
                "a redirect to storage that was not followed through this proxy",
                "the client reached the storage another way (NO_PROXY, or a proxy setting that"
                " leaves out http://), or not at all",
                "whether the storage answered is not known",
            )
        )
    return spots
