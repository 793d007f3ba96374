"""How far reading is: on standard error, for who watches, while a large capture is read."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from test_report_command import FAILED, ROOT

MAIN = "from regtrace.cli import main; main()"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "addons"), "TERM": "xterm", "COLUMNS": "80"}
LARGE = 5 * 1024 * 1024


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """The same flows again and again: read to the end, each told once."""
    whole = FAILED.read_bytes()
    path = tmp_path / "large [red] [link=x].mitm"
    path.write_bytes(whole * (LARGE // len(whole) + 1))
    return path


def watched(*words: str | Path) -> tuple[str, str, int]:
    """What a terminal gets that is standard error, what standard output, and the exit status."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=ENVIRONMENT,
    ) as process:
        os.close(theirs)
        assert process.stdout
        seen, said = b"", b""
        streams = [ours, process.stdout.fileno()]
        while streams:
            for ready in select.select(streams, [], [], 60)[0]:
                try:
                    data = os.read(ready, 65_536)
                except OSError:  # the terminal's other end is closed
                    data = b""
                if not data:
                    streams.remove(ready)
                elif ready == ours:
                    seen += data
                else:
                    said += data
        status = process.wait(60)
    os.close(ours)
    return seen.decode(), said.decode(), status


@pytest.mark.parametrize("command", [("report",), ("diff", FAILED)])
def test_a_terminal_shows_how_far_a_large_capture_is_read(
    large: Path, command: tuple[str | Path, ...]
) -> None:
    seen, said, status = watched(*command, large)
    assert "reading large [red] [link=x].mitm" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen)
    assert re.search(r"\d+%", seen)
    # It is gone when the reading is done, and nothing of it is in the report.
    assert seen.rstrip().endswith("\x1b[2K")
    assert "reading" not in said
    assert status == (0 if command[0] == "diff" else 1)


def test_a_small_capture_needs_none() -> None:
    seen, said, status = watched("report", FAILED)
    assert (seen, status) == ("", 1)
    assert said.startswith("FAILED")


def test_without_a_terminal_there_is_none(large: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "report", str(large), "--format", "github"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 1)
    assert done.stdout.startswith("::error ")
