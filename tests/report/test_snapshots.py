"""The reports on all saved captures look as they were approved. A change is meant to be read: write
them anew (``.venv/bin/python tests/report/snapshots.py``) and look at ``git diff``."""

from __future__ import annotations

import pytest
from captured import NAMES
from rich.cells import cell_len
from snapshots import SNAPSHOTS, drawn, of_the_sample
from test_markdown import check_inert

HOW = "read what has changed, then: .venv/bin/python tests/report/snapshots.py"


def approved(file: str) -> str:
    path = SNAPSHOTS / file
    assert path.exists(), f"{file} is missing; {HOW}"
    return path.read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_report_on_a_capture_reads_as_approved(name: str) -> None:
    for file, content in drawn(name).items():
        assert content == approved(file), HOW


def test_the_sample_reads_as_approved() -> None:
    for file, content in of_the_sample().items():
        assert content == approved(file), HOW


def test_there_is_none_that_nothing_is_compared_with() -> None:
    known = {f"{name}{ending}" for name in (*NAMES, "failing_push") for ending in (".txt", ".md")}
    assert {path.name for path in SNAPSHOTS.iterdir()} == known


@pytest.mark.parametrize("name", NAMES)
def test_on_real_captures_lines_keep_to_80_columns_but_for_commands(name: str) -> None:
    """A check is a command to be copied, so it stays on one line."""
    lines = approved(f"{name}.txt").splitlines()
    long = {number for number, line in enumerate(lines) if cell_len(line) > 80}
    within = False
    for number, line in enumerate(lines):
        starts = line.rstrip() == "  check" or line.endswith("Tell them apart with:")
        within = starts or (within and line.startswith("    "))
        assert number not in long or within, line


@pytest.mark.parametrize("name", NAMES)
def test_on_real_captures_markdown_is_our_own_markup_alone(name: str) -> None:
    page = approved(f"{name}.md")
    check_inert(page)
    assert len(page.encode()) < 64_000
