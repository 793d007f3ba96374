"""What the reports on all saved captures look like, for people to read and for a test to compare.

    .venv/bin/python tests/report/snapshots.py

writes them anew into ``snapshots/``: read what has changed with ``git diff`` before you commit it.
The numbers of versions are left out, so that a release changes none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
SNAPSHOTS = HERE / "snapshots"
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "addons")]

from captured import NAMES, report_on  # noqa: E402
from sample_reports import failing_push  # noqa: E402

from regtrace.report import markdown, text  # noqa: E402
from regtrace.report.model import Report, Tool  # noqa: E402


def drawn(name: str) -> dict[str, str]:
    """The text and the Markdown of the report on this capture, by the names of their files."""
    report = replace(report_on(name), tool=Tool("VERSION", "RULES", "REDACTION"))
    return _both(name, report)


def _both(name: str, report: Report) -> dict[str, str]:
    return {
        f"{name}.txt": text.render(report, width=80, color=False),
        f"{name}.md": markdown.render(report),
    }


def of_the_sample() -> dict[str, str]:
    """A push that was written by hand: a small one, to see how a report is laid out."""
    return _both("failing_push", failing_push())


def _all() -> Iterator[tuple[str, str]]:
    yield from of_the_sample().items()
    for name in NAMES:
        yield from drawn(name).items()


def write() -> None:
    known = dict(_all())
    SNAPSHOTS.mkdir(exist_ok=True)
    for path in SNAPSHOTS.iterdir():
        if path.name not in known:
            path.unlink()
    for name, content in known.items():
        (SNAPSHOTS / name).write_text(content, "utf-8")


if __name__ == "__main__":
    write()
