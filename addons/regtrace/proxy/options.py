"""Addon: the options of regtrace, what they accept, and one clear line for what they don't.

mitmproxy alone is silent about ``--set`` with a value of the wrong type (the script is just not
there) and about names that nobody has (mitmproxy issue 8013).
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mitmproxy import ctx, exceptions

from regtrace.proxy.flows import KEPT
from regtrace.redact.redactor import Level
from regtrace.report.output import Refused, check_path
from regtrace.report.visible import visible

logger = logging.getLogger(__name__)

LIVE = ("auto", "lines", "off")
_LEVELS = tuple(level.value for level in Level)
_CHOICES = {"registry_live": LIVE, "registry_share": _LEVELS}

_NAMES = (
    "registry_report",
    "registry_live",
    "registry_share",
    "registry_exit_status",
    "registry_body_limit",
)


class Options:
    name = "regtrace-options"

    def __init__(self) -> None:
        self._refused = False

    def load(self, loader: Any) -> None:
        loader.add_option(
            "registry_report",
            Sequence[str],
            [],
            "Write the report to this path when an operation ends and when mitmproxy ends, for"
            " example registry_report=push.json. The ending chooses the format: .json or .txt."
            " Give it again for another file. Only you may read it, and a file that regtrace did"
            " not write is never replaced.",
        )
        loader.add_option(
            "registry_live",
            str,
            "auto",
            "Say on standard output what happens while it happens, and the verdict when an"
            " operation ends. auto: in mitmdump; lines: in mitmweb too; off: never. The screen of"
            " mitmproxy's console is never written into.",
        )
        loader.add_option(
            "registry_share",
            str,
            Level.VENDOR.value,
            "Who will read the report. public: names become labels too; vendor: registry and"
            " repository stay readable; internal: all names. Secrets are shown to nobody.",
        )
        loader.add_option(
            "registry_exit_status",
            bool,
            False,
            "End mitmdump with exit status 1 when a push, pull or login failed, for scripts and"
            " CI.",
        )
        loader.add_option(
            "registry_body_limit",
            int,
            KEPT,
            "Bytes of a manifest, token or error body that are kept to be read. Larger bodies, and"
            " those of blobs, are streamed, counted and hashed, never held.",
        )
        for complaint in (*_unknown(), *_untyped(), *_unaccepted(_NAMES)):
            # An error that is logged while mitmproxy starts ends it, with exit status 1.
            logger.error("regtrace: %s", complaint)
            self._refused = True

    def configure(self, updated: set[str]) -> None:
        if self._refused:
            return
        for complaint in _unaccepted(name for name in _NAMES if name in updated):
            raise exceptions.OptionsError(complaint)


def report_paths() -> list[str]:
    """The value of ``registry_report``; no shell opens a ``~`` behind ``registry_report=``."""
    return [str(Path(path).expanduser()) for path in ctx.options.registry_report]


def _unknown() -> Iterator[str]:
    # Another script may have options of this prefix, if it is loaded first.
    for name in ctx.options.deferred:
        if name.startswith("registry_") and name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, 1, 0.5)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(_NAMES)}"
            yield f"unknown option {visible(name)}; {advice}"


def _untyped() -> Iterator[str]:
    """Give our options the values that were set before they existed, one by one."""
    deferred = ctx.options.deferred
    for name in _NAMES:
        others = {key: deferred.pop(key) for key in list(deferred) if key != name}
        try:
            ctx.options.process_deferred()
        except (exceptions.OptionsError, TypeError) as fault:
            # mitmproxy 12 begins with the name, 11 does not tell it.
            reason = str(fault).removeprefix(f"Failed to parse option {name}: ")
            yield f"{name}: {visible(reason)}"
        finally:
            deferred.update(others)


def _unaccepted(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        value = getattr(ctx.options, name)
        choices = _CHOICES.get(name)
        if choices and value not in choices:
            yield f"{name}={visible(value)}: use one of {', '.join(choices)}"
        elif name == "registry_body_limit" and value < 0:
            yield f"{name}={value}: use a number of bytes, 0 or more"
        elif name == "registry_report":
            for path in report_paths():
                try:
                    check_path(path)
                except Refused as fault:
                    yield f"registry_report: {fault}"
