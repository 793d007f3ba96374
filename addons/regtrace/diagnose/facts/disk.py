"""Why a registry could not use its own disk, from the file system's error that it passes on.

distribution 2.x gives Go's ``PathError`` as an object (``Op``, ``Path``, ``Err`` with the errno of
Linux), 3.x and most others the same as text: ``mkdir /var/lib/registry/…: permission denied``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from regtrace.diagnose.facts.answers import said
from regtrace.wire.leg import Leg


class DiskFault(str, Enum):
    FULL = "full"
    QUOTA = "quota"
    DENIED = "denied"
    READ_ONLY = "read-only"
    DAMAGED = "damaged"
    FILES = "files"
    """Too many of them are open."""
    STALE = "stale"
    """The network file system's handle is no longer valid."""
    TOO_LARGE = "too-large"
    """Larger than a file may be."""


#: Linux errno (include/uapi/asm-generic/errno-base.h, errno.h).
_ERRNO = {
    1: DiskFault.DENIED,
    5: DiskFault.DAMAGED,
    13: DiskFault.DENIED,
    23: DiskFault.FILES,
    24: DiskFault.FILES,
    27: DiskFault.TOO_LARGE,
    28: DiskFault.FULL,
    30: DiskFault.READ_ONLY,
    116: DiskFault.STALE,
    117: DiskFault.DAMAGED,
    121: DiskFault.DAMAGED,
    122: DiskFault.QUOTA,
}

#: The same in Go's words (syscall/zerrors_linux_amd64.go).
_WORDS = {
    "no space left on device": DiskFault.FULL,
    "disk quota exceeded": DiskFault.QUOTA,
    "read-only file system": DiskFault.READ_ONLY,
    "input/output error": DiskFault.DAMAGED,
    "structure needs cleaning": DiskFault.DAMAGED,
    "remote i/o error": DiskFault.DAMAGED,
    "too many open files": DiskFault.FILES,
    "stale nfs file handle": DiskFault.STALE,
    "stale file handle": DiskFault.STALE,
    "file too large": DiskFault.TOO_LARGE,
}

#: Said by others than file systems too, so only behind a path.
_DENIED = re.compile(
    r"\b[a-z]{3,12} /[^\s:]{0,1000}: (?:permission denied|operation not permitted)"
)


def fault_in_words(text: str) -> DiskFault | None:
    """Of the words of a file system, in lower case."""
    by_words = next((fault for words, fault in _WORDS.items() if words in text), None)
    return by_words or (DiskFault.DENIED if _DENIED.search(text) else None)


def disk_fault(leg: Leg) -> DiskFault | None:
    """Of a refusal; None when it tells of none."""
    if leg.error is None:
        return None
    for item in leg.error.items:
        for number in _errnos(item.detail):
            if number in _ERRNO:
                return _ERRNO[number]
    return fault_in_words(said(leg))


def _errnos(detail: Any) -> Iterator[int]:
    """``Err`` beside the ``Op`` that failed, at whatever depth."""
    if isinstance(detail, dict):
        number = detail.get("Err")
        if "Op" in detail and type(number) is int:
            yield number
    if isinstance(detail, dict | list):
        for inner in detail.values() if isinstance(detail, dict) else detail:
            yield from _errnos(inner)
