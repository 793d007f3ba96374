"""Every scenario, end to end: the client fails as it should, and the report says why.

Three reports on the same traffic, live, by replay and without a proxy, must tell one story.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import box, packages, scenario, world
from .expect import check_report, check_same
from .parts.mitmdump import ADDON, PROGRAM

pytestmark = pytest.mark.lab

_LAB = [sys.executable, str(Path(__file__).parent)]
_REGTRACE = Path(sys.executable).parent / "regtrace"


@pytest.fixture(scope="session")
def lab() -> Iterator[None]:
    """The lab, up; taken down again at the end unless it was up before."""
    reason = _why_not()
    if reason and os.environ.get("REGTRACE_LAB") == "1":
        pytest.fail(f"REGTRACE_LAB=1, but {reason}")
    if reason:
        pytest.skip(reason)
    was_up = box.is_up()
    subprocess.run([*_LAB, "up"], check=True)
    yield
    if not was_up:
        subprocess.run([*_LAB, "down"], check=True)


@pytest.mark.parametrize("name", scenario.names())
def test_scenario(name: str, lab: None, tmp_path: Path) -> None:
    # `lab run` checks the client and the live report; its words are in the test's output.
    ran = subprocess.run(
        [*_LAB, "run", name, "--to", str(tmp_path)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    live = _read(tmp_path / f"{name}.live.json")
    capture = tmp_path / f"{name}.mitm"

    replayed = _replay(capture, tmp_path / "replay.json")
    reported = _report(capture, tmp_path / "report.json")

    assert check_report(replayed, scenario.load(name).expect) == []
    assert check_same(live, replayed) == []
    assert check_same(live, reported) == []


def _replay(capture: Path, report: Path) -> dict[str, Any]:
    command = [str(PROGRAM), "-nr", str(capture), "-s", str(ADDON)]
    command += ["--set", f"registry_report={report}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return _read(report)


def _report(capture: Path, report: Path) -> dict[str, Any]:
    done = subprocess.run([str(_REGTRACE), "report", str(capture), "-o", str(report)])
    assert done.returncode in (0, 1), "0: nothing failed, 1: an operation failed"
    return _read(report)


def _read(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def _why_not() -> str | None:
    """Why the lab can't run here, or None."""
    if packages.unfit():
        return packages.unfit()
    if packages.missing():
        return f"these packages are missing (scripts/lab install): {', '.join(packages.missing())}"
    if not ADDON.exists():
        return f"there is no {ADDON.relative_to(world.REPOSITORY_ROOT)}"
    return None
