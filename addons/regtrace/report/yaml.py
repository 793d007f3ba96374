"""The report as YAML: the same fields in the same order as the JSON, with the same schema.

Any text that some parser of YAML 1.1 or 1.2 might take for something else is quoted. Pure ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from regtrace.report.json import plain
from regtrace.report.model import Report

#: Texts that need no quotes: a letter first, so no number, no date, no sign of YAML's own.
_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9 ./_+-]|:(?=[A-Za-z0-9/]))*(?<! )")
_WORDS = frozenset("y n yes no on off true false null".split())
"""Letters that YAML 1.1 takes for something else."""
_SPECIAL = re.compile(r"[^ -~]|[\"\\]")
_NAMED = {'"': r"\"", "\\": r"\\", "\n": r"\n"}


def render(report: Report) -> str:
    return "".join(_parts(report))


def _parts(report: Report) -> Iterator[str]:
    yield from _block({"schema": report.schema}, "")
    for name in report.__slots__:
        value = getattr(report, name)
        if value and isinstance(value, (tuple, Mapping)):
            yield f"{name}:\n"
            for row in value.values() if isinstance(value, Mapping) else value:
                yield from _block([plain(row)], "  ")
        elif name != "schema":
            yield from _block({name: [] if name == "legs" else plain(value)}, "")


def _block(value: Any, indent: str) -> Iterator[str]:
    """The lines of a map or list that is not empty."""
    if isinstance(value, Mapping):
        entries = [(f"{indent}{_scalar(key)}:", inner) for key, inner in value.items()]
    else:
        entries = [(f"{indent}-", inner) for inner in value]
    for head, inner in entries:
        if not inner or not isinstance(inner, (Mapping, list)):
            yield f"{head} {_scalar(inner)}\n"
            continue
        body = _block(inner, f"{indent}  ")
        yield f"{head} {next(body).lstrip(' ')}" if head.endswith("-") else f"{head}\n"
        yield from body


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        shown = repr(value)
        return shown if "." in shown else shown.replace("e", ".0e")  # 1.1 asks for the point
    if not isinstance(value, str):
        return repr(value)  # a whole number, {} or []
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return f'"{_SPECIAL.sub(_escaped, value)}"'


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return _NAMED.get(match[0]) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
