"""The system's own Docker engine behind the proxy, and back, also when nobody is left to do it.

Docker 23 and later read ``proxies`` in daemon.json. Older ones take a proxy from their environment
alone, which the service manager sets. Before anything is changed a rollback is armed that needs
neither regtrace nor a terminal.
"""

from __future__ import annotations

import base64
import contextlib
import difflib
import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regtrace.report.visible import visible
from regtrace.setup import journal
from regtrace.setup.handshake import proxy_address
from regtrace.setup.journal import Change, Edit, content_of, digest
from regtrace.setup.machine import Engine, Machine
from regtrace.setup.refused import Refused
from regtrace.setup.second_engine import all_processes, ask

PURPOSE = "engine"
_UNIT = "regtrace-rollback"
_SECONDS = 60
_FIRST_WITH_PROXIES = 23
_CREDENTIALS = re.compile(r"(://)[^/@\s\"']+@")


@dataclass(frozen=True, slots=True)
class Manager:
    """What starts the engine when the machine starts."""

    name: str
    restart: tuple[str, ...]
    environment: Path
    """The file that holds the engine's environment."""
    systemd: tuple[str, ...] | None = None
    """Options that choose the user's systemd or the system's; None where there is none."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, and what a person should know before."""

    edits: tuple[Edit, ...]
    manager: Manager
    socket: Path
    remarks: tuple[str, ...]

    def diff(self) -> list[str]:
        """The change of each file, without passwords that stood there."""
        lines: list[str] = []
        for edit in self.edits:
            old = (content_of(edit.path) or b"").decode(errors="replace")
            name = str(edit.path)
            new = edit.content.decode(errors="replace")
            lines += difflib.unified_diff(
                old.splitlines(), new.splitlines(), name, name, lineterm=""
            )
        return [visible(_CREDENTIALS.sub(r"\1***@", line), keep="\t") for line in lines]


def by_hand(machine: Machine, proxy: str) -> tuple[str, ...]:
    """The steps where regtrace does not do it; none where it does."""
    host, port = proxy_address(proxy)
    engine = machine.engine()
    if engine is Engine.DESKTOP:
        return (
            "Docker Desktop keeps its settings itself:",
            "1. Settings > Resources > Proxies > Manual: put in both fields",
            f"   http://{_from_a_virtual_machine(host, 'host.docker.internal')}:{port}",
            "2. Apply & restart",
            "3. regtrace ca install REGISTRY, then restart Docker Desktop once more",
            "Afterwards choose System proxy there again, and run regtrace ca remove.",
        )
    if engine is Engine.COLIMA:
        return (
            "colima writes the engine's settings when its virtual machine starts:",
            "1. colima stop; regtrace ca install REGISTRY",
            "2. colima start --edit, and put there",
            "   docker:",
            "     proxies:",
            f"       http-proxy: http://{_from_a_virtual_machine(host)}:{port}",
            f"       https-proxy: http://{_from_a_virtual_machine(host)}:{port}",
            "Afterwards take it out the same way, and run regtrace ca remove.",
        )
    if engine is Engine.SNAP:
        return (
            "docker is a snap, which keeps its settings in its own folder:",
            "1. put into /var/snap/docker/current/config/daemon.json",
            f'   "proxies": {{"http-proxy": "{proxy}", "https-proxy": "{proxy}"}}',
            "2. sudo snap restart docker",
            "Afterwards take it out again, and restart once more.",
        )
    if engine is Engine.WINDOWS:
        return (
            r"1. put into %ProgramData%\docker\config\daemon.json",
            f'   "proxies": {{"http-proxy": "{proxy}", "https-proxy": "{proxy}"}}',
            "2. Restart-Service docker",
            "Afterwards take it out again, and restart once more.",
        )
    return ()


def plan(machine: Machine, proxy: str) -> Plan:
    """What puts this machine's engine behind the proxy. Raises Refused."""
    host, port = proxy_address(proxy)
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    rootless = machine.engine() is Engine.ROOTLESS
    if not rootless and not machine.is_root:
        raise Refused(
            "the settings of the Docker engine are root's, and it must be restarted: run this with"
            " sudo"
        )
    manager = _manager(machine, rootless=rootless)
    socket = _socket(machine, rootless=rootless)
    if _version(machine, socket) >= _FIRST_WITH_PROXIES:
        folder = machine.config_home / "docker" if rootless else machine.path("/etc/docker")
        path = folder / "daemon.json"
        edit = Edit(path, _with_proxies(path, content_of(path), url))
        _validate(machine, edit)
    elif manager.systemd is not None:
        edit = Edit(manager.environment, _DROP_IN.format(url=url).encode())
    else:
        old = content_of(manager.environment) or b""
        edit = Edit(manager.environment, old + _EXPORTS.format(url=url).encode())
    return Plan((edit,), manager, socket, _remarks(socket))


