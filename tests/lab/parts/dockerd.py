"""The Docker engine: empty when a run begins, with the run's proxy in its environment."""

from __future__ import annotations

import shutil
import subprocess

from .. import process, world

_FOLDER = world.STATE / "docker"
SOCKET = f"unix://{_FOLDER}/docker.sock"


def forget() -> None:
    """Stop the engine and remove all its images and what it knows of registries."""
    stop()
    # dockerd mounts its data folder onto itself, and leaves that behind when it is killed.
    subprocess.run(["umount", "--recursive", _FOLDER / "data"], capture_output=True, check=False)
    if _FOLDER.exists():
        shutil.rmtree(_FOLDER)


def start(proxy: str | None, *, insecure: str = "") -> None:
    """Start the engine; it sends its traffic through the proxy, if one is given, and asks the
    registry ``insecure`` without TLS where that speaks none."""
    stop()
    _FOLDER.mkdir(exist_ok=True)
    # No bridge and no firewall rules: images are only loaded and pushed, no container runs.
    command = [
        "dockerd",
        f"--data-root={_FOLDER}/data",
        f"--exec-root={_FOLDER}/exec",
        f"--pidfile={_FOLDER}/docker.pid",
        f"--host={SOCKET}",
        "--storage-driver=vfs",
        "--iptables=false",
        "--ip6tables=false",
        "--bridge=none",
        *([f"--insecure-registry={insecure}"] if insecure else []),
    ]
    environment = {} if proxy is None else {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    process.start("dockerd", command, _answers, seconds=60, environment=environment)


def stop() -> None:
    process.stop("dockerd", seconds=30)


def _answers() -> bool:
    asked = ["docker", "--host", SOCKET, "version"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0
