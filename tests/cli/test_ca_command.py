"""``regtrace ca``: what it prints, as text and JSON, and what it refuses in one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from regtrace import cli
from regtrace.setup import journal
from regtrace.setup.machine import Machine

_REGISTRY = "registry.test:5050"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a machine of its own, with podman; regtrace remembers in its state folder."""
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/podman").write_text("")
    made = Machine(root, root / "home", "linux", True, {"PATH": "/usr/bin"})
    monkeypatch.setattr(journal, "folder", lambda: tmp_path / "state")
    monkeypatch.setattr("regtrace.cli.ca.this_machine", lambda: made)
    return root


def regtrace(*words: str | Path) -> Result:
    return CliRunner().invoke(cli.main, ["ca", *map(str, words)])


def test_from_nothing_to_trust_and_back(here: Path, tmp_path: Path) -> None:
    created = regtrace("create", "registry.test", "auth.test")
    assert created.exit_code == 0
    assert f"--set confdir={tmp_path}/state/ca" in created.output
    assert "mitmdump" in created.output

    file = here / "etc/containers/certs.d" / _REGISTRY / "regtrace.crt"
    installed = regtrace("install", _REGISTRY)
    assert f"written: {file}" in installed.output
    assert "is so already" in regtrace("install", _REGISTRY).output
    status = regtrace("status")
    assert (status.exit_code, f"as written: {file}" in status.output) == (0, True)

    removed = regtrace("remove", "--destroy")
    assert removed.exit_code == 0
    assert not (here / "etc").exists()
    assert not (tmp_path / "state").exists()


def test_a_dry_run_changes_nothing(here: Path, tmp_path: Path) -> None:
    assert "would make" in regtrace("create", "registry.test", "--dry-run").output
    assert not (tmp_path / "state").exists()
    regtrace("create", "registry.test")

    assert "would be written" in regtrace("install", _REGISTRY, "--dry-run").output
    assert not (here / "etc").exists()
    regtrace("install", _REGISTRY)

    assert "would put back" in regtrace("remove", "--dry-run").output
    assert (here / "etc/containers/certs.d" / _REGISTRY).is_dir()


def test_json_for_programs(here: Path) -> None:
    created = json.loads(regtrace("create", "registry.test", "--json").output)
    installed = json.loads(regtrace("install", _REGISTRY, "--json").output)
    status = json.loads(regtrace("status", "--json").output)
    removed = json.loads(regtrace("remove", "--json").output)

    assert created["hosts"] == ["registry.test"]
    (place,) = installed["trust"][0]["places"]
    assert place["client"] == "containers"
    assert status["trust"][0]["files"][0]["state"] == "as written"
    assert removed["restored"] == [place["files"][0]["path"]]


def test_a_file_that_was_changed_since_stays_and_is_named(here: Path) -> None:
    regtrace("create", "registry.test")
    regtrace("install", _REGISTRY)
    file = here / "etc/containers/certs.d" / _REGISTRY / "regtrace.crt"
    file.write_text("mine")

    assert regtrace("status").exit_code == 1
    removed = regtrace("remove")

    assert removed.exit_code == 1
    assert "was changed since" in removed.stderr
    assert file.read_text() == "mine"


def test_only_the_named_registry_is_taken_back(here: Path) -> None:
    regtrace("create", "test")
    regtrace("install", "a.test", "b.test")

    regtrace("remove", "a.test")

    assert [path.name for path in (here / "etc/containers/certs.d").iterdir()] == ["b.test"]


def test_a_new_authority_replaces_the_old_one_only_when_told(tmp_path: Path) -> None:
    regtrace("create", "registry.test")
    before = (tmp_path / "state/ca/mitmproxy-ca.pem").read_bytes()

    refused = regtrace("create", "registry.test")
    assert refused.exit_code == 2
    assert "already" in refused.stderr
    assert regtrace("create", "registry.test", "--replace").exit_code == 0

    assert (tmp_path / "state/ca/mitmproxy-ca.pem").read_bytes() != before


def test_under_sudo_it_is_the_authority_that_the_user_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "of-root"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("SUDO_USER", "me")
    place = journal.folder_of_user().relative_to(Path.home())
    expand = os.path.expanduser
    monkeypatch.setattr(
        os.path, "expanduser", lambda path: tmp_path / "of-me" if path == "~me" else expand(path)
    )
    theirs = tmp_path / "of-me" / place / "ca"
    assert regtrace("create", "registry.test", "--ca", theirs).exit_code == 0

    installed = json.loads(regtrace("install", _REGISTRY, "--json").output)

    assert installed["authority"]["folder"] == str(theirs)


def test_mitmproxys_own_authority_is_warned_of_and_never_destroyed(tmp_path: Path) -> None:
    from mitmproxy.certs import CertStore

    CertStore.create_store(tmp_path / "own", "mitmproxy", 2048)

    installed = regtrace("install", _REGISTRY, "--ca", tmp_path / "own")
    destroyed = regtrace("remove", "--destroy", "--ca", tmp_path / "own")

    assert "warning: this authority may sign for every host, and for 365" in installed.output
    assert destroyed.exit_code == 2
    assert "was not made by regtrace" in destroyed.stderr
    assert (tmp_path / "own/mitmproxy-ca.pem").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["create"], "name the HOSTs"),
        (["create", "https://registry.test"], "is no host"),
        (["create", "registry.test", "--days", "400"], "1<=x<=90"),
        (["create", "\x1b[31m"], r"\x1b[31m: is no host"),
        (["install"], "name a REGISTRY"),
        (["install", _REGISTRY], "regtrace ca create"),
        (["install", _REGISTRY, "--client", "nobody"], "nobody"),
        (["remove", "../../etc"], "is no host"),
    ],
)
def test_what_can_t_be_done_ends_with_status_2(words: list[str], says: str) -> None:
    result = regtrace(*words)

    assert result.exit_code == 2
    assert says in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("command", ["create", "install", "status", "remove"])
def test_every_command_has_an_example(command: str) -> None:
    assert "Example" in regtrace(command, "--help").output


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can become somebody else",
)
def test_a_user_without_root_gets_one_line_that_says_what_needs_it(tmp_path: Path) -> None:
    """For real: another user, whose home is all that it may write."""
    home = Path("/tmp") / f"regtrace-home-{os.getpid()}"
    home.mkdir()
    os.chown(home, 65534, 65534)
    program = "from regtrace.cli import main; main()"
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*nobody, sys.executable, "-c", program, *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd="/")

    try:
        if run("--version").returncode != 0:
            pytest.skip("the clone lies where another user can't read it")
        created = run("ca", "create", "registry.test")
        docker = run("ca", "install", "registry.test", "--client", "docker")
        system = run("ca", "install", "--system")
        engines = [run("dockerd", "start"), run("dockerd", "system", "--yes")]
        podman = run("ca", "install", "registry.test", "--client", "containers")
        file = home / ".config/containers/certs.d/registry.test/regtrace.crt"
        written = file.is_file()
        removed = run("ca", "remove", "--destroy")
        left = [path for path in home.rglob("*") if path.is_file()]
    finally:
        shutil.rmtree(home)

    assert created.returncode == 0, created.stderr
    for refused in (docker, system, *engines):
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
    for refused in (docker, system, engines[1]):
        assert "sudo" in refused.stderr
    assert podman.returncode == 0
    assert written
    assert removed.returncode == 0
    assert left == []
