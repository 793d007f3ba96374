"""Inside the box: real clients that ``regtrace run`` and ``regtrace gateway`` follow.

Each trial starts the parts anew, runs one command of regtrace's and prints what came of it as
JSON: exit status, both outputs, the live report and what a reading of the capture says. dockerd has
no proxy here, and no client trusts any CA but the laboratory's own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from . import clients, faults, parts, process, world
from .clients import CLIENTS, Step
from .parts import ceph, dockerd
from .settings import Settings

_REGTRACE = str(Path(sys.executable).parent / "regtrace")
_WORK = world.TEMP / "following"


@dataclass(frozen=True, slots=True)
class Trial:
    """One command: a client's step as the scenarios have them, and what is broken."""

    step: str
    faults: tuple[str, ...] = ()
    by: str = "run"


TRIALS = {
    "docker-push": Trial("docker-push"),
    "docker-pull": Trial("docker-pull"),
    "docker-push-s3-403": Trial("docker-push", ("s3-deny-get-object",)),
    "gateway-push-s3-403": Trial("docker-push", ("s3-deny-get-object",), by="gateway"),
    "skopeo-push": Trial("skopeo-push"),
    "podman-push": Trial("podman-push"),
    "buildah-push": Trial("buildah-push"),
    "skopeo-pull-s3-403": Trial("skopeo-pull", ("s3-deny-get-object",)),
}


def main(names: Sequence[str]) -> int:
    """Print one line of JSON for each trial."""
    for name in names:
        click.echo(json.dumps({"name": name, **_tried(TRIALS[name])}))
    return 0


def _tried(trial: Trial) -> dict[str, Any]:
    before = Settings()
    settings = faults.apply(list(trial.faults), before)
    shutil.rmtree(_WORK, ignore_errors=True)
    _WORK.mkdir(parents=True)
    ceph.start(before)
    ceph.empty()
    clients.forget()
    parts.start(before)
    clients.log_in(settings.address, settings.client)
    clients.set_up_trust(settings.address, proxy=False)
    step = Step(trial.step, seed=trial.step, image="team/app:1", size=3000)
    reference = f"{settings.address}/{step.image}"
    docker = trial.step.startswith("docker-")
    if docker:
        dockerd.start(None)
    os.chdir(_WORK)
    try:
        if trial.step.endswith("-pull"):
            pushing = CLIENTS["skopeo-push"](step, reference, _WORK)
            subprocess.run(pushing, env=clients.environment(None), check=True, capture_output=True)
        parts.restart(before, settings)
        command = CLIENTS[trial.step](step, reference, _WORK)
        told = _run(command) if trial.by == "run" else _through_gateway(reference, settings.address)
        return told | ({"images": _images()} if docker else {})
    finally:
        os.chdir("/")
        clients.stop_engines()


def _run(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(
        [_REGTRACE, "run", "-w", "push.mitm", "-o", "live.json", "--", *command],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env=clients.environment(None),
    )
    return _told(done.returncode, done.stdout, done.stderr)


def _through_gateway(reference: str, registry: str) -> dict[str, Any]:
    """As a person would: start it, read what it says, type that."""
    environment = clients.environment(None)
    gateway = subprocess.Popen(
        [_REGTRACE, "gateway", f"https://{registry}", "-w", "push.mitm", "-o", "live.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    assert gateway.stdout is not None
    first = gateway.stdout.readline()
    here = first.split(" is at ")[1].split()[0]
    other = f"{here}/{reference.partition('/')[2]}"

    def docker(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["docker", *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment)

    docker("login", "-u", world.USER, "-p", world.PASSWORD, here)
    docker("tag", reference, other)
    pushed = docker("push", other)
    gateway.send_signal(signal.SIGINT)
    said = gateway.communicate(timeout=20)[0]
    return _told(pushed.returncode, pushed.stdout + pushed.stderr, first + said)


def _told(status: int, stdout: str, stderr: str) -> dict[str, Any]:
    read = subprocess.run(
        [_REGTRACE, "report", "push.mitm", "--format", "json"], capture_output=True, text=True
    )
    return {
        "status": status,
        "stdout": stdout,
        "stderr": stderr,
        "live": json.loads(Path("live.json").read_text()),
        "read": json.loads(read.stdout),
        "left": sorted(str(path) for path in world.TEMP.glob("regtrace-*")),
        "mode": oct(Path("push.mitm").stat().st_mode & 0o777)
        if Path("push.mitm").exists()
        else None,
    }


def _images() -> list[str]:
    command = ["docker", "--host", dockerd.SOCKET, "images", "--format"]
    return process.run([*command, "{{.Repository}}:{{.Tag}}"]).split()
