"""Addon: the options of regtrace, what they accept, and one clear line for what they don't.

mitmproxy alone is silent about ``--set`` with a value of the wrong type (the script is just not
there) and about names that nobody has (mitmproxy issue 8013).
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from mitmproxy import ctx, exceptions

from regtrace.diagnose.yamltext import Mistake
from regtrace.proxy.flows import KEPT
from regtrace.proxy.site import Site, read_site
from regtrace.redact.cases import Case, Unusable, open_case
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.output import Refused, check_path
from regtrace.report.visible import visible

logger = logging.getLogger(__name__)

LIVE = ("auto", "lines", "off")
_LEVELS = tuple(level.value for level in Level)
_CHOICES = {"registry_live": LIVE, "registry_share": _LEVELS}

_NAMES = (
    "registry_report",
    "registry_config",
    "registry_rules",
    "registry_hosts",
    "registry_live",
    "registry_share",
    "registry_case",
    "registry_redact",
    "registry_exit_status",
    "registry_body_limit",
)


#: What a value must be in a configuration file, where it is no text.
_KINDS = {
    "registry_report": "a list of paths",
    "registry_hosts": "a list of hosts",
    "registry_redact": "true or false",
    "registry_exit_status": "true or false",
    "registry_body_limit": "a whole number",
}
#: A host name or address, with ``*`` in it, and a port.
_HOST = re.compile(r"(?:[A-Za-z0-9*._-]+|\[[0-9A-Fa-f:]+\])(?::[0-9*]{1,5})?")


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
            " example registry_report=push.json. The ending chooses the format: .json, .html, .md"
            " or another that regtrace report -o knows."
            " Give it again for another file. Only you may read it, and a file that regtrace did"
            " not write is never replaced.",
        )
        loader.add_option(
            "registry_config",
            str,
            "",
            "A YAML file that says how your registries ought to look (realm, issuer, storage, keys,"
            " limits of the reverse proxy), so that more can be proved, and which findings you have"
            " accepted for a while.",
        )
        loader.add_option(
            "registry_rules",
            str,
            "",
            "A directory of rules of your own, in YAML or Python. A Python file is run as your own"
            " code. Try them with: regtrace rules test DIR",
        )
        loader.add_option(
            "registry_hosts",
            Sequence[str],
            [],
            "Look only into the TLS connections to these hosts, such as registry.example.com,"
            " *.corp or registry.corp:5000, and let all others pass sealed, with the server's own"
            " certificate. The token server and the storage that such a registry sends its clients"
            " to are looked into as well. Without it every host is looked into.",
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
            "registry_case",
            str,
            "",
            "The name of a case: the same value has the same label in all reports of that case, and"
            " in no other's. Its key and list stay on this machine; see: regtrace cases --help.",
        )
        loader.add_option(
            "registry_redact",
            bool,
            False,
            "Write a redacted capture with -w: labels stand for secrets before the first byte"
            " reaches the disk, by registry_share and registry_case. Only HTTP is written. What"
            " goes over the wire is untouched.",
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
        for complaint in _unaccepted([name for name in _NAMES if name in updated]):
            raise exceptions.OptionsError(complaint)


def report_paths() -> list[str]:
    """The value of ``registry_report``; no shell opens a ``~`` behind ``registry_report=``."""
    return [str(Path(path).expanduser()) for path in ctx.options.registry_report]


def site() -> Site:
    """What ``registry_config`` and ``registry_rules`` describe. Raises Mistake."""
    return read_site(ctx.options.registry_config, ctx.options.registry_rules)


def _unknown() -> Iterator[str]:
    # Another script may have options of this prefix, if it is loaded first.
    for name in ctx.options.deferred:
        if name.startswith("registry_") and name not in _NAMES:
            near = difflib.get_close_matches(name, _NAMES, 1, 0.5)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(_NAMES)}"
            yield f"unknown option {visible(name)}; {advice}"


def case() -> Case | None:
    """The case whose labels are used. Raises Unusable."""
    name = ctx.options.registry_case
    return _opened(name) if name else None


_opened = lru_cache(maxsize=4)(open_case)


def new_redactor() -> Redactor:
    """For who reads the report. Raises Unusable."""
    return Redactor(Level(ctx.options.registry_share), case=case())


def _untyped() -> Iterator[str]:
    """Give our options the values that were set before they existed, one by one."""
    deferred = ctx.options.deferred
    for name in _NAMES:
        others = {key: deferred.pop(key) for key in list(deferred) if key != name}
        try:
            ctx.options.process_deferred()
        except (exceptions.OptionsError, TypeError) as fault:
            said = deferred.pop(name)  # or mitmproxy would try it again, and raise
            # mitmproxy 12 begins with the name, 11 does not tell it.
            reason = str(fault).removeprefix(f"Failed to parse option {name}: ")
            if isinstance(fault, TypeError):  # of a configuration file
                reason = f"use {_KINDS.get(name, 'a text')}, not {said!r}"
            yield f"{name}: {visible(reason)}"
        finally:
            deferred.update(others)


def _unaccepted(names: Collection[str]) -> Iterator[str]:
    if {"registry_config", "registry_rules"}.intersection(names):
        yield from _unaccepted_site()
    for name in names:
        value = getattr(ctx.options, name)
        choices = _CHOICES.get(name)
        if choices and value not in choices:
            yield f"{name}={visible(value)}: use one of {', '.join(choices)}"
        elif name == "registry_body_limit" and value < 0:
            yield f"{name}={value}: use a number of bytes, 0 or more"
        elif name == "registry_case":
            yield from _unaccepted_case()
        elif name == "registry_hosts":
            yield from _unaccepted_hosts(value)
        elif name == "registry_report":
            yield from _unaccepted_paths()


def _unaccepted_site() -> Iterator[str]:
    try:
        site()
    except Mistake as fault:
        yield visible(str(fault))


def _unaccepted_case() -> Iterator[str]:
    try:
        case()
    except Unusable as fault:
        yield f"registry_case: {visible(str(fault))}"


def _unaccepted_hosts(patterns: Sequence[str]) -> Iterator[str]:
    for pattern in patterns:
        if not _HOST.fullmatch(pattern):
            yield (
                f"registry_hosts={visible(pattern)}: use a host name, with * for any part of it,"
                " and :PORT where it matters; no https:// and no path"
            )


def _unaccepted_paths() -> Iterator[str]:
    for path in report_paths():
        try:
            check_path(path)
        except Refused as fault:
            yield f"registry_report: {fault}"
