"""JSON from a stranger, as plain data: bounded, finite, and free of what no output could encode."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

#: Values in one text, counted by what stands before each. A manifest with all the layers that
#: docker allows has some 500, the longest referrers list that is read some 50,000; two million
#: would cost a second.
MOST_VALUES = 100_000


def parse_json(body: bytes | None, limit: int) -> Any:
    """JSON from a stranger as plain data, or None: not JSON, too deep, over ``limit`` bytes, over
    ``MOST_VALUES``.

    Strings come without lone surrogates, which no output could encode. Numbers that no 64-bit
    reader could hold are None.
    """
    if not body or len(body) > limit:
        return None
    if len(body) > MOST_VALUES and sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        return None
    text = body.decode("utf-8-sig", "replace")
    try:
        value = _READER.decode(text)
        if "\\ud" in text or "\\uD" in text:
            clean = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
            value = _READER.decode(clean.decode())
    except (ValueError, RecursionError):
        return None
    return value


def _integer(digits: str) -> int | None:
    """Python's own ``int`` takes quadratic time on a million digits."""
    return int(digits) if len(digits) <= 20 else None


def _finite(digits: str) -> float | None:
    return number if isfinite(number := float(digits)) else None


_READER = json.JSONDecoder(parse_int=_integer, parse_float=_finite, parse_constant=lambda _: None)