def apply(machine: Machine, wanted: Plan, seconds: int) -> tuple[Change, ...]:
    """Carry it out, with a rollback after so many seconds. Returns what was changed.

    Raises Refused, with everything as before; so it is also when interrupted.
    """
    book = machine.journal
    if stands(machine):
        raise Refused(
            "regtrace has put this engine behind a proxy already; first take that back with"
            " regtrace dockerd system --undo"
        )
    needed = book.plan(PURPOSE, wanted.edits)
    if not needed:
        return ()
    try:
        arm(machine, wanted, seconds)
        changes = book.write(PURPOSE, needed, wanted.manager.restart, wanted.manager.restart)
        _wait(wanted)
    except BaseException:
        disarm(machine)
        book.take_back(PURPOSE)
        raise
    return changes


def undo(machine: Machine) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Take it back now; returns what was restored and what could not be. Raises Refused."""
    if not stands(machine):
        return (), ()
    _stop_timer(machine)
    restored, problems = machine.journal.take_back(PURPOSE)
    if not problems:
        _remove_script()
    return restored, problems


def stands(machine: Machine) -> bool:
    """Whether the engine is behind the proxy because of regtrace. Raises Refused.

    The rollback can't write the journal; that its script has removed itself says that it was done.
    """
    changes = machine.journal.changes(PURPOSE)
    if changes and not _script().exists():
        machine.journal.forget(PURPOSE)
        return False
    return bool(changes)


def arm(machine: Machine, wanted: Plan, seconds: int) -> None:
    """Have the files put back, and the engine restarted, after so many seconds. Raises Refused."""
    path = _script()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        journal.replace_file(path, rollback(wanted).encode(), 0o700)
    except OSError as fault:
        raise Refused(f"{visible(str(path))}: can't be written: {fault.strerror}") from None
    if wanted.manager.systemd is not None:
        timer = (f"--unit={_UNIT}", f"--on-active={seconds}s", "--collect")
        journal.run(["systemd-run", *wanted.manager.systemd, *timer, "/bin/sh", str(path)])
        return
    # The leader of a session of its own: no terminal, and nobody's end, ends it.
    subprocess.Popen(  # noqa: S603
        ["/bin/sh", str(path), str(seconds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def disarm(machine: Machine) -> None:
    """The rollback will not happen; does nothing when none is armed."""
    _stop_timer(machine)
    _remove_script()


def _stop_timer(machine: Machine) -> None:
    for user in ((), ("--user",)) if machine.path("/run/systemd/system").is_dir() else ():
        with contextlib.suppress(Refused):  # there is no such timer
            journal.run(["systemctl", *user, "stop", f"{_UNIT}.timer"])
    for pid, words in all_processes():
        if words[:2] == [b"/bin/sh", str(_script()).encode()]:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


def _remove_script() -> None:
    _script().unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # something is to be remembered there
        _script().parent.rmdir()


def rollback(wanted: Plan) -> str:
    """A script that puts everything back by itself: with sh, sha256sum, base64 and nothing else."""
    parts = [_SCRIPT]
    for edit in wanted.edits:
        old = content_of(edit.path)
        path, ours = shlex.quote(str(edit.path)), digest(edit.content)
        if old is None:
            made = [str(each) for each in edit.path.parents if not each.exists()]
            folders = f"rmdir {shlex.join(made)}\n" if made else ""
            restore, before = f"rm -f {path} && changed=1 || left=1\n{folders}", _NOTHING
        else:
            text = base64.encodebytes(old).decode()
            restore = f"back {path} <<'END' && changed=1 || left=1\n{text}END\n"
            before = digest(old)
        parts.append(
            f"case $(now {path}) in\n{ours})\n{restore};;\n{before}) ;;\n*) left=1 ;;\nesac\n"
        )
    parts.append(f'[ -z "$changed" ] || {shlex.join(wanted.manager.restart)}\n')
    # The script's own end says that it was done: see `stands`.
    parts.append('[ -n "$left" ] || rm -f "$0"\n')
    return "".join(parts)


_NOTHING = "nothing"

_SCRIPT = f"""\
#!/bin/sh
# Made by regtrace (regtrace dockerd system): puts the Docker engine's settings back. What others
# changed since stays as it is.
# Usage: rollback.sh [SECONDS TO WAIT]
trap '' HUP INT
sleep "${{1:-0}}"
changed= left=
now() {{
    if [ -e "$1" ]; then sha256sum <"$1" | cut -d ' ' -f 1; else echo {_NOTHING}; fi
}}
back() {{
    cp -p "$1" "$1.regtrace" && base64 -d >"$1.regtrace" && mv -f "$1.regtrace" "$1"
}}
"""

_DROP_IN = """\
# Made by regtrace; regtrace dockerd system --undo removes it.
[Service]
Environment="HTTP_PROXY={url}" "HTTPS_PROXY={url}"
"""

_EXPORTS = """
# Made by regtrace; regtrace dockerd system --undo removes it.
export HTTP_PROXY={url} HTTPS_PROXY={url}
"""


def _from_a_virtual_machine(host: str, name: str = "192.168.5.2") -> str:
    """What a virtual machine calls the host, which listens on its loopback."""
    return name if host in ("127.0.0.1", "::1", "localhost") else host


def _script() -> Path:
    return journal.folder() / "rollback.sh"


def _manager(machine: Machine, *, rootless: bool) -> Manager:
    if machine.path("/run/systemd/system").is_dir():
        user = " --user" if rootless else ""
        words = f"systemctl{user} daemon-reload && systemctl{user} restart docker"
        base = (
            machine.config_home / "systemd/user"
            if rootless
            else machine.path("/etc/systemd/system")
        )
        file = base / "docker.service.d" / "regtrace-proxy.conf"
        return Manager("systemd", ("sh", "-c", words), file, ("--user",) if rootless else ())
    if machine.path("/etc/init.d/docker").exists() and not rootless:
        if machine.has("rc-service"):
            restart = ("rc-service", "docker", "restart")
            return Manager("OpenRC", restart, machine.path("/etc/conf.d/docker"))
        if machine.has("service"):
            restart = ("service", "docker", "restart")
            return Manager("init.d", restart, machine.path("/etc/default/docker"))
    raise Refused(
        "nothing here is known to start the Docker engine (systemd, OpenRC, /etc/init.d/docker), so"
        " it can't be restarted; use regtrace dockerd start, which starts a second one"
    )


def _socket(machine: Machine, *, rootless: bool) -> Path:
    if rootless and machine.runtime:
        return machine.runtime / "docker.sock"
    return machine.path("/var/run/docker.sock")


def _version(machine: Machine, socket: Path) -> int:
    """The engine's major version: of the one that runs, else of the one that is installed."""
    answer = ask(socket, "/version")
    said = str(answer.get("Version", "")) if isinstance(answer, dict) else ""
    if not said:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(
                ["dockerd", "--version"],  # noqa: S607
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=20,
            )
            said = done.stdout
    found = re.search(r"\d+", said)
    if found is None:
        raise Refused("no Docker engine is installed or running here")
    return int(found[0])


