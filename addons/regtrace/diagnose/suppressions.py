"""Findings that a site knows and has accepted for a while: with a reason, and until a day.

They hide nothing. A suppressed finding stays in the report, and so does the failure; only the exit
status no longer counts it. When the day is over, it counts again and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timezone

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.yamltext import Part, did_you_mean, shown
from regtrace.follow.story import Operation

_FIELDS = ("rule", "registry", "repository", "reason", "until")

#: Seconds.
_DAY = 86_400

#: It stands for every fault that no rule knows: who accepted it would accept all of them.
_NEVER = ("unrecognised-failure", "RT001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    rule: str
    """Slug."""
    registry: str | None = None
    """``host:port``; None: every registry."""
    repository: str | None = None
    reason: str
    until: date
    """The last day on which it holds, UTC."""

    def fits(self, slug: str, operation: Operation) -> bool:
        registry = (operation.registry or "").partition("/")[0]
        return (
            self.rule == slug
            and self.registry in {None, registry}
            and self.repository in {None, operation.repository}
        )

    def is_over(self, moment: float) -> bool:
        """Whether it has ended by then; epoch seconds UTC."""
        begins = datetime.combine(self.until, time(), timezone.utc).timestamp()
        return moment >= begins + _DAY


def applicable(
    slug: str, operation: Operation, suppressions: Iterable[Suppression]
) -> Suppression | None:
    """The suppression of this rule's finding on this operation; of several, the one that lasts
    longest."""
    fitting = [each for each in suppressions if each.fits(slug, operation)]
    return max(fitting, key=lambda each: each.until, default=None)


def read_suppression(part: Part, rules: Sequence[Rule]) -> Suppression:
    """One entry of ``suppress``. Raises Mistake."""
    fields = part.fields(_FIELDS, required=("rule", "reason", "until"))
    registry, repository = fields.get("registry"), fields.get("repository")
    return Suppression(
        rule=_slug(fields["rule"], rules),
        registry=registry.authority() if registry else None,
        repository=repository.text() if repository else None,
        reason=fields["reason"].text(),
        until=_day(fields["until"]),
    )


def _slug(part: Part, rules: Sequence[Rule]) -> str:
    text = part.text()
    if text in _NEVER:
        raise part.mistake(f"{text} can't be suppressed: it stands for every unknown fault")
    slugs = {name: rule.slug for rule in rules for name in (rule.number, rule.slug)}
    slug = slugs.get(text) or slugs.get(text.upper())
    if slug is None:
        hint = did_you_mean(text, slugs) or "regtrace rules lists them"
        raise part.mistake(f"no rule is called {shown(text)}; {hint}")
    return slug


def _day(part: Part) -> date:
    text = part.written()
    try:
        day = date.fromisoformat(text) if len(text) == len("2026-12-31") else None
    except ValueError:
        day = None
    if day is None:
        raise part.mistake(f"until: {shown(text)} is no day; write it like 2026-12-31")
    return day
