"""Writing a report: which format, through the gate, whole or not at all, over nothing of others."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from regtrace.redact.gate import Gate
from regtrace.report import github, har, html, jsonlines, junit, markdown, sarif, yaml
from regtrace.report import json as as_json
from regtrace.report import text as as_text
from regtrace.report.compare import words as compare_words
from regtrace.report.model import Report
from regtrace.report.visible import visible
from regtrace.report.words import OUTCOMES
from regtrace.wire.exchange import Exchange

FORMATS: dict[str, Callable[[Report], str]] = {
    "text": lambda report: as_text.render(report, color=False),
    "json": as_json.render,
    "yaml": yaml.render,
    "jsonl": jsonlines.render,
    "markdown": markdown.render,
    "junit": junit.render,
    "sarif": sarif.render,
    "har": har.render,
    "html": html.render,
    "github": github.render,
    "github-summary": lambda report: markdown.render(report, markdown.SUMMARY),
}
ENDINGS = {
    ".json": "json",
    ".txt": "text",
    ".log": "text",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".jsonl": "jsonl",
    ".md": "markdown",
    ".junit.xml": "junit",
    ".sarif": "sarif",
    ".har": "har",
    ".html": "html",
}
#: Formats that show no more of a leg than its name, such as ``GET 401``, or what they show of it
#: whole; all else they have from operations and findings.
_NAMES_LEGS = frozenset({"text", "github", "junit", "sarif"})
#: Parts of a JSON report that are judged and written at once: half a megabyte.
_ROWS_AT_ONCE = 1024
#: Begins a text of JSON; within one, a backslash stands before a quote.
_BETWEEN = ', "'
#: Bytes at either end of a file by which a report of ours is recognised.
_EDGE = 1024
_OWN_BEGINNING = re.compile(
    rb'(?:\{\s*"schema":\s*"|schema: |(?:<!doctype html>\s*)?<!-- |<\?xml [^>]*>\s*<!-- '
    rb'|\{\s*"(?:log|properties)":\s*\{\s*"_?report":\s*")regtrace/(?:report|diff)/'
)
_WORDS = (*OUTCOMES.values(), *compare_words.OUTCOMES.values())
_OWN_TEXT = re.compile(f"(?:{'|'.join(map(re.escape, _WORDS))})  ".encode())
_OWN_LAST_LINES = re.compile(rb"regtrace\s+\S+,\s+rules\s+\S+")


class Refused(Exception):
    """An output that is not written. The message names the path, what is wrong, what to do."""


class Leaking(Refused):
    """The gate found a secret in an output. The message says where it stood, never the value."""


def format_of(path: str, endings: Mapping[str, str] = ENDINGS) -> str:
    """The format that a path's ending chooses. Raises Refused."""
    name = Path(path)
    suffixes = [suffix.lower() for suffix in name.suffixes]
    for ending in ("".join(suffixes[-2:]), "".join(suffixes[-1:])):
        if ending in endings:
            return endings[ending]
    raise Refused(
        f"{visible(path)}: can't tell a format from the ending {visible(name.suffix) or '(none)'};"
        f" use one of {', '.join(sorted(endings))}"
    )


def check_path(path: str, *, force: bool = False, endings: Mapping[str, str] = ENDINGS) -> None:
    """Raise Refused for a path that could not be written, before any work is done.

    A file that regtrace did not write is never replaced, unless ``force`` says so.
    """
    format_of(path, endings)
    shown = visible(path)
    try:
        target = _target(path)
        if target.is_dir():
            raise Refused(f"{shown}: is a directory; name a file in it")
        if not target.parent.is_dir():
            raise Refused(f"{shown}: there is no directory {visible(str(target.parent))}")
        if not os.access(target.parent, os.W_OK):
            raise Refused(f"{shown}: can't write into {visible(str(target.parent))}")
        if target.exists() and not target.is_file():
            raise Refused(f"{shown}: is no regular file; name another one")
        if target.is_file() and not force and not _is_own(target):
            raise Refused(
                f"{shown}: exists and is no report of regtrace, so it is not replaced;"
                " name another file, or remove it first"
            )
    except (OSError, ValueError) as fault:
        raise Refused(f"{shown}: can't be written: {_reason(fault)}") from None


def gate_for(exchanges: Iterable[Exchange]) -> Gate:
    """The gate that knows every secret of these exchanges; one serves all their outputs."""
    gate = Gate()
    for exchange in exchanges:
        gate.learn(exchange)
    return gate


