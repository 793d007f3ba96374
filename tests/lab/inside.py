"""The commands that work inside the box. `cli.py` starts them there; people do not.

up [PART...]      run [--no-addon] NAME      follow      status
"""

from __future__ import annotations

import signal
import time
import traceback
from pathlib import Path

import click

from . import following, keys, parts, process, world
from .process import PartError
from .run import run
from .scenario import load
from .settings import Settings

_PROCESSES = (
    *("ceph-mon", "ceph-osd", "radosgw"),
    *("tokens", "registry", "middlebox", "nginx", "mitmdump", "dockerd", "containerd"),
)


def main(arguments: list[str]) -> int:
    """Exit status: 0 as wanted, 1 the client did something else, 2 the laboratory failed."""
    command, *rest = arguments
    # Started in the background the lab, and so its clients, would ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _furnish()
        if command == "up":
            parts.start(Settings(), tuple(rest) or parts.PARTS)
            return 0
        if command == "follow":
            return following.main()
        if command == "status":
            return _status()
        return _run(rest[-1], addon="--no-addon" not in rest)
    except PartError as error:
        click.echo(f"lab: {error}", err=True)
        return 2
    except Exception:  # not left to Python: its exit status would be 1
        traceback.print_exc()
        return 2


def _furnish() -> None:
    for folder in (world.RUNS, world.LOGS, world.PIDS, world.HOME, world.TEMP):
        folder.mkdir(parents=True, exist_ok=True)
    hosts = "".join(f"{address} {name}\n" for name, address in world.HOSTS.items())
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost lab\n{hosts}")
    # Without DNS: a name that is not in /etc/hosts does not exist, and that is known at once.
    Path("/etc/nsswitch.conf").write_text("hosts: files\n")
    keys.make()


def _run(name: str, *, addon: bool) -> int:
    begin = time.monotonic()
    problems = run(load(name), addon=addon)
    seconds = time.monotonic() - begin
    click.echo(f"{'FAILED' if problems else 'ok':6} {name}  {seconds:.0f} s")
    for problem in problems:
        click.echo(f"       {problem}")
    return 1 if problems else 0


def _status() -> int:
    for name in _PROCESSES:
        click.echo(f"{name:10} {'up' if process.is_running(name) else 'down'}")
    return 0
