"""The box: the laboratory's own network, mounts, processes and host name.

Everything runs inside the box and nothing outside it changes: /run is a tmpfs of its own; /etc,
/var and /opt are overlays that keep their changes on that tmpfs. When the box's first
process ends, the kernel kills every other process in it and drops its mounts and network. So
`destroy` is one signal, also after a crash.

The host holds one small folder per clone, with the process id and the log of the box.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from . import world

_CLONE = hashlib.sha256(str(world.REPOSITORY_ROOT).encode()).hexdigest()[:8]
_HOST_FOLDER = Path(f"/run/regtrace-lab-{_CLONE}")
_PID_FILE = _HOST_FOLDER / "pid"
_LOG_FILE = _HOST_FOLDER / "box.log"

# Runs as the first process of the box. Because it ignores SIGCHLD, the kernel itself buries the
# orphans of the box (dash's `trap '' CHLD` would not do: it does not reach the kernel).
# `ip netns exec` is avoided on purpose: it remounts /sys, and dockerd then stops with
# "Devices cgroup isn't mounted".
_FURNISH = f"""
set -eu
mount -t tmpfs -o mode=755 lab /run
for folder in etc var opt; do
    [ -d /$folder ] || continue
    upper={world.STATE}/overlay/$folder/upper work={world.STATE}/overlay/$folder/work
    mkdir -p $upper $work
    mount -t overlay -o lowerdir=/$folder,upperdir=$upper,workdir=$work lab-$folder /$folder
done
hostname lab
ip link set lo up
for address in {" ".join(world.HOSTS.values())}; do ip address add $address/32 dev lo; done
touch {world.READY}
exec env --ignore-signal=CHLD sleep infinity
"""

# The shell writes its process id and then becomes `unshare`: there is no moment at which the box
# exists and its process id is not on disk.
_CREATE = 'echo $$ > "$1"; exec unshare --mount --net --uts --ipc --pid --fork --kill-child \
--mount-proc -- sh -c "$2" regtrace-lab'


class BoxError(Exception):
    """The box can't be made or entered; the text says why and what to do."""


@contextmanager
def locked() -> Iterator[int]:
    """One command at a time for this clone; yields the lock's file descriptor.

    The lock is on this folder, so that no lock file is left behind.
    """
    lock = os.open(Path(__file__).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            click.echo("lab: another command uses the lab, waiting for it", err=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def is_up() -> bool:
    pid = _pid()
    return pid is not None and _inside(pid, world.READY).exists()


def create() -> None:
    """Make the box when it does not exist. Raises BoxError."""
    if is_up():
        return
    destroy()
    _HOST_FOLDER.mkdir(mode=0o700)
    with _LOG_FILE.open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", _CREATE, "sh", str(_PID_FILE), _FURNISH],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    deadline = time.monotonic() + 10
    while not is_up():
        if process.poll() is not None or time.monotonic() > deadline:
            said = _LOG_FILE.read_text().strip()
            destroy()
            raise BoxError(f"the box can't be made (it needs real root, not a container's): {said}")
        time.sleep(0.05)


def enter(command: list[str], lock: int | None = None) -> int:
    """Run a command inside the box, with this terminal; returns its exit status.

    The environment is not handed in, and only Debian's own programs are found: proxies, CA bundles
    and other clients of the machine would change what the parts do (docker-registry panics when
    AWS_CA_BUNDLE is set). The lock is handed in: it is held until the command ends, even if this
    process is killed before.
    """
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(world.HOME),
        "TMPDIR": str(world.TEMP),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": os.environ.get("TERM", "dumb"),
    }
    unshare = _pid()
    if unshare is None:
        raise BoxError("the lab is not up")
    nsenter = ["nsenter", f"--target={unshare}", "--mount", "--net", "--uts", "--ipc"]
    # The recorded process is `unshare`: it stays outside the process namespace it made.
    nsenter += [f"--pid=/proc/{unshare}/ns/pid_for_children", "--", *command]
    keep = () if lock is None else (lock,)
    status = subprocess.run(nsenter, env=environment, pass_fds=keep, check=False).returncode
    return status if status >= 0 else 128 - status  # killed by a signal: what a shell would say


def inner_path(path: Path) -> Path:
    """Where the host sees a file of the box. Raises BoxError when the box is not up."""
    pid = _pid()
    if pid is None:
        raise BoxError("the lab is not up")
    return _inside(pid, path)


def destroy() -> None:
    """Kill everything in the box and forget it. Does nothing when there is no box."""
    pid = _pid()
    if pid is not None:
        box = _namespace(pid, "pid_for_children")
        os.kill(pid, signal.SIGKILL)  # --kill-child: takes the first process of the box with it
        deadline = time.monotonic() + 20
        while _pid() is not None or _members(box):
            if time.monotonic() > deadline:
                raise BoxError(f"these processes do not end: {_members(box)}")
            time.sleep(0.02)
    if _HOST_FOLDER.exists():
        shutil.rmtree(_HOST_FOLDER)


def _pid() -> int | None:
    """Process id of the living box. A recycled process id does not count: it has other words."""
    try:
        pid = int(_PID_FILE.read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return None
    return pid if b"regtrace-lab" in words and state not in "ZX" else None


def _members(box: str | None) -> list[int]:
    """The processes in a box, zombies included."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if box is not None and _namespace(pid, "pid") == box]


def _namespace(pid: int, kind: str) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:  # ended in between
        return None


def _inside(pid: int, path: Path) -> Path:
    return Path(f"/proc/{pid}/root") / path.relative_to("/")
