"""Every saved capture of a real run still says what its sidecar promises, by both ways in.

Both ways run inside this process, or a hundred captures would take minutes; two captures go
through the programs themselves.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from mitmproxy.io import FlowReader

from lab.expect import check_report, check_same
from lab.parts.mitmdump import ADDON, PROGRAM
from lab.reading import read, replayed, reported

ROOT = Path(__file__).resolve().parent.parent
CAPTURES = sorted((ROOT / "captures").glob("*.mitm"))
LIST = (ROOT / "captures" / "README.md").read_text()
REGTRACE = PROGRAM.with_name("regtrace")


@pytest.fixture(params=CAPTURES, ids=lambda path: path.stem)
def capture(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="module")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mitmproxy's own folder, one for all replays."""
    return tmp_path_factory.mktemp("mitmproxy")


def sidecar(capture: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(capture.with_suffix(".yaml").read_text())
    return content


def test_there_are_captures() -> None:
    assert len(CAPTURES) >= 70


def test_says_what_its_sidecar_promises(capture: Path, tmp_path: Path, confdir: Path) -> None:
    report = reported(capture, tmp_path)

    assert check_report(report, sidecar(capture)["expect"]) == []
    assert check_same(replayed(capture, tmp_path, confdir), report) == []


@pytest.mark.parametrize("name", ["docker-push-s3-403", "skopeo-push-ok"])
def test_the_programs_say_the_same(name: str, tmp_path: Path, confdir: Path) -> None:
    capture = ROOT / "captures" / f"{name}.mitm"
    by_proxy, by_regtrace = tmp_path / "proxy.json", tmp_path / "regtrace.json"
    options = ("--set", f"confdir={confdir}", "--set", f"registry_report={by_proxy}")

    subprocess.run(
        [PROGRAM, "-q", "-nr", capture, "-s", ADDON, *options],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run([REGTRACE, "report", capture, "-o", by_regtrace])

    report = reported(capture, tmp_path)
    assert check_same(read(by_proxy), report) == []
    assert check_same(read(by_regtrace), report) == []


def test_the_list_names_every_capture(capture: Path) -> None:
    assert f"| `{capture.stem}` |" in LIST


def test_captures_stay_small(capture: Path) -> None:
    """At most 8 kB a leg: no blob's bytes in it."""
    with capture.open("rb") as stream:
        legs = sum(1 for _ in FlowReader(stream).stream())
    assert capture.stat().st_size <= 8_000 * max(legs, 1)
