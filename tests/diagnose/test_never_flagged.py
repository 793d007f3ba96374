"""What is normal is never flagged: on its own, and by whichever client it is done."""

from __future__ import annotations

import re

import pytest

from normal_traffic import CLIENTS, STORIES
from regtrace.diagnose.engine import examine
from regtrace.diagnose.rule import Severity
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation


def flagged(story: str) -> list[str]:
    """The slugs of what is said louder than a note of operations that did not fail."""
    operations = tell([decode(exchange) for exchange in read_notation(story)])
    return [
        finding.rule.slug
        for operation in operations
        for finding in examine(operation).findings
        if finding.severity is not Severity.NOTE
    ]


@pytest.mark.parametrize("name", STORIES)
def test_nothing_is_flagged(name: str) -> None:
    assert flagged(STORIES[name]) == []


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", STORIES)
def test_nothing_is_flagged_when_another_client_does_it(name: str, client: str) -> None:
    story = re.sub(r"^client \S+", f"client {client}", STORIES[name], flags=re.MULTILINE)
    assert flagged(story) == []
