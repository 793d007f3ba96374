"""The Debian packages the laboratory needs, and how to install them without starting services."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = (
    "docker.io",
    "docker-registry",
    "skopeo",
    "podman",
    "buildah",
    "containerd",
    "ceph-mon",
    "ceph-osd",
    "radosgw",
    "ceph-common",
    "nginx-light",
    "ca-certificates",
    "faketime",
    "iproute2",
    "procps",
    "util-linux",
    "chromium",
    "tmux",
)

# apt's packages ask this program whether they may start their services; 101 is "no".
_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = "#!/bin/sh\n# made by regtrace's lab, removed when its install ends\nexit 101\n"


class PackagesError(Exception):
    """The packages can't be installed here."""


def unfit() -> str | None:
    """Why the laboratory can't run on this machine, or None."""
    if os.geteuid() != 0:
        return "the lab needs root (for namespaces and mounts of its own)"
    if shutil.which("dpkg-query") is None:
        return "the lab needs Debian or Ubuntu: its parts are their packages"
    return None


def missing() -> list[str]:
    """Packages that are not installed."""
    command = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *PACKAGES]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    installed = {line.split()[0] for line in shown.splitlines() if line.endswith(" installed")}
    return [package for package in PACKAGES if package not in installed]


def install(packages: list[str]) -> None:
    """Install packages. Raises PackagesError when apt-get fails; it has then said why."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "--yes", "install", "--no-install-recommends", *packages]
    with _services_stay_off():
        for command in (["apt-get", "update"], apt):
            if subprocess.run(command, env=environment, check=False).returncode != 0:
                raise PackagesError(f"{' '.join(command)} failed")


@contextmanager
def _services_stay_off() -> Iterator[None]:
    """A policy-rc.d for the time of the installation; one that is there already stays as it is."""
    if _POLICY.exists() and _POLICY.read_text() != _POLICY_TEXT:
        yield
        return
    _POLICY.write_text(_POLICY_TEXT)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()
