"""``docker push`` as regtrace reads it, and the login that goes along with it."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from regtrace.setup import docker
from regtrace.setup.docker import Reference
from regtrace.setup.refused import Refused

_SECRET = "made-up-secret"
_AUTH = base64.b64encode(f"jane:{_SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("registry.example.com/team/app:1", ("registry.example.com", "team/app", "1", "")),
        ("registry:5000/app", ("registry:5000", "app", "latest", "")),
        ("localhost/app", ("localhost", "app", "latest", "")),
        ("jane/app:1", ("docker.io", "jane/app", "1", "")),
        ("alpine", ("docker.io", "library/alpine", "latest", "")),
        ("docker.io/alpine:3", ("docker.io", "library/alpine", "3", "")),
        ("a.b/c@sha256:0f", ("a.b", "c", "", "sha256:0f")),
        ("a.b:5/c:1@sha256:0f", ("a.b:5", "c", "1", "sha256:0f")),
    ],
)
def test_names_are_taken_apart_as_docker_does(name: str, expected: tuple[str, ...]) -> None:
    assert docker.read_reference(name) == Reference(*expected)


@pytest.mark.parametrize("name", ["", "registry.example.com/", "a.b/c@nonsense", "a.b/-x"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="no name of an image"):
        docker.read_reference(name)


def test_docker_hub_is_where_its_registry_is() -> None:
    assert docker.read_reference("alpine").base_url == "https://registry-1.docker.io"
    assert docker.read_reference("alpine").at("127.0.0.1:5") == "127.0.0.1:5/library/alpine:latest"


@pytest.mark.parametrize(
    ("words", "before", "options"),
    [
        ("docker push a.b/c:1", (), ()),
        ("docker image push a.b/c:1", (), ()),
        (
            "docker --config d -H unix:///s -D push -q a.b/c:1",
            ("--config", "d", "-H", "unix:///s", "-D"),
            ("-q",),
        ),
        (
            "/usr/bin/docker --context=x push --platform linux/arm64 a.b/c:1",
            ("--context=x",),
            ("--platform", "linux/arm64"),
        ),
    ],
)
def test_options_stay_where_they_belong(
    words: str, before: tuple[str, ...], options: tuple[str, ...]
) -> None:
    command = docker.read_command(words.split())

    assert command is not None
    assert (command.before, command.options, command.name) == (before, options, "a.b/c:1")
    assert command.with_name("x")[-1] == "x"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("docker build .", "only docker push and docker pull"),
        ("docker", "only docker push and docker pull"),
        ("docker push -a a.b/c", "name one tag"),
        ("docker push", "name one image"),
        ("docker push a b", "name one image"),
    ],
)
def test_what_can_t_be_run_so_is_refused(words: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        docker.read_command(words.split())


def test_another_program_is_none_of_docker_s() -> None:
    assert docker.read_command(["skopeo", "copy"]) is None


# --- the login


def _config(tmp_path: Path, **config: Any) -> dict[str, str]:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "config.json").write_text(json.dumps(config))
    return {"DOCKER_CONFIG": str(tmp_path / "own")}


def _written(tmp_path: Path) -> dict[str, Any]:
    written: dict[str, Any] = json.loads((tmp_path / "made" / "config.json").read_text())
    return written


def test_the_login_of_this_registry_goes_along_and_no_other(tmp_path: Path) -> None:
    own = _config(
        tmp_path,
        auths={"a.b:5000": {"auth": _AUTH}, "other.example": {"auth": "b3RoZXI6eA=="}},
        HttpHeaders={"X-Site": "1"},
        currentContext="elsewhere",
    )

    assert docker.write_login(tmp_path / "made", "a.b:5000", "127.0.0.1:9", own)

    assert _written(tmp_path) == {
        "auths": {"127.0.0.1:9": {"auth": _AUTH}},
        "HttpHeaders": {"X-Site": "1"},
    }
    mode = (tmp_path / "made" / "config.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("docker.io", "https://index.docker.io/v1/"),
        ("a.b", "https://a.b"),
        ("a.b", "https://a.b/v1/"),
    ],
)
def test_old_names_of_logins_are_found(tmp_path: Path, registry: str, key: str) -> None:
    own = _config(tmp_path, auths={key: {"auth": _AUTH}})

    assert docker.write_login(tmp_path / "made", registry, "127.0.0.1:9", own)


def test_without_a_login_there_is_none(tmp_path: Path) -> None:
    own = _config(tmp_path, auths={"other.example": {"auth": _AUTH}})

    assert not docker.write_login(tmp_path / "made", "a.b", "127.0.0.1:9", own)
    assert _written(tmp_path) == {"auths": {}}


def test_without_a_configuration_there_is_no_login(tmp_path: Path) -> None:
    own = {"DOCKER_CONFIG": str(tmp_path / "nowhere")}

    assert not docker.write_login(tmp_path / "made", "a.b", "127.0.0.1:9", own)


def test_a_configuration_that_is_broken_is_told(tmp_path: Path) -> None:
    own = _config(tmp_path)
    Path(own["DOCKER_CONFIG"], "config.json").write_text("{")

    with pytest.raises(Refused, match="is no JSON"):
        docker.write_login(tmp_path / "made", "a.b", "127.0.0.1:9", own)


def _helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (tmp_path / "bin").mkdir()
    helper = tmp_path / "bin" / "docker-credential-vault"
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")


def test_a_helper_is_asked_by_the_registry_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.dumps({"ServerURL": "a.b", "Username": "jane", "Secret": _SECRET})
    _helper(
        tmp_path, monkeypatch, f"[ $1 = get ] && [ \"$(cat)\" = a.b ] && echo '{answer}' || exit 1"
    )
    own = _config(tmp_path, credHelpers={"a.b": "vault"}, auths={"a.b": {}})

    assert docker.write_login(tmp_path / "made", "a.b", "127.0.0.1:9", own)
    assert _written(tmp_path)["auths"]["127.0.0.1:9"] == {"auth": _AUTH}


def test_an_identity_token_of_a_helper_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.dumps({"Username": "<token>", "Secret": _SECRET})
    _helper(tmp_path, monkeypatch, f"echo '{answer}'")
    own = _config(tmp_path, credsStore="vault")

    assert docker.write_login(tmp_path / "made", "a.b", "127.0.0.1:9", own)
    assert _written(tmp_path)["auths"]["127.0.0.1:9"] == {"identitytoken": _SECRET}


def test_a_helper_that_knows_nothing_leaves_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _helper(tmp_path, monkeypatch, "echo credentials not found; exit 1")
    own = _config(tmp_path, credsStore="vault", auths={"a.b": {"auth": _AUTH}})

    assert docker.write_login(tmp_path / "made", "a.b", "127.0.0.1:9", own)


def test_what_a_helper_says_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _helper(tmp_path, monkeypatch, f"echo {_SECRET}; echo {_SECRET} >&2")
    own = _config(tmp_path, credsStore="vault")

    with pytest.raises(Refused) as refused:
        docker.write_login(tmp_path / "made", "a.b", "127.0.0.1:9", own)

    assert _SECRET not in str(refused.value)


def test_a_helper_that_is_missing_is_named(tmp_path: Path) -> None:
    own = _config(tmp_path, credHelpers={"a.b": "nowhere"})

    with pytest.raises(Refused, match="docker-credential-nowhere"):
        docker.write_login(tmp_path / "made", "a.b", "127.0.0.1:9", own)


def test_docker_s_own_config_option_counts() -> None:
    for words in ("docker --config /x push a.b/c", "docker --config=/x push a.b/c"):
        command = docker.read_command(words.split())
        assert command is not None
        assert docker.with_config(command, {})["DOCKER_CONFIG"] == "/x"
        assert docker.without_config(command).before == ()


# --- the daemon, played by a script


def _daemon(tmp_path: Path, host: str, **info: Any) -> docker.DockerCommand:
    told = {"RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"]}, **info}
    program = tmp_path / "docker"
    program.write_text(
        f"#!/bin/sh\ncase $1 in context) echo '{host}';; info) echo '{json.dumps(told)}';; esac\n"
    )
    program.chmod(0o755)
    command = docker.read_command([str(program), "push", "a.b/c"])
    assert command is not None
    return command


def test_a_daemon_of_this_machine_is_taken(tmp_path: Path) -> None:
    command = _daemon(tmp_path, "unix:///run/docker.sock")

    assert docker.check_daemon(command) == {"DOCKER_HOST": "unix:///run/docker.sock"}


@pytest.mark.parametrize(
    ("host", "info", "said"),
    [
        ("ssh://build.example.com", {}, "elsewhere"),
        ("tcp://10.0.0.1:2376", {}, "elsewhere"),
        ("unix:///s", {"OperatingSystem": "Docker Desktop"}, "Docker Desktop"),
        ("unix:///s", {"SecurityOptions": ["name=rootless"]}, "rootless"),
        ("unix:///s", {"RegistryConfig": {"InsecureRegistryCIDRs": []}}, "127.0.0.0/8"),
        ("unix:///s", {"ServerErrors": ["Cannot connect"]}, "Cannot connect"),
    ],
)
def test_a_daemon_that_would_not_reach_the_gateway_is_refused(
    tmp_path: Path, host: str, info: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        docker.check_daemon(_daemon(tmp_path, host, **info))
