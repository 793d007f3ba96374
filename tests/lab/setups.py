"""What of `regtrace ca` and `regtrace dockerd` is tried with real parts, inside the box.

    python -c '... from lab import setups; setups.main(...)' NAME

Each function does one story and returns what was seen, as JSON for test_setup.py, which judges it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from regtrace.cli import main as main_command
from regtrace.setup.second_engine import all_processes

from . import clients, image, inside, keys, parts, process, world
from .clients import Step
from .parts import dockerd, mitmdump
from .settings import Settings, change

_REGTRACE = str(Path(sys.executable).parent / "regtrace")
_CA = world.STATE / "ca"
_OPENSSL_CLIENT = ["openssl", "s_client", "-verify_return_error", "-brief"]
Seen = dict[str, Any]


def main(name: str) -> None:
    inside._furnish()
    world.TEMP.mkdir(exist_ok=True)
    sys.stdout.write(json.dumps(STORIES[name]()))


def trust() -> Seen:
    """Push without trust, with it, and after it was taken away."""
    steps = {
        "docker": Step(run="docker-push", seed="trust docker", image="team/docker:1"),
        "skopeo": Step(run="skopeo-push", seed="trust skopeo", image="team/skopeo:1"),
        "podman": Step(run="podman-push", seed="trust podman", image="team/podman:1"),
        "ctr": Step(run="ctr-push", seed="trust ctr", image="team/ctr:1"),
    }
    registry = _registry()
    _regtrace("ca", "create", registry, "auth.test", "--ca", _CA)
    capture = _proxy()
    clients.start_engines(list(steps.values()), mitmdump.URL)
    try:
        before = _etc()
        untrusted = _push(steps, registry)
        installed = _regtrace(
            *("ca", "install", registry, "--ca", _CA, "--proxy", mitmdump.URL, "--json"),
            *("--client", "docker", "--client", "containers", "--client", "containerd"),
        )
        again = _regtrace("ca", "install", registry, "--ca", _CA, "--json")
        status = _regtrace("ca", "status", "--ca", _CA, "--proxy", mitmdump.URL, "--json")
        trusted = _push(steps, registry)
        removed = _regtrace("ca", "remove", "--json")
        after = _etc()
        untrusted_again = _push(steps, registry)
    finally:
        clients.stop_engines()
        mitmdump.stop()
    report = subprocess.run(
        [_REGTRACE, "report", str(capture), "--format", "json"], capture_output=True, text=True
    )
    return {
        "untrusted": untrusted,
        "installed": json.loads(installed),
        "again": json.loads(again),
        "status": json.loads(status),
        "trusted": trusted,
        "removed": json.loads(removed),
        "untrusted_again": untrusted_again,
        "same": before == after,
        "journal": Path("/var/lib/regtrace").exists(),
        "report": json.loads(report.stdout),
    }


def constraint() -> Seen:
    """An authority for the registry alone, and a proxy that signs for the token server with it."""
    registry = _registry()
    _regtrace("ca", "create", registry, "--ca", _CA)
    # The proxy would let the token server pass sealed; it must not, to show what then happens.
    (_CA / "config.yaml").write_text("upstream_cert: false\n")
    _proxy()
    step = {"skopeo": Step(run="skopeo-push", seed="constraint", image="team/skopeo:1")}
    try:
        _regtrace("ca", "install", registry, "--ca", _CA, "--client", "containers")
        pushed = _push(step, registry)
        proxy = mitmdump.URL.removeprefix("http://")
        ca = ["-proxy", proxy, "-CAfile", str(_CA / "mitmproxy-ca-cert.pem")]
        named = subprocess.run(
            [*_OPENSSL_CLIENT, *ca, "-connect", registry], capture_output=True, text=True, input=""
        )
        other = subprocess.run(
            [*_OPENSSL_CLIENT, *ca, "-connect", f"auth.test:{world.AUTH_PORT}"],
            capture_output=True,
            text=True,
            input="",
        )
    finally:
        mitmdump.stop()
        _regtrace("ca", "remove")
    return {
        "pushed": pushed["skopeo"],
        "openssl_named": [named.returncode, named.stderr],
        "openssl_other": [other.returncode, other.stderr],
    }


def store() -> Seen:
    """Debian's own store, for real; /usr/local is the machine's, so it gets an overlay here."""
    folder = "/usr/local/share/ca-certificates"
    upper, work = world.STATE / "store" / "upper", world.STATE / "store" / "work"
    for each in (upper, work):
        each.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={folder},upperdir={upper},workdir={work}"
    process.run(["mount", "-t", "overlay", "-o", options, "store", folder])
    # Java's hook keeps a store of its own, from what it is told, and is slow.
    told = world.TEMP / "told"
    shutil.rmtree(_CA, ignore_errors=True)
    hooks = Path("/etc/ca-certificates/update.d")
    for hook in hooks.iterdir():
        hook.unlink()
    (hooks / "records").write_text(f"#!/bin/sh\ncat >>{told}\n")
    (hooks / "records").chmod(0o755)
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    try:
        process.run(["update-ca-certificates", "--fresh"])  # the machine's may be half done
        _regtrace("ca", "create", "registry.test", "--ca", _CA)
        pem = (_CA / "mitmproxy-ca-cert.pem").read_text()
        before = _tree(bundle.parent)
        _regtrace("ca", "install", "--system", "--ca", _CA)
        trusted = pem in bundle.read_text()
        _regtrace("ca", "remove")
        after = _tree(bundle.parent)
    finally:
        process.run(["umount", folder])
    other = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    ours = [line for line in told.read_text().splitlines() if "regtrace-" in line]
    return {"trusted": trusted, "other": other, "told": [line[0] for line in ours]}


def second() -> Seen:
    """A second engine: an image comes in, goes out through the proxy, and nothing stays."""
    registry = _registry()
    _regtrace("ca", "create", registry, "auth.test", "--ca", _CA)
    _proxy()
    reference = f"{registry}/team/second:1"
    folder = world.STATE / "second"
    words = ["dockerd", "start", "--folder", folder, "--ca", _CA, "--proxy", mitmdump.URL, "--json"]
    os.environ["DOCKER_HOST"] = dockerd.SOCKET  # stands for the system's engine
    dockerd.start(None)
    before = _etc(), _mounts()
    try:
        archive = world.TEMP / "second.tar"
        image.make(archive, reference, "second", 1, 3000)
        process.run(["docker", "load", "--input", str(archive)])
        started = json.loads(_regtrace(*words, "--load", reference))
        status = json.loads(_regtrace("dockerd", "status", "--folder", folder, "--json"))
        push = ["docker", "--host", started["docker_host"], "push", reference]
        pushed = subprocess.run(push, capture_output=True, text=True)
        mounts_while = _mounts()
        _regtrace("dockerd", "stop", "--folder", folder)
        stopped = folder.exists(), _engines(folder)

        _regtrace(*words)
        for pid in _engines(folder):
            os.kill(pid, signal.SIGKILL)
        crashed = folder.exists()
        _regtrace("dockerd", "stop", "--folder", folder)
        after_crash = folder.exists(), _engines(folder)

        interrupted = subprocess.Popen([_REGTRACE, *map(str, words)], stderr=subprocess.PIPE)
        process.wait_until(lambda: bool(_engines(folder)), 20, "no second engine")
        interrupted.terminate()
        interrupted.communicate()
        after_sigterm = interrupted.returncode, folder.exists(), _engines(folder)
        after = _etc(), _mounts()
    finally:
        dockerd.forget()
        mitmdump.stop()
        del os.environ["DOCKER_HOST"]
    return {
        "status": status,
        "pushed": [pushed.returncode, pushed.stdout + pushed.stderr],
        "seen": "team/second" in process.log_of("mitmdump").read_text(),
        "mounts_leak": mounts_while != before[1],
        "stopped": stopped,
        "crashed": crashed,
        "after_crash": after_crash,
        "after_sigterm": after_sigterm,
        "same": before == after,
    }


def system() -> Seen:
    """The engine that /etc/init.d/docker starts: behind the proxy, and back by itself."""
    registry = _registry()
    _regtrace("ca", "create", registry, "auth.test", "--ca", _CA)
    _proxy()
    reference = f"{registry}/team/system:1"
    settings = Path("/etc/default/docker")
    settings.write_text(
        'DOCKER_OPTS="--bridge=none --iptables=false --ip6tables=false --storage-driver=vfs'
        f' --data-root={world.STATE}/system --exec-root={world.STATE}/system-exec"\n'
    )
    before = settings.read_bytes(), settings.stat().st_mode
    # It raises limits, which only a machine's own root may. /etc is the box's own.
    script = Path("/etc/init.d/docker")
    script.write_text(re.sub(r"(?m)^\s*ulimit .*", ":", script.read_text()))
    process.run(["service", "docker", "start"])
    try:
        process.wait_until(_system_answers, 30, "the engine does not come up")
        archive = world.TEMP / "system.tar"
        image.make(archive, reference, "system", 1, 3000)
        process.run(["docker", "load", "--input", str(archive)])
        _regtrace("ca", "install", registry, "--client", "docker", "--ca", _CA)
        words = ["dockerd", "system", "--proxy", mitmdump.URL, "--yes"]
        done = json.loads(_regtrace(*words, "--rollback", "8s", "--json"))
        behind = _environment_of_system()
        pushed = subprocess.run(["docker", "push", reference], capture_output=True, text=True)
        process.wait_until(lambda: settings.read_bytes() == before[0], 20, "no rollback")
        process.wait_until(lambda: not _sleepers(), 20, "the rollback does not end")
        rolled_back = _environment_of_system(), settings.stat().st_mode == before[1]
        status = json.loads(_regtrace("dockerd", "status", "--json"))

        # All of regtrace dies while it restarts the engine, its terminal with it.
        killed = subprocess.Popen(
            [_REGTRACE, *words, "--rollback", "4s"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        process.wait_until(lambda: settings.read_bytes() != before[0], 20, "nothing was changed")
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        changed = settings.read_bytes() != before[0]
        process.wait_until(lambda: settings.read_bytes() == before[0], 20, "no second rollback")
        process.wait_until(lambda: not _sleepers(), 20, "the rollback does not end")
        after_kill = settings.stat().st_mode == before[1], Path("/etc/default").glob("docker.*")
        undone = json.loads(_regtrace("dockerd", "system", "--undo", "--json"))
        environment = _environment_of_system()
    finally:
        process.run(["service", "docker", "stop"])
        _regtrace("ca", "remove")
        mitmdump.stop()
    return {
        "done": done,
        "behind": behind,
        "pushed": [pushed.returncode, pushed.stdout + pushed.stderr],
        "seen": "team/system" in process.log_of("mitmdump").read_text(),
        "rolled_back": rolled_back,
        "status": status,
        "changed": changed,
        "after_kill": [after_kill[0], [str(path) for path in after_kill[1]]],
        "undone": undone,
        "environment": environment,
        "left": [str(path) for path in Path("/var/lib").glob("regtrace*")],
    }


def _system_answers() -> bool:
    return subprocess.run(["docker", "version"], capture_output=True).returncode == 0


def _environment_of_system() -> str:
    """The proxy of the system's engine, as the kernel tells it."""
    process.wait_until(_system_answers, 30, "the engine does not come back")
    pid = Path("/var/run/docker.pid").read_text()
    words = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return "".join(word for word in words if word.startswith("HTTPS_PROXY="))


