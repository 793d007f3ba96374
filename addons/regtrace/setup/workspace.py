"""A folder for the time of one command: keys and logins lie there, and go with it.

What a killed command had to leave is swept when the next one starts: the folder's name holds the
process that it belonged to.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "regtrace-"
_NAME = re.compile(r"regtrace-(\d{1,10})-.+")


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A new folder that only its owner may enter; it is gone afterwards."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> list[Path]:
    """Remove the folders of commands that are no more; those that were removed."""
    swept = []
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = _NAME.fullmatch(folder.name)
        with contextlib.suppress(OSError):
            told = folder.lstat()
            ours = hasattr(os, "getuid") and told.st_uid == os.getuid()
            if owner and ours and not folder.is_symlink() and not _lives(int(owner[1])):
                shutil.rmtree(folder, ignore_errors=True)
                swept.append(folder)
    return swept


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
