"""containerd, for `ctr`: empty when a run begins, with the run's proxy in its environment.

The Docker engine has a containerd of its own and does not use this one.
"""

from __future__ import annotations

import shutil
import subprocess

from .. import process, world

_FOLDER = world.STATE / "containerd"
_CONF = _FOLDER / "config.toml"
SOCKET = _FOLDER / "containerd.sock"

# Kubernetes' interface wants a network of its own and is not needed.
_CONF_TEXT = f"""\
version = 2
root = "{_FOLDER}/root"
state = "{_FOLDER}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{SOCKET}"
"""


def forget() -> None:
    """Stop containerd and remove all its images."""
    stop()
    if _FOLDER.exists():
        shutil.rmtree(_FOLDER)


def start(proxy: str | None) -> None:
    """Start containerd; it sends its traffic through the proxy, if one is given."""
    stop()
    _FOLDER.mkdir(exist_ok=True)
    _CONF.write_text(_CONF_TEXT)
    environment = {} if proxy is None else {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    process.start(
        "containerd", ["containerd", "--config", str(_CONF)], _answers, environment=environment
    )


def stop() -> None:
    process.stop("containerd")


def _answers() -> bool:
    asked = ["ctr", "--address", str(SOCKET), "version"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0
