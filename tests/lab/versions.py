"""Which versions the laboratory's parts have; they go into every sidecar."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
from pathlib import Path

_VERSION = re.compile(r"\d+(?:\.\d+)+")

_ASK = {
    "docker": ["dockerd", "--version"],
    "skopeo": ["skopeo", "--version"],
    "podman": ["podman", "--version"],
    "buildah": ["buildah", "--version"],
    "containerd": ["containerd", "--version"],
    "registry": ["docker-registry", "--version"],
    "ceph": ["ceph", "--version"],
    "nginx": ["nginx", "-v"],
}


def versions() -> dict[str, str]:
    """Part to version, `unknown` where a part does not say."""
    found = {name: _version(command) for name, command in _ASK.items()}
    found["mitmproxy"] = importlib.metadata.version("mitmproxy")
    found["python"] = platform.python_version()
    found["debian"] = Path("/etc/debian_version").read_text().strip()
    return found


def _version(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    match = _VERSION.search(done.stdout + done.stderr)
    return match.group() if match else "unknown"
