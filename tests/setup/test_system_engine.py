"""The system's engine: what is written for which version, and the rollback that needs nobody."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from machines import Commands, machine, on_its_own, tree

from regtrace.setup import system_engine
from regtrace.setup.machine import Machine
from regtrace.setup.refused import Refused

_PROXY = "http://127.0.0.1:8080"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return on_its_own(monkeypatch, tmp_path / "state")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the engine's API answers, by path; it runs, Docker 27."""
    said: dict[str, object] = {"/version": {"Version": "27.3.1"}, "/info": {}}
    monkeypatch.setattr(system_engine, "ask", lambda _, path: said.get(path))
    return said


def _with_systemd(root: Path) -> Machine:
    (root / "run/systemd/system").mkdir(parents=True)
    return machine(root)


def test_docker_23_and_later_get_it_in_daemon_json_with_all_else_in_its_place(
    tmp_path: Path, answers: dict[str, object]
) -> None:
    here = _with_systemd(tmp_path)
    (tmp_path / "etc/docker").mkdir()
    (tmp_path / "etc/docker/daemon.json").write_text(
        '{\n    "log-driver": "local",\n    "proxies": {"no-proxy": "corp"},\n'
        '    "debug": true\n}\n'
    )

    plan = system_engine.plan(here, _PROXY)

    (edit,) = plan.edits
    assert edit.path == tmp_path / "etc/docker/daemon.json"
    assert json.loads(edit.content) == {
        "log-driver": "local",
        "proxies": {"no-proxy": "corp", "http-proxy": _PROXY, "https-proxy": _PROXY},
        "debug": True,
    }
    assert list(json.loads(edit.content)) == ["log-driver", "proxies", "debug"]
    assert b'\n    "log-driver"' in edit.content
    assert plan.manager.restart[-1] == "systemctl daemon-reload && systemctl restart docker"


def test_older_ones_get_a_drop_in_of_systemd(tmp_path: Path, answers: dict[str, object]) -> None:
    answers["/version"] = {"Version": "20.10.24+dfsg1"}

    (edit,) = system_engine.plan(_with_systemd(tmp_path), _PROXY).edits

    assert edit.path.parent == tmp_path / "etc/systemd/system/docker.service.d"
    lines = edit.content.decode().splitlines()
    assert lines[1:] == [
        "[Service]",
        f'Environment="HTTP_PROXY={_PROXY}" "HTTPS_PROXY={_PROXY}"',
    ]


@pytest.mark.parametrize(
    ("program", "file", "restart"),
    [
        ("service", "etc/default/docker", ("service", "docker", "restart")),
        ("rc-service", "etc/conf.d/docker", ("rc-service", "docker", "restart")),
    ],
)
def test_older_ones_without_systemd_get_it_in_their_service_s_environment(
    program: str, file: str, restart: tuple[str, ...], tmp_path: Path, answers: dict[str, object]
) -> None:
    answers["/version"] = {"Version": "20.10.24"}
    here = machine(tmp_path, programs=[program])
    for folder in ("init.d", "default", "conf.d"):
        (tmp_path / "etc" / folder).mkdir()
    (tmp_path / "etc/init.d/docker").write_text("")
    (tmp_path / file).write_text("DOCKER_OPTS=x\n")

    plan = system_engine.plan(here, _PROXY)

    (edit,) = plan.edits
    assert edit.path == tmp_path / file
    shell = f". {edit.path}.new; echo $DOCKER_OPTS; env"
    Path(f"{edit.path}.new").write_bytes(edit.content)
    said = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, env={})
    assert said.stdout.startswith("x\n")
    assert f"HTTPS_PROXY={_PROXY}\n" in said.stdout
    assert plan.manager.restart == restart


def test_a_rootless_engine_gets_it_at_home(
    tmp_path: Path, answers: dict[str, object], commands: Commands
) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    here = machine(
        tmp_path,
        is_root=False,
        environment={
            "DOCKER_HOST": "unix:///run/user/7/docker.sock",
            "XDG_RUNTIME_DIR": "/run/user/7",
        },
    )

    plan = system_engine.plan(here, _PROXY)

    assert plan.edits[0].path == here.home / ".config/docker/daemon.json"
    assert "systemctl --user restart docker" in plan.manager.restart[-1]
    assert plan.socket == Path("/run/user/7/docker.sock")
    system_engine.arm(here, plan, 60)
    assert commands.ran[-1][:2] == ("systemd-run", "--user")


