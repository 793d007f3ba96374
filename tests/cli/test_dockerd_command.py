"""``regtrace dockerd``: plans, refusals and ends; tests/lab/test_setup.py does it for real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from regtrace import cli
from regtrace.setup import journal, system_engine
from regtrace.setup.machine import Machine


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with systemd and Docker 27, whose commands are only recorded."""
    root = tmp_path / "root"
    for folder in ("run/systemd/system", "usr/bin", "etc"):
        (root / folder).mkdir(parents=True)
    (root / "usr/bin/unshare").write_text("")
    made = Machine(root, root / "home", "linux", True, {"PATH": "/usr/bin"})
    monkeypatch.setattr(journal, "folder", lambda: tmp_path / "state")
    monkeypatch.setattr(journal, "run", lambda words: None)
    monkeypatch.setattr("regtrace.cli.dockerd.this_machine", lambda: made)
    monkeypatch.setattr(system_engine, "ask", lambda _, path: {"Version": "27.3.1"})
    return root


def regtrace(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["dockerd", *map(str, words)])


def test_without_yes_the_plan_is_shown_and_nothing_is_done(here: Path) -> None:
    shown = regtrace("system")

    assert shown.exit_code == 2
    assert '+    "https-proxy": "http://127.0.0.1:8080"' in shown.stdout
    assert "add --yes" in shown.stderr
    assert not (here / "etc/docker").exists()
    assert regtrace("system", "--dry-run").exit_code == 0
    assert not (here / "etc/docker").exists()


def test_there_and_back(here: Path, tmp_path: Path) -> None:
    done = regtrace("system", "--yes", "--rollback", "30m", "--json")
    assert json.loads(done.stdout)["rollback_seconds"] == 1800
    settings = here / "etc/docker/daemon.json"
    assert "http-proxy" in settings.read_text()
    status = regtrace("status", "--folder", tmp_path / "none")
    assert "own engine is behind the proxy" in status.output

    assert str(settings) in regtrace("system", "--undo", "--dry-run").output
    undone = regtrace("system", "--undo")

    assert (undone.exit_code, undone.output) == (0, f"as before: {settings}\n")
    assert not settings.parent.exists()
    assert not (tmp_path / "state").exists()
    assert "nothing to take back" in regtrace("system", "--undo").output


@pytest.mark.parametrize("time", ["15", "0m", "2d", "25h", "-1s", "9999999999s"])
def test_a_rollback_time_that_is_none_is_refused(time: str) -> None:
    refused = regtrace("system", "--rollback", time)

    assert refused.exit_code == 2
    assert "say it as 90s, 15m or 2h" in refused.stderr


@pytest.mark.parametrize("how", [[], ["--dry-run"]])
def test_where_an_engine_can_t_be_started_it_says_so_in_one_line(how: list[str]) -> None:
    refused = regtrace("start", *how)

    assert refused.exit_code == 2
    assert refused.stderr.startswith("regtrace: dockerd is not installed here")
    assert refused.stderr.count("\n") == 1


def test_stop_without_an_engine_is_no_failure(tmp_path: Path) -> None:
    stopped = regtrace("stop", "--folder", tmp_path / "none", "--json")

    assert (stopped.exit_code, json.loads(stopped.output)) == (0, {"stopped": False})


def test_a_dry_run_of_stop_removes_nothing(tmp_path: Path) -> None:
    (tmp_path / "regtrace-dockerd.json").write_text('{"proxy": "http://x:1"}')

    assert "would end it" in regtrace("stop", "--folder", tmp_path, "--dry-run").output
    assert (tmp_path / "regtrace-dockerd.json").exists()


@pytest.mark.parametrize("command", ["start", "stop", "status", "system"])
def test_every_command_has_an_example(command: str) -> None:
    assert "Example" in regtrace(command, "--help").output
