"""What holds for every check of configuration: its examples, its texts, and what it leads to."""

from __future__ import annotations

import re

import pytest

from regtrace.diagnose.config.check import Check, Judged, Outcome
from regtrace.diagnose.config.examine import examine_setup
from regtrace.diagnose.rules import CATALOGUE, CHECKS
from settings_examples import read_example


@pytest.fixture(params=CHECKS, ids=lambda check: check.slug)
def check(request: pytest.FixtureRequest) -> Check:
    chosen: Check = request.param
    return chosen


def judged(example: str) -> dict[str, Judged]:
    read = read_example(example)
    assert read.faults == []
    return {each.check.slug: each for each in examine_setup(read.setup, CHECKS)}


def found(example: str) -> list[str]:
    return [slug for slug, each in judged(example).items() if each.outcome is Outcome.WRONG]


def test_fires_and_nothing_else_does(check: Check) -> None:
    for example in (check.fires, *check.also_fires):
        assert found(example) == [check.slug], example


def test_stays_silent_on_the_nearest_files(check: Check) -> None:
    for example in (check.silent, *check.also_silent):
        assert check.slug not in found(example), example


def test_no_check_stops_with_a_fault_of_its_own(check: Check) -> None:
    for example in (check.fires, check.silent, *check.also_fires, *check.also_silent):
        for each in judged(example).values():
            why = each.not_seen.why if each.not_seen else ""
            assert "a fault of that rule" not in why, (each.check.slug, why)


def test_the_two_examples_differ_in_little(check: Check) -> None:
    fires, silent = (set(text.split("\n")) for text in (check.fires, check.silent))
    assert len(fires - silent) <= 2


def test_the_number_is_of_the_family(check: Check) -> None:
    assert re.fullmatch(r"RT0[1-9]\d", check.number)


def test_leads_to_rules_that_exist(check: Check) -> None:
    assert set(check.leads_to) <= {rule.slug for rule in CATALOGUE}


def test_texts_are_whole(check: Check) -> None:
    """Every field is filled; every step is an instruction; every reference opens."""
    (wrong, *_) = judged(check.fires)[check.slug].wrong
    templates = [check.title, check.cause, *check.fix, *check.check]
    named = {name for text in templates for name in re.findall(r"\{([a-z_]+)\}", text)}
    assert named == set(wrong.fields)
    assert wrong.spots
    assert check.fix
    assert all(text.rstrip().endswith(".") for text in (check.cause, *check.fix))
    assert not check.title.endswith(".")
    assert check.references
    assert all(reference.startswith("https://") for reference in check.references)
