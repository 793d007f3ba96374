"""Lines on the terminal of mitmdump: past ``-q``, never into a console's screen, never a secret."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterable
from typing import TextIO

from mitmproxy import ctx

from regtrace.report.output import Leaking, gate_for, passed
from regtrace.wire.exchange import Exchange

logger = logging.getLogger(__name__)


def is_wanted() -> bool:
    """Whether what happens is told on standard output."""
    live = ctx.options.registry_live
    in_mitmdump = ctx.master.addons.get("dumper") is not None
    return not _in_console() and (live == "lines" or (live == "auto" and in_mitmdump))


def say(text: str, exchanges: Iterable[Exchange]) -> None:
    """Print the text, if no secret of these exchanges stands in it."""
    try:
        passed(text, gate_for(exchanges))
    except Leaking as fault:
        complain(str(fault))
    else:
        show(text)


def show(text: str) -> None:
    """Print what has passed the gate."""
    # Not the log: mitmdump -q must not silence the verdict.
    _print(text, sys.stdout)


def complain(text: str) -> None:
    """Say what went wrong with an output of ours; not as an error, which may end mitmproxy."""
    if _in_console():
        logger.warning("regtrace: %s", text)
    else:
        _print(f"regtrace: {text}", sys.stderr)


def _in_console() -> bool:
    """The console draws its own screen, which a printed line would break."""
    return ctx.master.addons.get("consoleaddon") is not None


def _print(text: str, stream: TextIO | None) -> None:
    try:
        print(text, file=stream, flush=True)
    except UnicodeEncodeError:
        encoding = getattr(stream, "encoding", None) or "ascii"
        _print(text.encode(encoding, "backslashreplace").decode(encoding), stream)
    except BrokenPipeError:
        # Whoever read has left. What waits in the buffer would end the process with status 120.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]
    except (OSError, ValueError):
        pass  # closed, or full
