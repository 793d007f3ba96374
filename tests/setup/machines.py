"""Machines for tests: a folder that stands for the root of another system, and its commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from regtrace.setup import journal
from regtrace.setup.machine import Machine


def machine(
    root: Path,
    *,
    platform: str = "linux",
    release: str = "",
    programs: Sequence[str] = (),
    is_root: bool = True,
    environment: Mapping[str, str] | None = None,
) -> Machine:
    """A machine with these programs; ``release`` is the text of its /etc/os-release."""
    (root / "etc").mkdir(parents=True, exist_ok=True)
    if release:
        (root / "etc" / "os-release").write_text(release)
    (root / "usr" / "bin").mkdir(parents=True, exist_ok=True)
    for program in programs:
        (root / "usr" / "bin" / program).write_text("")
    home = root / "home" / "me"
    home.mkdir(parents=True, exist_ok=True)
    words = {"PATH": "/usr/bin", **(environment or {})}
    return Machine(root, home, platform, is_root, words)


class Commands:
    """Stands in the place of what runs commands: records them, and lets one fail."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []

    def __call__(self, command: Sequence[str]) -> None:
        self.ran.append(tuple(command))


def on_its_own(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Commands:
    """From here on regtrace remembers in this folder, and only records commands."""
    commands = Commands()
    monkeypatch.setattr(journal, "folder", lambda: folder)
    monkeypatch.setattr(journal, "run", commands)
    return commands


def tree(folder: Path) -> dict[str, tuple[bytes | None, int]]:
    """Every file and folder with its content and mode."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes() if path.is_file() else None,
            path.lstat().st_mode,
        )
        for path in sorted(folder.rglob("*"))
    }