def _sleepers() -> list[int]:
    return [pid for pid, words in all_processes() if any(b"rollback.sh" in word for word in words)]


def _engines(folder: Path) -> list[int]:
    return [
        pid
        for pid, words in all_processes()
        if words[0] != b"docker" and any(str(folder).encode() in word for word in words[1:])
        if _REGTRACE.encode() not in words
    ]


def _mounts() -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _registry() -> str:
    """A registry on disk and its token server, up; returns its host:port."""
    plain = Settings()
    disk = {"storage": {"s3": None, "filesystem": {"rootdirectory": str(world.DISK)}}}
    settings = replace(change(plain, {"registry": disk}), disk="size=64m")
    parts.start(settings, ("tokens", "registry"))
    clients.forget()
    clients.log_in(settings.address, settings.client)
    shutil.rmtree(Path("/etc/docker/certs.d"), ignore_errors=True)
    shutil.rmtree(Path("/etc/containerd/certs.d"), ignore_errors=True)
    shutil.rmtree(_CA, ignore_errors=True)
    return settings.address


def _proxy() -> Path:
    """mitmdump with the authority's folder as its confdir; returns its capture."""
    mitmdump.stop()
    capture = world.RUNS / "setup.mitm"
    capture.unlink(missing_ok=True)
    command = [
        str(mitmdump.PROGRAM),
        f"--listen-host={world.PROXY_ADDRESS}",
        f"--listen-port={world.PROXY_PORT}",
        f"--save-stream-file={capture}",
        f"--set=confdir={_CA}",
        f"--set=ssl_verify_upstream_trusted_ca={keys.CA}",
        f"--scripts={mitmdump.ADDON}",
    ]
    process.start(
        "mitmdump", command, lambda: process.listens(world.PROXY_ADDRESS, world.PROXY_PORT)
    )
    return capture


def _push(steps: Mapping[str, Step], registry: str) -> dict[str, list[Any]]:
    done = {}
    for name, step in steps.items():
        work = world.TEMP / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        (ended,) = clients.do([step], registry, mitmdump.URL, 60, work)
        done[name] = [ended.exit, ended.output[-600:]]
    return done


def _regtrace(*words: str | Path) -> str:
    """The command, in this process: importing it takes longer than what it does."""
    done = CliRunner().invoke(main_command, [*map(str, words)])
    if done.exit_code != 0:
        raise process.PartError(f"regtrace {' '.join(map(str, words))}: {done.output}")
    return done.stdout


def _etc() -> dict[str, Any]:
    return {
        folder: _tree(Path("/etc") / folder) for folder in ("docker", "containers", "containerd")
    }


def _tree(folder: Path) -> dict[str, Any]:
    return {
        str(path): (
            os.readlink(path)
            if path.is_symlink()
            else path.read_bytes().hex()
            if path.is_file()
            else None,
            path.lstat().st_mode,
        )
        for path in sorted(folder.rglob("*"))
    }


STORIES: dict[str, Callable[[], Seen]] = {
    each.__name__: each for each in (trust, constraint, store, second, system)
}
