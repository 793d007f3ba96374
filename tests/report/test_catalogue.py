"""The catalogue is its own documentation: one text for reports, terminal, page and programs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules import CATALOGUE, CHECKS, FAMILIES, LAST_RESORT
from regtrace.diagnose.rules.front import body_too_large
from regtrace.diagnose.rules.storage import storage_403_on_head
from regtrace.diagnose.user_rules.view import NAMES
from regtrace.report import catalogue

RULES = [LAST_RESORT, *CHECKS, *CATALOGUE]
PAGE = Path(catalogue.__file__).parents[1] / "diagnose" / "rules" / "README.md"


def own(number: str) -> Rule:
    return replace(body_too_large, number=number, slug="own-rule")


def test_the_page_is_up_to_date() -> None:
    renew = "regtrace rules --format markdown > addons/regtrace/diagnose/rules/README.md"
    same = PAGE.read_text(encoding="utf-8") == catalogue.page(RULES)
    assert same, f"the page is older than the rules; renew it with: {renew}"


def test_the_page_has_every_rule_and_every_name() -> None:
    page = catalogue.page(RULES)
    for rule in RULES:
        assert f"### {rule.number} {rule.slug}\n" in page
    for name in NAMES:
        assert f"| `{name.name}` | " in page


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
def test_no_field_is_left_in_a_text(rule: catalogue.Entry) -> None:
    """A placeholder is for people: <storage>, not {storage}."""
    field = re.compile(r"\{[a-z_]+\}")
    texts = [rule.title, rule.cause, *rule.fix, *rule.check]
    assert not any(field.search(catalogue.placed(text)) for text in texts)
    drawn = catalogue.shown(rule, 80)
    assert {word for text in texts for word in catalogue.placed(text).split()} <= set(drawn.split())


def test_markup_in_a_text_is_text() -> None:
    rule = replace(
        body_too_large,
        title="*{front}* sends `1` [a](b) | <b> _c_ max_body_size",
        check=("echo ```` {front}",),
    )
    entry = catalogue.entry(rule)
    assert r"**\*\<front\>\* sends \`1\` \[a\](b) \| \<b\> \_c\_ max_body_size**" in entry
    assert "`````text\necho ```` <front>\n`````" in entry


def test_control_characters_are_not_drawn() -> None:
    rule = replace(body_too_large, title="a\x1b[2Jb")
    for drawn in (catalogue.shown(rule, 80), catalogue.listed([rule], 80)):
        assert "\x1b" not in drawn
        assert r"a\x1b[2Jb" in drawn


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_the_list_keeps_to_its_width(width: int) -> None:
    lines = catalogue.listed(RULES, width).splitlines()
    prose = [line for line in lines if line.startswith("   ")]
    assert all(len(line) <= max(width, 46) for line in prose)
    for rule in RULES:
        assert any(rule.number in line and rule.slug in line for line in lines)


def test_families_by_number_and_ones_own_last() -> None:
    rules = [own("acme/quota"), *RULES, own("RT901")]
    heads = [line for line in catalogue.listed(rules, 200).splitlines() if line[:1].strip()]
    assert heads[0] == "What no rule knows"
    assert heads[-1] == FAMILIES["9"]
    drawn = catalogue.listed(rules, 200).partition(FAMILIES["9"])[2]
    assert [line.split()[0] for line in drawn.splitlines() if "own-rule" in line] == [
        "RT901",
        "acme/quota",
    ]


def test_rules_are_found_by_words() -> None:
    found = catalogue.matching(RULES, ["STORAGE", "403"])
    assert storage_403_on_head in found
    assert body_too_large not in found
    assert catalogue.matching(RULES, ["rt601"]) == [body_too_large]
    assert catalogue.matching(RULES, []) == RULES
    assert catalogue.listed(catalogue.matching(RULES, ["nosuchword"]), 80).startswith("No rule")


def test_programs_get_the_same_texts() -> None:
    document = json.loads(catalogue.as_json([storage_403_on_head]))
    (rule,) = document["rules"]
    assert rule["number"] == "RT412"
    assert rule["title"] == storage_403_on_head.title
    assert "<storage>" in rule["cause"]
    assert rule["owner"] == "storage"
