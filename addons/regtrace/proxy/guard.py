"""The one boundary between mitmproxy and our code: whatever we do wrong, the exchange goes on.

An exception that left a hook would also silence every later addon (all scripts hang below one
element of mitmproxy's addon chain), so no hook and no stream may raise. What was missed is
counted, and the report says so.
"""

from __future__ import annotations

import functools
import inspect
import logging
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from regtrace.report.model import NotSeen

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

_missed: Counter[str] = Counter()


def guarded(hook: F) -> F:
    """A hook that never raises. Its first failure is logged with where it happened."""

    if inspect.iscoroutinefunction(hook):

        @functools.wraps(hook)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            try:
                return await hook(*args, **kwargs)
            except Exception as fault:
                note(hook.__qualname__, fault)

        return waiting  # type: ignore[return-value]

    @functools.wraps(hook)
    def guard(*args: Any, **kwargs: Any) -> Any:
        try:
            return hook(*args, **kwargs)
        except Exception as fault:
            note(hook.__qualname__, fault)

    return guard  # type: ignore[return-value]


def note(where: str, fault: Exception) -> None:
    """Count a fault of ours. Its text may hold what was on the wire, so only its place is told."""
    what = f"{place_of(fault)} in {where}"
    if not _missed[what]:
        # A warning: an error that is logged while mitmproxy starts ends it.
        logger.warning("regtrace missed something: %s. The traffic goes on untouched.", what)
    _missed[what] += 1


def place_of(fault: Exception) -> str:
    """``ValueError at story.py:12``: enough to file a bug, and nothing that was on the wire."""
    last = traceback.extract_tb(fault.__traceback__)[-1:]
    place = f"{last[0].filename.rpartition('/')[2]}:{last[0].lineno}" if last else "?"
    return f"{type(fault).__name__} at {place}"


def missed() -> tuple[NotSeen, ...]:
    """What could not be taken in since the last reset, for the report."""
    return tuple(
        NotSeen(
            f"regtrace missed something: {what}, {count} times",
            "a fault of regtrace; please report it with this line",
            "legs may lack or be incomplete",
        )
        for what, count in sorted(dict(_missed).items())
    )


def reset() -> None:
    _missed.clear()
