"""From one operation to its findings: all rules asked, symptoms folded under their root.

The order of judgement: what the operation ended by decides, an earlier anomaly is a warning; a
symptom folds under its cause; of two causes of one leg a certain one leaves no room for a guess,
and two that are equally sure are shown as rivals. Upstream causes come first.

A rule that raises costs its own answer, never the report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from regtrace.diagnose.expectations import NOTHING_EXPECTED, Expectations
from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import Confidence, Evidence, Fails, Finding, NotSeen, Rule, Severity
from regtrace.diagnose.rules import CATALOGUE, LAST_RESORT, UPSTREAM_FIRST
from regtrace.diagnose.suppressions import applicable
from regtrace.follow.story import Blind, Operation
from regtrace.wire.testimony import NO_TESTIMONY, Testimonies


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the rules say of one operation."""

    findings: tuple[Finding, ...]
    not_seen: tuple[NotSeen, ...]

    @property
    def roots(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.explained_by is None)

    @property
    def accepted(self) -> bool:
        """Whether all that the operation failed by is suppressed."""
        errors = [root for root in self.roots if root.severity is Severity.ERROR]
        return bool(errors) and all(error.suppressed for error in errors)


#: What the rules say of an operation.
Examiner = Callable[[Operation], Diagnosis]


def examine(
    operation: Operation,
    rules: Sequence[Rule] = CATALOGUE,
    site: Expectations = NOTHING_EXPECTED,
    testimonies: Testimonies = NO_TESTIMONY,
) -> Diagnosis:
    """The findings on this operation, roots first, most severe first."""
    facts = Facts(operation, site, testimonies)
    kinds = {leg.kind for leg in facts.legs}
    findings: list[Finding] = []
    not_seen = [_BLIND_SPOTS[spot.blind] for spot in operation.unseen]
    for rule in rules:
        verdict = _ask(rule, facts) if rule.needs & kinds else None
        if isinstance(verdict, Fails):
            findings.append(_finding(rule, facts, verdict))
        elif isinstance(verdict, NotSeen):
            not_seen.append(verdict)
    findings = _rivals(_folded(findings), facts)
    if facts.failed and not any(_accounts_for_failure(f) for f in findings):
        verdict = _ask(LAST_RESORT, facts)
        if isinstance(verdict, Fails):
            findings.append(_finding(LAST_RESORT, facts, verdict))
    findings = [
        replace(f, suppression=applicable(f.rule.slug, operation, site.suppressions))
        for f in sorted(findings, key=_importance)
    ]
    return Diagnosis(tuple(findings), tuple(not_seen))


def _ask(rule: Rule, facts: Facts) -> object:
    try:
        return rule.examine(facts.operation, facts)
    except Exception as fault:
        return NotSeen(
            f"rule {rule.number} {rule.slug}",
            f"it stopped with {type(fault).__name__}: a fault of that rule",
            "this fault would not have been recognised",
        )


def _finding(rule: Rule, facts: Facts, fails: Fails) -> Finding:
    severity = fails.severity or rule.severity
    if severity is Severity.ERROR and not any(facts.is_fatal(leg) for leg in fails.legs):
        # What did not stop the operation is worth a look, and no more.
        severity = Severity.WARNING
    return Finding(rule, facts.operation, _with_logs(fails, facts), severity)


def _with_logs(fails: Fails, facts: Facts) -> Fails:
    """With what logs say of its legs, beside what the wire says."""
    said = tuple(
        Evidence(leg, each.source, f"{_WITNESS[each.source]}, joined by {each.joined_by}", each)
        for leg in fails.legs
        for each in facts.testimony(leg)
    )
    return replace(fails, evidence=(*fails.evidence, *said[:_MOST_SAID])) if said else fails


#: Lines of logs that are shown with one finding.
_MOST_SAID = 12
_WITNESS = {
    "registry-log": "the registry's own log of this request",
    "front-log": "the reverse proxy's own log of this request",
    "token-log": "the token server's own log of this request",
}


