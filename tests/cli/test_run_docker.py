"""``regtrace run -- docker push``, with a docker that is a script: it writes down how it was
called, and asks the gateway as docker would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from following import PATIENCE, REGTRACE, registry

from regtrace.cli import main
from site_authority import Authority

_DOCKER = """#!{python}
import json, os, sys, urllib.request, urllib.error
words = sys.argv[1:]
folder = os.environ.get("DOCKER_CONFIG", "")
config = open(folder + "/config.json").read() if folder else ""
with open({calls!r}, "a") as calls:
    calls.write(json.dumps([words, os.environ.get("DOCKER_HOST"), config, folder]) + "\\n")
if words[0] == "context":
    print("unix:///run/docker.sock")
elif words[0] == "info":
    print(json.dumps({{"RegistryConfig": {{"InsecureRegistryCIDRs": ["127.0.0.0/8"]}}}}))
elif words[0] == "tag" and "missing" in words[1]:
    sys.exit("Error response from daemon: No such image: " + words[1])
elif words[0] in ("push", "pull"):
    host, _, path = words[-1].partition("/")
    print("docker's own words")
    try:
        urllib.request.urlopen("http://" + host + "/v2/" + path.replace(":", "/manifests/"))
    except urllib.error.HTTPError as answer:
        sys.exit(answer.code - 400)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A machine with this docker, and a login for every registry of this machine."""
    for name in ("bin", "tmp", "own", "work"):
        (tmp_path / name).mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(_DOCKER.format(python=sys.executable, calls=str(tmp_path / "calls")))
    docker.chmod(0o755)
    (tmp_path / "own" / "config.json").write_text("{}")
    return {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "DOCKER_CONFIG": str(tmp_path / "own"),
        "TMPDIR": str(tmp_path / "tmp"),
    }


def _calls(tmp_path: Path) -> list[Any]:
    return [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]


def _run(
    tmp_path: Path, environment: dict[str, str], *words: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*REGTRACE, "run", *words],
        cwd=tmp_path / "work",
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_the_image_has_a_second_name_for_the_time_of_the_command(
    verb: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    site_authority = Authority(tmp_path)
    with registry(site_authority.server(), status=404) as site:
        there = f"127.0.0.1:{site.port}"
        login = {"auth": "amFuZTptYWRlLXVw"}
        (tmp_path / "own" / "config.json").write_text(json.dumps({"auths": {there: login}}))
        words = ["-o", "a.json", "-w", "a.mitm", "--upstream-ca", str(site_authority.path), "--"]
        ran = _run(tmp_path, environment, *words, "docker", verb, f"{there}/team/app:1")

    assert ran.returncode == 4, ran.stderr
    assert ran.stdout == "docker's own words\n"
    assert site.asked == ["GET /v2/team/app/manifests/1"]
    calls = [call for call in _calls(tmp_path) if call[0][0] in {"tag", "push", "pull", "rmi"}]
    (asked,) = (call for call in calls if call[0][0] == verb)
    other = asked[0][-1]
    assert other.startswith("127.0.0.1:")
    assert other.endswith("/team/app:1")
    assert other != f"{there}/team/app:1"
    expected = [[verb, other], ["rmi", "--no-prune", other]]
    if verb == "push":
        expected.insert(0, ["tag", f"{there}/team/app:1", other])
    assert [call[0] for call in calls] == expected
    assert json.loads(asked[2])["auths"] == {other.partition("/")[0]: login}
    assert asked[1] == "unix:///run/docker.sock"
    assert not Path(asked[3]).exists()
    assert "amFuZTptYWRlLXVw" not in ran.stderr
    report = json.loads((tmp_path / "work" / "a.json").read_text())
    assert {each["registry"] for each in report["operations"]} == {there}
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_registry_without_tls_that_the_daemon_takes_as_it_is(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    with registry() as site:
        ran = _run(tmp_path, environment, "docker", "push", f"127.0.0.1:{site.port}/team/app:1")

    assert f"reaches http://127.0.0.1:{site.port} by the gateway" in ran.stderr
    assert site.asked == ["GET /v2/team/app/manifests/1"]


def test_a_pulled_image_gets_the_name_that_was_asked_for(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    site_authority = Authority(tmp_path)
    with registry(site_authority.server()) as site:
        name = f"127.0.0.1:{site.port}/team/app:1"
        ran = _run(
            tmp_path, environment, "--upstream-ca", str(site_authority.path), "docker", "pull", name
        )

    assert ran.returncode == 0, ran.stderr
    done = [call[0] for call in _calls(tmp_path) if call[0][0] in {"tag", "rmi"}]
    assert done[0][0] == "tag"
    assert done[0][2] == name
    assert done[1] == ["rmi", "--no-prune", done[0][1]]


def test_an_image_that_is_not_there_is_told_and_nothing_stays(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    ran = _run(tmp_path, environment, "--", "docker", "push", "registry.test/missing:1")

    assert ran.returncode == 2
    assert "No such image" in ran.stderr
    assert list((tmp_path / "work").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_dry_run_tells_the_steps(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / "work")
    words = ["run", "--dry-run", "--", "docker", "push", "registry.test/team/app:1"]

    ran = CliRunner().invoke(main, words, env=environment)

    assert ran.exit_code == 0, ran.output
    assert "docker tag registry.test/team/app:1 127.0.0.1:PORT/team/app:1" in ran.stdout
    assert "docker rmi --no-prune 127.0.0.1:PORT/team/app:1" in ran.stdout
    assert {call[0][0] for call in _calls(tmp_path)} <= {"--version", "context", "info"}