def test_without_root_it_says_so(tmp_path: Path, answers: dict[str, object]) -> None:
    with pytest.raises(Refused, match="run this with sudo"):
        system_engine.plan(machine(tmp_path, is_root=False), _PROXY)


def test_without_a_service_manager_it_names_the_other_way(
    tmp_path: Path, answers: dict[str, object]
) -> None:
    with pytest.raises(Refused, match="regtrace dockerd start"):
        system_engine.plan(machine(tmp_path), _PROXY)


@pytest.mark.parametrize("text", ["{", "[]", '{"proxies": "x"}'])
def test_settings_that_are_none_are_not_changed(
    text: str, tmp_path: Path, answers: dict[str, object]
) -> None:
    here = _with_systemd(tmp_path)
    (tmp_path / "etc/docker").mkdir()
    (tmp_path / "etc/docker/daemon.json").write_text(text)

    with pytest.raises(Refused, match="is not changed"):
        system_engine.plan(here, _PROXY)


def test_what_dockerd_itself_would_not_start_with_is_not_written(
    tmp_path: Path, answers: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "dockerd"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\n[ "$1" = --validate ] && grep -q http-proxy "${2#*=}" || exit 0\n'
        "echo unable to configure the Docker daemon >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    here = _with_systemd(tmp_path / "root")
    (tmp_path / "root/usr/bin/dockerd").write_text("")

    with pytest.raises(Refused, match=r"would not start with it.*unable to configure"):
        system_engine.plan(here, _PROXY)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "https://proxy:1", "http://", "http://x:y"])
def test_what_is_no_proxy_is_refused(url: str, tmp_path: Path, answers: dict[str, object]) -> None:
    with pytest.raises(Refused, match="is no address of a proxy"):
        system_engine.plan(_with_systemd(tmp_path), url)


def test_the_plan_tells_what_the_restart_stops_and_no_password(
    tmp_path: Path, answers: dict[str, object]
) -> None:
    answers["/info"] = {
        "ContainersRunning": 3,
        "LiveRestoreEnabled": False,
        "Swarm": {"LocalNodeState": "active"},
        "NoProxy": "registry.test",
    }
    here = _with_systemd(tmp_path)
    (tmp_path / "etc/docker").mkdir()
    (tmp_path / "etc/docker/daemon.json").write_text(
        '{"proxies": {"http-proxy": "http://me:made-up@corp.test:1"}}'
    )

    plan = system_engine.plan(here, _PROXY)

    assert "3 running containers are STOPPED" in plan.remarks[0]
    assert "swarm" in plan.remarks[1]
    assert "registry.test" in plan.remarks[2]
    assert "made-up" not in "\n".join(plan.diff())
    assert "***@corp.test" in "\n".join(plan.diff())


def test_with_systemd_a_timer_is_armed_before_the_restart_and_undo_stops_it(
    tmp_path: Path, answers: dict[str, object], commands: Commands
) -> None:
    here = _with_systemd(tmp_path / "root")
    before = tree(tmp_path / "root")
    plan = system_engine.plan(here, _PROXY)

    system_engine.apply(here, plan, 900)
    assert commands.ran[0][0] == "systemd-run"
    assert "--on-active=900s" in commands.ran[0]
    assert commands.ran[1] == plan.manager.restart
    assert system_engine.stands(here)
    with pytest.raises(Refused, match="--undo"):
        system_engine.apply(here, plan, 900)
    _, problems = system_engine.undo(here)

    assert problems == ()
    assert ("systemctl", "stop", "regtrace-rollback.timer") in commands.ran
    assert commands.ran[-1] == plan.manager.restart
    assert tree(tmp_path / "root") == before
    assert not (tmp_path / "state").exists()


