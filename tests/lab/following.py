"""Inside the box: clients that ``regtrace run`` and ``regtrace gateway`` follow, and what
``regtrace doctor`` finds there.

All trials are made in one visit, the healthy ones first; each prints a line of JSON that
test_following.py judges. No daemon has a proxy and no client trusts any CA but the laboratory's
own, unless a trial says so.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from regtrace.cli import main as regtrace

from . import clients, faults, keys, parts, process, world
from .clients import CLIENTS, Step
from .parts import ceph, dockerd, mitmdump
from .settings import Settings

_REGTRACE = str(Path(sys.executable).parent / "regtrace")
_WORK = world.TEMP / "following"
_REGISTRY = f"registry.test:{world.FRONT_PORTS['registry']}"
_DENIED = ["s3-deny-get-object"]


def main() -> int:
    before = Settings()
    denied = faults.apply(_DENIED, before)
    shutil.rmtree(_WORK, ignore_errors=True)
    ceph.start(before)
    ceph.empty()
    clients.forget()
    parts.start(before)
    clients.log_in(before.address, before.client)
    clients.set_up_trust(before.address, proxy=False)
    dockerd.start(None)
    try:
        names = ("docker", "skopeo", "podman", "buildah")
        with ThreadPoolExecutor(len(names)) as threads:
            pushed = threads.map(lambda name: _follow(f"{name}-push", f"team/{name}:1"), names)
            for name, told in zip(names, pushed, strict=True):
                _tell(f"{name}-push", told)
        process.run(["docker", "--host", dockerd.SOCKET, "rmi", f"{_REGISTRY}/team/docker:1"])
        _tell("docker-pull", _follow("docker-pull", "team/docker:1"))
        _tell("pulled", {"images": _images()})
        _examine_ways()
        parts.restart(before, denied)
        _tell("docker-push-s3-403", _follow("docker-push", "team/denied:1"))
        _tell("gateway-push-s3-403", _through_gateway("team/gateway:1"))
        _tell("skopeo-pull-s3-403", _follow("skopeo-pull", "team/skopeo:1"))
        _tell(
            "left",
            {"images": _images()}
            | {"folders": [str(path) for path in world.TEMP.glob("regtrace-[0-9]*")]},
        )
    finally:
        mitmdump.stop()
        clients.stop_engines()
    return 0


def _tell(name: str, told: Mapping[str, Any]) -> None:
    left = _read(Path(told["folder"])) if "folder" in told else {}
    click.echo(json.dumps({"name": name, **told, **left}))


# --- clients


def _follow(run: str, image: str) -> dict[str, Any]:
    folder = _folder(f"{run}-{image.split('/')[1].split(':')[0]}")
    command = CLIENTS[run](Step(run, seed=image, image=image), f"{_REGISTRY}/{image}", folder)
    done = subprocess.run(
        [_REGTRACE, "run", "-w", "push.mitm", "-o", "live.json", "--", *command],
        cwd=folder,
        env=clients.environment(None),
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    told = {"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr}
    return told | {"folder": str(folder)}


def _through_gateway(image: str) -> dict[str, Any]:
    """As a person would: start it, read what it says, type that."""
    folder, environment = _folder("gateway"), clients.environment(None)
    reference = f"{_REGISTRY}/{image}"
    CLIENTS["docker-push"](Step("docker-push", seed=image, image=image), reference, folder)
    gateway = subprocess.Popen(
        [_REGTRACE, "gateway", f"https://{_REGISTRY}", "-w", "push.mitm", "-o", "live.json"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert gateway.stdout is not None
    first = gateway.stdout.readline()
    here = first.split(" is at ")[1].split()[0]
    other = f"{here}/{image}"

    def docker(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *words], capture_output=True, text=True, env=environment, timeout=60
        )

    docker("login", "-u", world.USER, "-p", world.PASSWORD, here)
    docker("tag", reference, other)
    pushed = docker("push", other)
    docker("rmi", other)
    docker("logout", here)
    gateway.send_signal(signal.SIGINT)
    said = gateway.communicate(timeout=20)[0]
    told = {"status": pushed.returncode, "stdout": pushed.stdout, "stderr": pushed.stderr}
    return told | {"gateway": first + said, "folder": str(folder)}


def _read(folder: Path) -> dict[str, Any]:
    """What a client's run left. Not from a thread: click's runner takes the process's output."""
    words = ["report", str(folder / "push.mitm"), "--format", "json"]
    read = CliRunner().invoke(regtrace, words)
    return {
        "live": json.loads((folder / "live.json").read_text()),
        "read": json.loads(read.stdout),
        "mode": oct((folder / "push.mitm").stat().st_mode & 0o777),
    }


def _images() -> list[str]:
    command = ["docker", "--host", dockerd.SOCKET, "images", "--format"]
    return process.run([*command, "{{.Repository}}:{{.Tag}}"]).split()


def _folder(name: str) -> Path:
    folder = _WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# --- the doctor


def _examine_ways() -> None:
    """Ways to the proxy, each broken at another link."""
    through = {"HTTP_PROXY": mitmdump.URL, "HTTPS_PROXY": mitmdump.URL}
    _tell("daemon-without-proxy", _doctor({}, "path", "--client", "docker", _REGISTRY))
    _tell("proxy-down", _doctor(through, "path", _REGISTRY))
    trusted = f"--set=ssl_verify_upstream_trusted_ca={keys.CA}"
    with _proxy(trusted):
        _tell("untrusted", _doctor(through, "path", _REGISTRY))
        bundle = _folder("doctor") / "bundle.pem"
        bundle.write_text(keys.CA.read_text() + mitmdump.CA.read_text())
        trusting = {**through, "SSL_CERT_FILE": str(bundle)}
        _tell("whole", _doctor(trusting, "path", _REGISTRY))
    with _proxy(trusted, "--set=registry_hosts=other.test"):
        _tell("sealed", _doctor(through, "path", _REGISTRY))
    with _proxy():
        _tell("proxy-trusts-nobody", _doctor(trusting, "path", _REGISTRY))
    words = ["--user", world.USER, "--password-stdin", "--allow-upload", "team/app"]
    _tell("registry", _doctor({}, "registry", *words, _REGISTRY))


@contextmanager
def _proxy(*settings: str) -> Iterator[None]:
    command = [
        str(mitmdump.PROGRAM),
        f"--listen-host={world.PROXY_ADDRESS}",
        f"--listen-port={world.PROXY_PORT}",
        f"--set=confdir={mitmdump.CA.parent}",
        f"--scripts={mitmdump.ADDON}",
        *settings,
    ]

    def works() -> bool:
        return process.listens(world.PROXY_ADDRESS, world.PROXY_PORT) and mitmdump.CA.exists()

    process.start("mitmdump", command, works)
    try:
        yield
    finally:
        mitmdump.stop()


def _doctor(variables: Mapping[str, str], *words: str) -> dict[str, Any]:
    done = CliRunner().invoke(
        regtrace,
        ["doctor", *words, "--json"],
        env={**clients.environment(None), **variables},
        input=f"{world.PASSWORD}\n",
    )
    told = json.loads(done.stdout) if done.stdout else {}
    return {"status": done.exit_code, "stderr": done.stderr, **told}
