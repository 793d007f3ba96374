"""A second, throw-away Docker engine behind the proxy; the system's own one is left alone.

It has its own socket, images, settings and containerd, trusts the authority by its own environment,
and lives in mount and process namespaces of its own: when its first process ends, the kernel ends
all others and drops every mount. What then remains is one folder.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regtrace.report.visible import visible
from regtrace.setup.authority import Authority, bundle
from regtrace.setup.handshake import proxy_address
from regtrace.setup.machine import Machine
from regtrace.setup.refused import Refused

_MARK = "regtrace-dockerd.json"
"""The file that says that the folder is regtrace's."""

_SECONDS = 60
#: Seconds in which what was killed has finished what it was at.
_LAST_WORDS = 5

#: Settings of the system's engine that change what a push looks like.
_KEPT = (
    "insecure-registries",
    "registry-mirrors",
    "max-concurrent-uploads",
    "max-concurrent-downloads",
    "max-download-attempts",
    "features",
    "debug",
)

# Hidden from it: the system's containerd, which it would use, images and all.
_BEGIN = (
    'if [ -d /run/containerd ]; then mount -t tmpfs regtrace /run/containerd || exit; fi; exec "$@"'
)


@dataclass(frozen=True, slots=True)
class SecondEngine:
    """One that was started."""

    folder: Path
    proxy: str

    @property
    def socket(self) -> Path:
        return self.folder / "docker.sock"

    @property
    def host(self) -> str:
        """What ``DOCKER_HOST`` must say."""
        return f"unix://{self.socket}"

    @property
    def runs(self) -> bool:
        return bool(self._processes())

    def kill(self) -> None:
        """It keeps nothing that would have to be written down."""
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _processes(self) -> list[int]:
        """Found by their words, which name the folder: so none is forgotten after a crash, and no
        other is meant. The dead have no words."""
        word = _pid_file(self.folder).encode()
        return [pid for pid, words in all_processes() if word in words]


def command(folder: Path, driver: str | None) -> list[str]:
    """The engine's command. Neither bridge nor firewall rules: it pushes, it runs no containers."""
    words = [
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
        *("sh", "-c", _BEGIN, "regtrace-dockerd"),
        "dockerd",
        f"--host=unix://{folder}/docker.sock",
        f"--data-root={folder}/data",
        f"--exec-root={folder}/exec",
        _pid_file(folder),
        # The system's settings name its own socket and folders.
        f"--config-file={folder}/daemon.json",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
    ]
    return words if driver is None else [*words, f"--storage-driver={driver}"]


def require(machine: Machine, folder: Path) -> None:
    """Raises Refused where a second engine can't run, with what to do instead."""
    if machine.platform != "linux":
        raise Refused(
            "a second Docker engine runs on Linux only; here the engine lives in a virtual machine:"
            " see regtrace dockerd system --help, or push with regtrace run or regtrace gateway"
        )
    for program, package in (("dockerd", "the Docker engine"), ("unshare", "util-linux")):
        if not machine.has(program):
            raise Refused(
                f"{program} is not installed here ({package}), so no engine can be started"
            )
    if not machine.is_root:
        raise Refused(
            "a Docker engine mounts the layers of its images, which only root may: run this with"
            " sudo, or push without an engine: regtrace run -- skopeo copy ..."
        )
    if len(str(folder / "exec/containerd/containerd-debug.sock")) > 100:
        raise Refused(
            f"{visible(str(folder))}: is too long a path for a socket; choose a shorter one with"
            " --folder"
        )


