"""The machine that is set up: its files, its programs, its kind of Docker engine."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from regtrace.setup import journal
from regtrace.setup.journal import Journal


class Engine(str, Enum):
    """How a Docker engine is installed; that decides where it reads its settings."""

    SYSTEM = "system"
    ROOTLESS = "rootless"
    SNAP = "snap"
    DESKTOP = "Docker Desktop"
    COLIMA = "colima"
    WINDOWS = "Windows"


@dataclass(frozen=True, slots=True)
class Machine:
    """What set-up looks at; another root folder stands for another machine."""

    root: Path
    home: Path
    platform: str
    """As ``sys.platform``."""
    is_root: bool
    environment: Mapping[str, str]

    def path(self, absolute: str) -> Path:
        return self.root / absolute.lstrip("/")

    @property
    def config_home(self) -> Path:
        """XDG's, where programs of a user without root read their settings."""
        return Path(self.environment.get("XDG_CONFIG_HOME") or self.home / ".config")

    @property
    def runtime(self) -> Path | None:
        folder = self.environment.get("XDG_RUNTIME_DIR")
        return Path(folder) if folder else None

    @property
    def journal(self) -> Journal:
        return Journal(journal.folder(), journal.run)

    def has(self, program: str) -> bool:
        folders = [*self.environment.get("PATH", "").split(os.pathsep), "/usr/sbin", "/sbin"]
        return any(self.path(f"{folder}/{program}").is_file() for folder in folders if folder)

    def release(self) -> tuple[str, ...]:
        """The distribution, then those it descends from (os-release(5): ID, ID_LIKE)."""
        said: dict[str, str] = {}
        for place in ("/etc/os-release", "/usr/lib/os-release"):
            with contextlib.suppress(OSError, ValueError):  # not there, or a quote is missing
                for word in shlex.split(self.path(place).read_text(errors="replace"), True):
                    key, _, value = word.partition("=")
                    said.setdefault(key, value)
        return tuple([said["ID"], *said.get("ID_LIKE", "").split()] if "ID" in said else ())

    def engine(self) -> Engine:
        """The engine that ``docker`` talks to here, by its address or by what is installed."""
        address = self.environment.get("DOCKER_HOST") or self._context()
        for mark, engine in _MARKS.items():
            if mark in address:
                return engine
        if self.platform == "win32":
            return Engine.WINDOWS if self.has("dockerd.exe") else Engine.DESKTOP
        if self.platform == "darwin":
            is_colima = (self.home / ".colima").is_dir()
            has_desktop = self.path("/Applications/Docker.app").is_dir()
            return Engine.COLIMA if is_colima and not has_desktop else Engine.DESKTOP
        if self.path("/var/snap/docker").is_dir() and not self.has("dockerd"):
            return Engine.SNAP
        if not self.is_root and self.runtime and (self.runtime / "docker.sock").exists():
            return Engine.ROOTLESS
        return Engine.SYSTEM

    def _context(self) -> str:
        """The context that the docker client was told to use (docker context use)."""
        try:
            settings = json.loads((self.home / ".docker" / "config.json").read_bytes())
            return str(settings.get("currentContext", ""))
        except (OSError, ValueError, AttributeError):
            return ""


#: Parts of addresses and names of contexts.
_MARKS = {
    "colima": Engine.COLIMA,
    "desktop": Engine.DESKTOP,
    ".docker/run": Engine.DESKTOP,
    "/run/user/": Engine.ROOTLESS,
    "rootless": Engine.ROOTLESS,
}


def this_machine() -> Machine:
    return Machine(
        root=Path("/"),
        home=Path.home(),
        platform=sys.platform,
        is_root=hasattr(os, "geteuid") and os.geteuid() == 0,
        environment=os.environ,
    )
