"""Every saved capture of a real run still says what its sidecar promises, by both ways in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.expect import check_report, check_same

ROOT = Path(__file__).resolve().parent.parent
CAPTURES = sorted((ROOT / "captures").glob("*.mitm"))
PROGRAMS = Path(sys.executable).parent


@pytest.fixture(params=CAPTURES, ids=lambda path: path.stem)
def capture(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def sidecar(capture: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(capture.with_suffix(".yaml").read_text())
    return content


def reported(capture: Path, folder: Path) -> dict[str, Any]:
    path = folder / "report.json"
    done = subprocess.run(
        [PROGRAMS / "regtrace", "report", capture, "-o", path], capture_output=True, text=True
    )
    assert done.returncode in {0, 1}, done.stderr
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def replayed(capture: Path, folder: Path) -> dict[str, Any]:
    path = folder / "replay.json"
    subprocess.run(
        [
            *(PROGRAMS / "mitmdump", "-q", "-nr", capture, "-s", ROOT / "addons" / "registry.py"),
            *("--set", f"confdir={folder}", "--set", f"registry_report={path}"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_there_are_captures() -> None:
    assert len(CAPTURES) >= 7


def test_says_what_its_sidecar_promises(capture: Path, tmp_path: Path) -> None:
    assert check_report(reported(capture, tmp_path), sidecar(capture)["expect"]) == []


def test_a_replay_through_the_proxy_says_the_same(capture: Path, tmp_path: Path) -> None:
    assert check_same(replayed(capture, tmp_path), reported(capture, tmp_path)) == []


def test_the_list_names_every_capture(capture: Path) -> None:
    assert f"`{capture.stem}`" in (ROOT / "captures" / "README.md").read_text()


def test_captures_stay_small(capture: Path) -> None:
    """At most 8 kB a leg: no blob's bytes in it."""
    from mitmproxy.io import FlowReader

    with capture.open("rb") as stream:
        legs = sum(1 for _ in FlowReader(stream).stream())
    assert capture.stat().st_size <= 8_000 * max(legs, 1)
