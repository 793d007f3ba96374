"""Text from strangers made harmless for a terminal, and numbers made readable.

``visible`` is the one place where control characters lose their power; every renderer that draws
for a terminal sends all text through it. The rest is arithmetic that all renderers share: sizes
in bytes, durations in seconds, epoch times in UTC.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone

ELLIPSIS = "…"

_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""Letters and marks that draw nothing (Default_Ignorable_Code_Point, DerivedCoreProperties.txt,
and the empty braille cell): a name that contains one looks like another name."""

_DIGEST = re.compile(r"([a-z0-9]+(?:[+._-][a-z0-9]+)*):([0-9a-f]{12})[0-9a-f]+")

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def visible(text: str, *, keep: str = "", limit: int | None = None) -> str:
    r"""The text with every character that is not plainly seen as an escape such as ``\x1b``.

    That is what Python calls not printable (categories Cc, Cf, Cs, Co, Cn, Zl, Zp, and Zs but for
    the space) and the letters that draw nothing. Characters in ``keep`` stay, such as ``"\n"``. A
    result longer than ``limit`` characters is cut, never inside an escape, and ends with ``…``.
    """
    if text.isprintable() and (text.isascii() or not _BLANK.search(text)):
        return text if limit is None or len(text) <= limit else _cut(list(text), limit)
    shown: list[str] = []
    length = 0
    for character in text:
        piece = character if character in keep else _escape(character)
        length += len(piece)
        if limit is not None and length > limit:
            return _cut(shown, limit)
        shown.append(piece)
    return "".join(shown)


def size(count: int) -> str:
    """Bytes in decimal units, three digits at most: ``812 B``, ``3.2 kB``, ``1.07 GB``."""
    number = float(count)
    for unit in _UNITS:
        if abs(number) < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.0f} EB"


def duration(seconds: float) -> str:
    """``0.04 s``, ``12.3 s``, ``3 min 05 s``, ``2 h 05 min``; ``?`` when it is no number."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if 0 < seconds < 0.01:
        return "<0.01 s"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def rate(count: int, seconds: float) -> str:
    """Bytes in this many seconds as ``8.1 MB/s``; empty when there is nothing to divide."""
    if count <= 0 or not 0 < seconds < math.inf:
        return ""
    return f"{size(round(count / seconds))}/s"


def clock(epoch: float) -> str:
    """The UTC time of day as ``HH:MM:SS.mmm``; ``?`` when there is no such time."""
    moment = _utc(epoch)
    return "?" if moment is None else moment.strftime("%H:%M:%S.%f")[:-3]


def date(epoch: float) -> str:
    """The UTC date as ``YYYY-MM-DD``; ``?`` when there is no such time."""
    moment = _utc(epoch)
    return "?" if moment is None else moment.date().isoformat()


def moment(epoch: float) -> str:
    """The UTC time as ``2026-11-23T21:23:07.614Z`` (RFC 3339); of no such time, that of epoch 0."""
    known = _utc(epoch) or datetime.fromtimestamp(0, timezone.utc)
    return known.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_between(started: float, ended: float | None) -> float:
    """How long it took; 0 when that is not known, or no time."""
    took = 0.0 if ended is None else ended - started
    return took if 0 < took < math.inf else 0.0


def short_digest(digest: str) -> str:
    """``sha256:ab12cd34ef56…``, twelve digits as docker shows; what is no digest comes back."""
    match = _DIGEST.fullmatch(digest)
    return f"{match[1]}:{match[2]}{ELLIPSIS}" if match else digest


def _utc(epoch: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(epoch, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _escape(character: str) -> str:
    if character.isprintable() and not _BLANK.match(character):
        return character
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(pieces: list[str], limit: int) -> str:
    length = sum(map(len, pieces))
    while pieces and length > limit - len(ELLIPSIS):
        length -= len(pieces.pop())
    return "".join(pieces) + ELLIPSIS
