"""Trying a rule on its own stories: it fires as the only root, or it stays silent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from regtrace.diagnose.engine import examine
from regtrace.diagnose.rule import Rule
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.notation import NotationError, read_notation


@dataclass(frozen=True, slots=True)
class Trial:
    rule: Rule
    story: str
    """``fires``, ``silent``, and those of ``also_fires`` by number: ``fires 2``."""
    complaint: str
    """What went wrong; empty when all is as it should be."""


def trials(rule: Rule, rules: Sequence[Rule]) -> Iterator[Trial]:
    """Each of its stories, told to all ``rules``."""
    for kind, stories in (
        ("fires", (rule.fires, *rule.also_fires)),
        ("silent", (rule.silent, *rule.also_silent)),
    ):
        for number, story in enumerate(stories, 1):
            name = kind if number == 1 else f"{kind} {number}"
            yield Trial(rule, name, _complaint(rule, story, rules, fires=kind == "fires"))


def _complaint(rule: Rule, story: str, rules: Sequence[Rule], *, fires: bool) -> str:
    try:
        legs = [decode(exchange) for exchange in read_notation(story)]
    except NotationError as fault:
        return str(fault)
    told = [examine(operation, rules) for operation in tell(legs)]
    stopped = [spot for each in told for spot in each.not_seen if _is_about(rule, spot.what)]
    if stopped:
        return stopped[0].why
    roots = [root.rule.slug for each in told for root in each.roots]
    if fires:
        expected = f"{rule.slug} must be the only root finding"
        found = ", ".join(roots) or "nothing"
        return "" if roots == [rule.slug] else f"{expected}, but there is: {found}"
    said = any(finding.rule.slug == rule.slug for each in told for finding in each.findings)
    return f"{rule.slug} must not be found, and is" if said else ""


def _is_about(rule: Rule, what: str) -> bool:
    return what.startswith(f"rule {rule.number} ")