def _with_proxies(path: Path, old: bytes | None, url: str) -> bytes:
    """daemon.json with the proxy, everything else in its place. Raises Refused."""
    shown = visible(str(path))
    try:
        said: Any = json.loads(old) if old and old.strip() else {}
    except ValueError as fault:
        raise Refused(f"{shown}: is no JSON, so it is not changed: {visible(str(fault))}") from None
    if not isinstance(said, dict) or not isinstance(said.get("proxies", {}), dict):
        raise Refused(f"{shown}: is no settings file of Docker's, so it is not changed")
    proxies = {**said.get("proxies", {}), "http-proxy": url, "https-proxy": url}
    indent = re.search(rb"\n([ \t]+)\S", old or b"")
    text = json.dumps(
        {**said, "proxies": proxies},
        indent=indent[1].decode() if indent else 2,
        ensure_ascii=False,
    )
    return f"{text}\n".encode()


def _validate(machine: Machine, edit: Edit) -> None:
    """Let dockerd itself look at the settings. Raises Refused with what it says."""
    if not machine.has("dockerd"):
        return
    with tempfile.NamedTemporaryFile(suffix=".json") as trial:
        trial.write(edit.content)
        trial.flush()
        done = subprocess.run(  # noqa: S603
            ["dockerd", "--validate", f"--config-file={trial.name}"],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing said"]
        raise Refused(
            f"{visible(str(edit.path))}: dockerd would not start with it, so it is not changed:"
            f" {visible(said[0], limit=300)}"
        )


def _remarks(socket: Path) -> tuple[str, ...]:
    """What the restart means for what runs."""
    info = ask(socket, "/info")
    if not isinstance(info, dict):
        return ("the engine does not run now; it will be started",)
    said = []
    running = info.get("ContainersRunning") or 0
    if running and info.get("LiveRestoreEnabled"):
        said.append(f"{running} running containers go on: live-restore is on")
    elif running:
        said.append(f"{running} running containers are STOPPED by the restart: live-restore is off")
    if (info.get("Swarm") or {}).get("LocalNodeState") == "active":
        said.append("this is a node of a swarm: its tasks move to other nodes while it restarts")
    no_proxy = info.get("NoProxy")
    if no_proxy:
        said.append(
            f"NO_PROXY is {visible(str(no_proxy), limit=120)}: those hosts will not be seen"
        )
    return tuple(said)


def _wait(wanted: Plan) -> None:
    """Raises Refused when the engine does not come back."""
    deadline = time.monotonic() + _SECONDS
    while ask(wanted.socket, "/version") is None:
        if time.monotonic() > deadline:
            raise Refused(
                f"the engine does not answer {_SECONDS} s after its restart, so its old settings"
                " were put back; look into its log"
            )
        time.sleep(0.2)
