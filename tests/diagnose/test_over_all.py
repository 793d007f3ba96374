"""What holds over all rules together: the table of who speaks where, and what changes nothing."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
import yaml
from matrix import TABLE, table

from regtrace.diagnose.engine import examine
from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules import CATALOGUE
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Exchange
from regtrace.wire.notation import read_notation


def verdicts(exchanges: Sequence[Exchange]) -> Counter[tuple[str, ...]]:
    operations = tell([decode(exchange) for exchange in exchanges])
    return Counter(
        (
            finding.rule.slug,
            finding.severity.value,
            finding.fails.confidence.value,
            finding.owner.value,
            finding.explained_by or "",
        )
        for operation in operations
        for finding in examine(operation).findings
    )


def test_who_speaks_where_is_as_reviewed() -> None:
    """Renewed by PYTHONPATH=addons:tests python tests/diagnose/matrix.py"""
    assert table() == yaml.safe_load(TABLE.read_text())


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.slug)
def test_the_hour_changes_nothing(rule: Rule) -> None:
    """All clocks shifted together by whole seconds: the proxy's, the servers', the tokens'."""
    story = rule.fires
    later = read_notation(story, beginning=1_900_000_000.0)
    assert verdicts(later) == verdicts(read_notation(story))


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.slug)
def test_names_change_nothing(rule: Rule) -> None:
    story = rule.fires
    renamed = re.sub(r"\bteam/app\b", "group/sub/service", story)
    renamed = f"repository group/sub/service\n{renamed}"
    assert verdicts(read_notation(renamed)) == verdicts(read_notation(story))


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.slug)
def test_the_order_of_feeding_changes_nothing(rule: Rule) -> None:
    exchanges = list(read_notation(rule.fires))
    expected = verdicts(exchanges)
    random.Random(1).shuffle(exchanges)
    assert verdicts(exchanges) == expected


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda rule: rule.slug)
def test_a_capture_without_connections_gives_the_same_root(rule: Rule) -> None:
    """HAR files name neither connections nor addresses."""
    exchanges = read_notation(rule.fires)
    bare = [
        replace(each, connection=replace(each.connection, id="", client_host=None))
        for each in exchanges
    ]
    assert verdicts(bare) == verdicts(exchanges)