def start(machine: Machine, folder: Path, proxy: str, authority: Authority) -> SecondEngine:
    """Start it and wait until it answers. Raises Refused; then, and when interrupted, nothing of
    it is left."""
    require(machine, folder)
    proxy_address(proxy)
    there = find(folder)
    if there is not None:
        raise Refused(
            f"{visible(str(folder))}: holds a second engine already; end it with regtrace dockerd"
            " stop"
        )
    try:
        folder.mkdir(mode=0o711, parents=True)
    except FileExistsError:
        raise Refused(
            f"{visible(str(folder))}: exists and is not regtrace's; choose another with --folder"
        ) from None
    except OSError as fault:
        raise Refused(f"{visible(str(folder))}: can't be made: {fault.strerror}") from None
    process: subprocess.Popen[bytes] | None = None
    try:
        engine = SecondEngine(folder, proxy)
        (folder / _MARK).write_text(json.dumps({"proxy": proxy}))
        bundle(authority, folder / "roots.pem")
        (folder / "daemon.json").write_text(json.dumps(_settings(machine)))
        with (folder / "dockerd.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603
                command(folder, _driver(folder)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(folder, proxy),
                start_new_session=True,
            )
        _wait(engine, process)
    except BaseException:
        if process is not None:
            SecondEngine(folder, proxy).kill()
            process.wait()
        _remove(folder)
        raise
    return engine


def find(folder: Path) -> SecondEngine | None:
    """The one in this folder, running or not. Raises Refused when the folder can't be read."""
    try:
        said = json.loads((folder / _MARK).read_bytes())
        return SecondEngine(folder, str(said["proxy"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as fault:
        reason = getattr(fault, "strerror", None) or "its mark is damaged"
        raise Refused(f"{visible(str(folder))}: can't be read: {reason}") from None


def stop(engine: SecondEngine) -> None:
    """End it, and remove all of it, its images too. Raises Refused when it does not end."""
    deadline = time.monotonic() + _SECONDS
    while engine.runs:
        engine.kill()
        if time.monotonic() > deadline:
            raise Refused(f"the processes of {visible(str(engine.folder))} do not end; see ps -ef")
        time.sleep(0.05)
    _remove(engine.folder)


def load(engine: SecondEngine, image: str) -> None:
    """Copy an image from the system's engine. Raises Refused.

    The layers come unpacked and are compressed anew for a push, so that the digests of what is
    pushed may be others than those that the system's engine would push.
    """
    if shutil.which("docker") is None:
        raise Refused("docker is not installed here, so no image can be moved; leave out --load")
    ours = {**os.environ, "DOCKER_HOST": engine.host}
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(  # noqa: S603
            ["docker", "save", "--", image],  # noqa: S607
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as saving:
            try:
                loading = subprocess.run(
                    ["docker", "load", "--quiet"],  # noqa: S607
                    stdin=saving.stdout,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    env=ours,
                    check=False,
                )
            except BaseException:
                saving.kill()
                raise
        if saving.returncode or loading.returncode:
            said.seek(0)
            last = said.read(4000).decode(errors="replace").strip().splitlines()[-1:]
            raise Refused(
                f"{visible(image, limit=120)}: can't be moved into the second engine:"
                f" {visible(' '.join(last), limit=300)}"
            )


def images(engine: SecondEngine) -> tuple[str, ...]:
    """Names of the images it holds; none when it does not answer."""
    answer = _ask(engine, "/images/json")
    if not isinstance(answer, list):
        return ()
    return tuple(str(tag) for image in answer for tag in image.get("RepoTags") or ())


def _environment(folder: Path, proxy: str) -> dict[str, str]:
    """Only what it needs: a proxy or a bundle that the caller uses would change what it does."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    roots = {"SSL_CERT_FILE": str(folder / "roots.pem")}
    return {**kept, **roots, "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "NO_PROXY": ""}


def _settings(machine: Machine) -> dict[str, Any]:
    try:
        said = json.loads(machine.path("/etc/docker/daemon.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return {key: said[key] for key in _KEPT if key in said} if isinstance(said, dict) else {}


def _driver(folder: Path) -> str | None:
    """None where overlays can be mounted: the engine then chooses well by itself. Else vfs, which
    copies every layer but works everywhere, also on an overlay."""
    trial = folder / "trial"
    for name in ("lower", "upper", "work", "merged"):
        (trial / name).mkdir(parents=True)
    options = f"lowerdir={trial}/lower,upperdir={trial}/upper,workdir={trial}/work"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(trial / "merged")]
    # In a namespace of its own the mount goes when the command ends.
    done = subprocess.run(  # noqa: S603
        ["unshare", "--mount", "--", *mount],  # noqa: S607
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    shutil.rmtree(trial, ignore_errors=True)
    return None if done.returncode == 0 else "vfs"


def _wait(engine: SecondEngine, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _SECONDS
    while _ask(engine, "/version") is None:
        if process.poll() is not None or time.monotonic() > deadline:
            how = "ended" if process.poll() is not None else f"does not answer after {_SECONDS} s"
            last = (engine.folder / "dockerd.log").read_text(errors="replace").splitlines()[-3:]
            said = visible(" / ".join(last), limit=900)
            raise Refused(f"the second engine {how}; its last words: {said}")
        time.sleep(0.1)


def _ask(engine: SecondEngine, path: str) -> Any:
    """What the engine's API answers, or None when it does not."""
    return ask(engine.socket, path)


def ask(address: Path, path: str) -> Any:
    """One GET of an engine's API at this socket; None when there is no good answer."""
    connection = _Unix(address)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return json.loads(answer.read(2**24)) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


class _Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, address: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._address))


def _remove(folder: Path) -> None:
    """The folder, its mark last: until then a stop can be tried again. What was just killed may
    still finish what it was at, and leave a file behind the one who clears away."""
    deadline = time.monotonic() + _LAST_WORDS
    while True:
        try:
            for path in folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != _MARK:
                    path.unlink()
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    (folder / _MARK).unlink(missing_ok=True)
    folder.rmdir()


def _pid_file(folder: Path) -> str:
    return f"--pidfile={folder}/docker.pid"


def all_processes() -> Iterator[tuple[int, list[bytes]]]:
    """Process ids and words of all that run here (proc(5), cmdline)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # ended in between
                yield int(entry.name), (entry / "cmdline").read_bytes().split(b"\0")


def shown(folder: Path) -> str:
    """The command, to be read."""
    return shlex.join(command(folder, None))