def _folded(findings: list[Finding]) -> list[Finding]:
    """Each finding that another one explains, marked as its symptom."""
    by_slug = {finding.rule.slug: finding for finding in findings}
    causes = {finding.rule.slug: _cause(finding, findings) for finding in findings}
    return [replace(f, explained_by=_root(f.rule.slug, causes)) for f in by_slug.values()]


def _cause(finding: Finding, findings: Sequence[Finding]) -> str | None:
    """Who explains it: a rule that names it, else a certain cause of a leg it only guesses at."""
    least = _SEVERITY[finding.severity]
    as_severe = [f for f in findings if f is not finding and _SEVERITY[f.severity] <= least]
    named = [f for f in as_severe if finding.rule.slug in f.rule.explains]
    surer = [
        f
        for f in as_severe
        if finding.severity is not Severity.NOTE  # which guesses at no cause
        and f.fails.confidence is Confidence.CERTAIN
        and finding.fails.confidence is not Confidence.CERTAIN
        and f.rule.slug not in finding.rule.explains
        and _share_a_leg(f, finding)
    ]
    return next((f.rule.slug for f in sorted(named or surer, key=_importance)), None)


def _root(slug: str, causes: Mapping[str, str | None]) -> str | None:
    """The last cause on the way up; None for a finding that nobody explains."""
    way = [slug]
    while (cause := causes.get(way[-1])) is not None and cause not in way:
        way.append(cause)
    return way[-1] if len(way) > 1 else None


def _rivals(findings: list[Finding], facts: Facts) -> list[Finding]:
    """Roots that explain the same failed leg, each told of the others."""
    roots = [f for f in findings if _accounts_for_failure(f)]
    return [
        replace(f, rivals=tuple(r.rule.slug for r in roots if r is not f and _share_a_leg(r, f)))
        if f in roots
        else f
        for f in findings
    ]


def _share_a_leg(one: Finding, other: Finding) -> bool:
    return not {leg.id for leg in one.fails.legs}.isdisjoint(leg.id for leg in other.fails.legs)


def _accounts_for_failure(finding: Finding) -> bool:
    return finding.severity is Severity.ERROR and finding.explained_by is None


_SEVERITY = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}
_CONFIDENCE = {Confidence.CERTAIN: 0, Confidence.LIKELY: 1, Confidence.POSSIBLE: 2}


def _importance(finding: Finding) -> tuple[bool, int, int, int, str]:
    number = finding.rule.number
    family = number[2:3]
    return (
        finding.explained_by is not None,
        _SEVERITY[finding.severity],
        _CONFIDENCE[finding.fails.confidence],
        UPSTREAM_FIRST.index(family) if family in UPSTREAM_FIRST else len(UPSTREAM_FIRST),
        number,
    )


_BLIND_SPOTS = {
    Blind.LOGIN: NotSeen(
        "what came after the registry's challenge",
        "no second try passed through this proxy",
        "whether the client could log in is not known",
    ),
    Blind.TOKEN: NotSeen(
        "how the client came by its token",
        "the token was fetched past this proxy (NO_PROXY, a builder or a credential helper without"
        " proxy settings)",
        "what was asked for, and why it was granted or not, is not known",
    ),
    Blind.REDIRECT: NotSeen(
        "a redirect to storage that was not followed through this proxy",
        "the client reached the storage another way (NO_PROXY, or a proxy setting that leaves out"
        " http://), or not at all",
        "whether the storage answered is not known",
    ),
    Blind.UPLOAD: NotSeen(
        "the rest of an upload that goes on at a loopback name",
        "clients never use a proxy for localhost and 127.0.0.1",
        "whether the layer arrived is not known",
    ),
    Blind.WAY_TO_STORAGE: NotSeen(
        "the redirect by which the client came to the storage",
        "the registry was asked past this proxy (NO_PROXY), or before the capture began",
        "what the client asked the registry for, and when, is not known",
    ),
}
