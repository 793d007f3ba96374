"""One configuration file as text: bounded, no device, no binary; what is wrong is one sentence."""

from __future__ import annotations

import stat
from pathlib import Path

#: Bytes of a file. GitLab's gitlab.rb with all its comments has some 150 kB.
MOST = 1024 * 1024


class Unreadable(ValueError):
    """Why a file can't be read: ``name, line 3: why``, for people."""


def read_text(path: Path, name: str) -> str:
    """The file's text. Raises Unreadable."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        content = _read(path) if regular else b""
    except OSError as fault:
        raise Unreadable(f"{name}: can't be read: {fault.strerror or fault}") from None
    except ValueError:  # a zero byte in its name
        raise Unreadable(f"{name}: is no name of a file") from None
    if not regular:
        raise Unreadable(f"{name}: is no regular file")
    return as_text(content, name)


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MOST + 1)


def as_text(content: bytes, name: str) -> str:
    """Raises Unreadable."""
    if len(content) > MOST:
        raise Unreadable(f"{name}: has more than {MOST} bytes, so it is no configuration file")
    if b"\0" in content:
        raise Unreadable(f"{name}: holds zero bytes, so it is no text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise Unreadable(f"{name}, line {line}: is not UTF-8; save it as UTF-8") from None
