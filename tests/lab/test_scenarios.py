"""Every scenario, end to end: the client fails as it should, and the report says why.

Three reports on the same traffic, live, by replay and without a proxy, must tell one story. Only
the scenarios that say `live: always` are run, or all of them when REGTRACE_LAB is `all`; what the
others left in captures/ is read by test_captures.py all the same.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import box, packages, scenario, world
from .expect import check_report, check_same
from .parts.mitmdump import ADDON
from .reading import read, replayed, reported

pytestmark = pytest.mark.lab

_LAB = [sys.executable, str(Path(__file__).parent)]
_WANTED = os.environ.get("REGTRACE_LAB")  # set: the lab must be there; all: and all of it is run
_NAMES = [name for name in scenario.names() if _WANTED == "all" or scenario.load(name).live]


@pytest.fixture(scope="session")
def lab() -> Iterator[None]:
    """The lab, up; taken down again at the end unless it was up before."""
    reason = _why_not()
    if reason and _WANTED:
        pytest.fail(f"REGTRACE_LAB={_WANTED}, but {reason}")
    if reason:
        pytest.skip(reason)
    was_up = box.is_up()
    subprocess.run([*_LAB, "up"], check=True)
    yield
    if not was_up:
        subprocess.run([*_LAB, "down"], check=True)


@pytest.fixture(scope="module")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mitmproxy")


@pytest.mark.parametrize("name", _NAMES)
def test_scenario(name: str, lab: None, tmp_path: Path, confdir: Path) -> None:
    # `lab run` checks the client and the live report; its words are in the test's output.
    ran = subprocess.run(
        [*_LAB, "run", name, "--to", str(tmp_path)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    live = read(tmp_path / f"{name}.live.json")
    capture = tmp_path / f"{name}.mitm"

    again = replayed(capture, tmp_path, confdir)

    assert check_report(again, scenario.load(name).expect) == []
    assert check_same(live, again) == []
    assert check_same(live, reported(capture, tmp_path)) == []


def _why_not() -> str | None:
    """Why the lab can't run here, or None."""
    if packages.unfit():
        return packages.unfit()
    if packages.missing():
        return f"these packages are missing (scripts/lab install): {', '.join(packages.missing())}"
    if not ADDON.exists():
        return f"there is no {ADDON.relative_to(world.REPOSITORY_ROOT)}"
    return None