def rendered(report: Report, form: str, gate: Gate) -> str:
    """The report in this format, after the gate has seen it. Raises Leaking."""
    return "".join(_pieces(report, form, gate))


def _pieces(report: Report, form: str, gate: Gate) -> Iterator[str]:
    """The same in pieces, each of which the gate has seen."""
    if form == "json":
        yield from _values(report, gate)
        return
    # Text is wrapped and cut to columns, which may tear a value apart; JSON has each one whole.
    for _ in _values(replace(report, legs={}) if form in _NAMES_LEGS else report, gate):
        pass
    output = FORMATS[form](report)
    passed(output, gate)
    yield output


def _values(report: Report, gate: Gate) -> Iterator[str]:
    """The report as JSON, rows by the hundred, so that neither gate nor disk waits for all."""
    parts = as_json.parts(report)
    while piece := "".join(islice(parts, _ROWS_AT_ONCE)):
        # Keys, names and digests stand in almost every row; to look at them once is enough.
        texts = piece.replace('": "', _BETWEEN).split(_BETWEEN)
        passed(_BETWEEN.join(dict.fromkeys(texts)), gate)
        yield piece


def passed(output: str, gate: Gate) -> None:
    """Raise Leaking when a secret that the gate knows stands in the output."""
    leaks = gate.leaks(output)
    if leaks:
        raise Leaking(
            f"the report was not written: it would show {visible(', '.join(leaks))};"
            " please report this as a fault of regtrace"
        )


def write(report: Report, paths: Sequence[str], gate: Gate, *, force: bool = False) -> None:
    """Write the report to every path, or to none. Raises Refused, with nothing left behind."""
    write_all({path: _pieces(report, format_of(path), gate) for path in paths}, force=force)


def write_all(
    outputs: Mapping[str, Iterable[str]],
    *,
    force: bool,
    endings: Mapping[str, str] = ENDINGS,
) -> None:
    """Write these pieces to each path, or to none: temporary files first, then the renames.

    Only the owner may read the files. The paths are looked at once more: reading took a while, and
    somebody else may have written there. Raises Refused, with nothing left behind.
    """
    with contextlib.ExitStack() as on_failure:
        temporaries = {}
        for path, pieces in outputs.items():
            check_path(path, force=force, endings=endings)
            try:
                temporaries[path] = _temporary(_target(path).parent, pieces, on_failure)
            except OSError as fault:
                raise _unwritable(path, fault) from None
        for path, temporary in temporaries.items():
            try:
                os.replace(temporary, _target(path))
            except OSError as fault:
                raise _unwritable(path, fault) from None
        on_failure.pop_all()


def write_text(path: str, text: str, *, force: bool = False) -> None:
    """Write a text that has passed the gate, as :func:`write` does. Raises Refused."""
    check_path(path, force=force)
    with contextlib.ExitStack() as on_failure:
        try:
            temporary = _temporary(_target(path).parent, [text], on_failure)
            os.replace(temporary, _target(path))
        except OSError as fault:
            raise _unwritable(path, fault) from None
        on_failure.pop_all()


def _temporary(directory: Path, pieces: Iterable[str], on_failure: contextlib.ExitStack) -> str:
    # mkstemp gives mode 0600.
    handle, name = tempfile.mkstemp(dir=directory, prefix=".regtrace-")
    on_failure.callback(Path(name).unlink, missing_ok=True)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.writelines(pieces)
    return name


def _target(path: str) -> Path:
    """The file itself: a link stays a link."""
    return Path(os.path.realpath(path))


def _is_own(target: Path) -> bool:
    """Whether regtrace wrote this file, or nobody wrote anything into it yet."""
    with target.open("rb") as stream:
        first = stream.read(_EDGE)
        stream.seek(max(target.stat().st_size - _EDGE, 0))
        last = stream.read(_EDGE)
    if _OWN_TEXT.match(first):
        return _OWN_LAST_LINES.search(last) is not None
    return not first or _OWN_BEGINNING.match(first) is not None


def _unwritable(path: str, fault: OSError) -> Refused:
    return Refused(f"{visible(path)}: can't be written: {_reason(fault)}")


def _reason(fault: Exception) -> str:
    return getattr(fault, "strerror", None) or visible(str(fault))
