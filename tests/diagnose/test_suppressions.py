"""A suppressed finding stays where it is, and stops counting until its day is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from regtrace.diagnose.engine import Diagnosis, examine
from regtrace.diagnose.expectations import Expectations, parse_expectations
from regtrace.diagnose.rules import CATALOGUE, LAST_RESORT
from regtrace.diagnose.rules.front import body_too_large
from regtrace.diagnose.yamltext import Mistake
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.notation import BEGINNING, read_notation

DAY = 86_400


def site(text: str) -> Expectations:
    return parse_expectations(f"suppress:\n- {text}", "site.yml", CATALOGUE, lambda name: b"")


def said(text: str, *, later: float = 0.0) -> Diagnosis:
    """What is said of the story of body-too-large, told ``later`` than 2026-01-15 12:00 UTC."""
    exchanges = [
        replace(
            exchange,
            request=replace(
                exchange.request,
                started=exchange.request.started + later,
                ended=exchange.request.ended and exchange.request.ended + later,
            ),
            response=exchange.response
            and replace(
                exchange.response,
                started=exchange.response.started + later,
                ended=exchange.response.ended and exchange.response.ended + later,
            ),
        )
        for exchange in read_notation(body_too_large.fires)
    ]
    (operation,) = tell([decode(exchange) for exchange in exchanges])
    return examine(operation, site=site(text))


def accepted(text: str, *, later: float = 0.0) -> bool:
    diagnosis = said(text, later=later)
    (root,) = diagnosis.roots
    assert root.rule is body_too_large
    assert root.suppressed is diagnosis.accepted
    return diagnosis.accepted


@pytest.mark.parametrize("rule", ["RT601", "rt601", "body-too-large"])
def test_by_number_or_slug(rule: str) -> None:
    assert accepted(f"{{rule: {rule}, reason: known, until: 2026-01-15}}")


@pytest.mark.parametrize(
    ("scope", "fits"),
    [
        ("registry: registry.test", True),
        ("registry: registry.test:443", True),
        ("registry: other.test", False),
        ("repository: team/app", True),
        ("repository: team/other", False),
        ("registry: registry.test, repository: team/other", False),
    ],
)
def test_for_one_registry_or_repository(scope: str, fits: bool) -> None:
    text = f"{{rule: RT601, {scope}, reason: known, until: 2026-12-31}}"
    assert accepted(text) is fits


def test_another_rule_is_not_suppressed() -> None:
    assert not accepted("{rule: RT412, reason: known, until: 2026-12-31}")


def test_its_last_day_counts_whole_and_the_next_does_not() -> None:
    text = "{rule: RT601, reason: known, until: 2026-01-15}"
    to_midnight = DAY - BEGINNING % DAY
    assert accepted(text, later=to_midnight - 60)
    assert not accepted(text, later=to_midnight)
    (root,) = said(text, later=to_midnight).roots
    assert root.suppression is not None
    assert root.suppression.reason == "known"


def test_of_several_the_one_that_lasts_longest() -> None:
    text = "\n- ".join(
        f"{{rule: RT601, reason: {until} it is, until: {until}}}"
        for until in ("2026-01-01", "2026-03-01", "2026-02-01")
    )
    (root,) = said(text).roots
    assert root.suppression is not None
    assert root.suppression.reason == "2026-03-01 it is"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{rule: RT601, reason: known}", "line 2: until must be said of suppress"),
        ("{rule: RT601, until: 2026-12-31}", "line 2: reason must be said of suppress"),
        ("{rule: RT601, reason: ' ', until: 2026-12-31}", "reason: expected text"),
        ("{rule: RT601, reason: x, until: soon}", "soon is no day; write it like 2026-12-31"),
        ("{rule: RT601, reason: x, until: 2026-02-30}", "2026-02-30 is no day"),
        ("{rule: RT601, reason: x, until: 20260201}", "20260201 is no day"),
        ("{rule: body-to-large, reason: x, until: 2026-12-31}", "did you mean body-too-large?"),
        ("{rule: nonsense, reason: x, until: 2026-12-31}", "regtrace rules lists them"),
        ("{rule: RT601, resaon: x, until: 2026-12-31}", "unknown resaon; did you mean reason?"),
    ],
)
def test_a_mistake_says_what_would_be_right(text: str, words: str) -> None:
    with pytest.raises(Mistake, match=r"^site\.yml, line 2: ") as caught:
        site(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", [LAST_RESORT.slug, LAST_RESORT.number])
def test_what_no_rule_knows_can_not_be_suppressed(name: str) -> None:
    with pytest.raises(Mistake, match="it stands for every unknown fault"):
        site(f"{{rule: {name}, reason: x, until: 2026-12-31}}")