def test_an_engine_that_does_not_come_back_gets_its_old_settings(
    tmp_path: Path,
    answers: dict[str, object],
    commands: Commands,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = _with_systemd(tmp_path / "root")
    before = tree(tmp_path / "root")
    plan = system_engine.plan(here, _PROXY)
    del answers["/version"]
    monkeypatch.setattr(system_engine, "_SECONDS", 0)

    with pytest.raises(Refused, match="old settings were put back"):
        system_engine.apply(here, plan, 900)

    assert tree(tmp_path / "root") == before
    assert not (tmp_path / "state").exists()


def _restarting(here: Machine, tmp_path: Path) -> system_engine.Plan:
    """A plan whose restart leaves a file, to be carried out for real."""
    plan = system_engine.plan(here, _PROXY)
    manager = system_engine.Manager("test", ("touch", str(tmp_path / "restarted")), Path("/x"))
    return system_engine.Plan(plan.edits, manager, plan.socket, ())


@pytest.mark.parametrize(
    "old", [None, b'{"debug": true}', b'{\n"x": "' + bytes([0xC3, 0xA9]) + b'"}']
)
def test_the_script_puts_back_every_byte_and_restarts(
    old: bytes | None, tmp_path: Path, answers: dict[str, object]
) -> None:
    root = tmp_path / "root"
    here = _with_systemd(root)
    file = root / "etc/docker/daemon.json"
    if old is not None:
        file.parent.mkdir()
        file.write_bytes(old)
        file.chmod(0o640)
    before = tree(root)
    plan = _restarting(here, tmp_path)
    script = tmp_path / "rollback.sh"
    script.write_text(system_engine.rollback(plan))
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(plan.edits[0].content)

    subprocess.run(["sh", str(script)], check=True, env={"PATH": "/usr/bin:/bin"})

    assert tree(root) == before
    assert (tmp_path / "restarted").exists()
    assert not script.exists()


def test_the_script_does_nothing_when_nothing_was_changed(
    tmp_path: Path, answers: dict[str, object]
) -> None:
    root = tmp_path / "root"
    here = _with_systemd(root)
    before = tree(root)
    script = tmp_path / "rollback.sh"
    script.write_text(system_engine.rollback(_restarting(here, tmp_path)))

    subprocess.run(["sh", str(script)], check=True, env={"PATH": "/usr/bin:/bin"})

    assert tree(root) == before
    assert not (tmp_path / "restarted").exists()
    assert not script.exists()


def test_settings_that_others_changed_are_named_by_undo_again_and_again(
    tmp_path: Path, answers: dict[str, object], commands: Commands
) -> None:
    here = _with_systemd(tmp_path / "root")
    plan = system_engine.plan(here, _PROXY)
    system_engine.apply(here, plan, 900)
    plan.edits[0].path.write_bytes(b"{}")

    for _ in range(2):
        _, (problem,) = system_engine.undo(here)
        assert "was changed since" in problem
    assert plan.edits[0].path.read_bytes() == b"{}"


def test_the_script_leaves_alone_what_others_changed(
    tmp_path: Path, answers: dict[str, object]
) -> None:
    root = tmp_path / "root"
    here = _with_systemd(root)
    plan = _restarting(here, tmp_path)
    script = tmp_path / "rollback.sh"
    script.write_text(system_engine.rollback(plan))
    (root / "etc/docker").mkdir()
    (root / "etc/docker/daemon.json").write_bytes(b"mine")

    subprocess.run(["sh", str(script)], check=False, env={"PATH": "/usr/bin:/bin"})

    assert (root / "etc/docker/daemon.json").read_bytes() == b"mine"
    assert not (tmp_path / "restarted").exists()
    assert script.exists()


def test_a_rollback_that_has_happened_is_known(
    tmp_path: Path, answers: dict[str, object], commands: Commands
) -> None:
    """Without systemd the armed script is a process; here it waits no second."""
    root = tmp_path / "root"
    here = _with_systemd(root)
    plan = _restarting(here, tmp_path)

    system_engine.apply(here, plan, 1)
    deadline = time.monotonic() + 20
    while (tmp_path / "state/rollback.sh").exists() and time.monotonic() < deadline:
        time.sleep(0.05)

    assert not plan.edits[0].path.exists()
    assert (tmp_path / "restarted").exists()
    assert not system_engine.stands(here)
    assert system_engine.undo(here) == ((), ())
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("unix:///home/me/.docker/desktop/docker.sock", "host.docker.internal:8080"),
        ("unix:///Users/me/.colima/default/docker.sock", "colima start --edit"),
    ],
)
def test_an_engine_in_a_virtual_machine_gets_exact_steps(
    address: str, says: str, tmp_path: Path
) -> None:
    here = machine(tmp_path, environment={"DOCKER_HOST": address})

    assert says in "\n".join(system_engine.by_hand(here, _PROXY))
