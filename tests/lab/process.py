"""Processes inside the box: start one and wait until it works, stop one and wait for its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import world

_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp


class PartError(Exception):
    """A part does not do what it should; the text ends with the last lines of its log."""


def start(
    name: str,
    command: Sequence[str],
    works: Callable[[], bool],
    *,
    seconds: float = 30,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> None:
    """Start a part and wait until it works. Its output goes to its log. Raises PartError."""
    log = log or log_of(name)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd="/",
            start_new_session=True,
        )
    _pid_file(name).write_text(str(process.pid))
    wait_until(
        works,
        seconds,
        f"{name} does not come up",
        log=log,
        give_up=lambda: process.poll() is not None,
    )


def stop(name: str, how: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
    """Stop a part and wait until it is gone; after the given seconds with SIGKILL."""
    pid = _pid_of(name)
    if pid is not None:
        os.kill(pid, how)
        try:
            wait_until(lambda: _pid_of(name) is None, seconds, f"{name} does not end")
        except PartError:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: _pid_of(name) is None, 5, f"{name} survives SIGKILL")
    _pid_file(name).unlink(missing_ok=True)


def is_running(name: str) -> bool:
    return _pid_of(name) is not None


def wait_until(
    true: Callable[[], bool],
    seconds: float,
    complaint: str,
    *,
    log: Path | None = None,
    give_up: Callable[[], bool] = lambda: False,
) -> None:
    """Wait for a condition. Raises PartError when the time is over or `give_up` says so."""
    deadline = time.monotonic() + seconds
    while not true():
        if give_up() or time.monotonic() > deadline:
            raise PartError(complaint + (f"; the end of its log:\n{tail(log)}" if log else ""))
        time.sleep(0.05)


def listens(address: str, port: int) -> bool:
    """Whether something listens there, read from the kernel's table.

    No connection is made: it would show up in the part's log and in the proxy's output.
    """
    reversed_address = "".join(f"{int(byte):02X}" for byte in reversed(address.split(".")))
    wanted = f"{reversed_address}:{port:04X}"
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[1] == wanted and row.split()[3] == _LISTEN for row in rows)


def run(command: Sequence[str], *, seconds: float = 60) -> str:
    """Run a command to its end; returns what it printed. Raises PartError when it fails."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        raise PartError(f"{' '.join(command)} does not end within {seconds:.0f} s") from expired
    if done.returncode != 0:
        raise PartError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def log_of(name: str) -> Path:
    return world.LOGS / f"{name}.log"


def tail(log: Path, lines: int = 15) -> str:
    if not log.exists():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _pid_file(name: str) -> Path:
    return world.PIDS / name


def _pid_of(name: str) -> int | None:
    """Process id of a living part. A zombie is dead: its parent just did not look yet."""
    try:
        pid = int(_pid_file(name).read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else pid
