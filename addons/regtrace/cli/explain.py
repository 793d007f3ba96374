"""``regtrace explain``: what a client's message can mean, without a capture."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from regtrace.cli.ending import FAILED, USAGE, end, reader_may_leave
from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules import CATALOGUE
from regtrace.evidence.client_log import read_messages
from regtrace.evidence.messages import Candidate, Sense, senses
from regtrace.evidence.reading import Unreadable, opened
from regtrace.redact.holdings import Holdings
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.catalogue import placed, wrapped
from regtrace.report.visible import visible
from regtrace.report.words import OWNERS

#: Messages of a file that are explained, and candidates that are shown of each.
_MOST, _MANY = 10, 5
_RULES = {rule.slug: rule for rule in CATALOGUE}


@click.command()
@click.argument("message", metavar="MESSAGE", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="For programs; all candidates.")
@click.option("--all", "everything", is_flag=True, help=f"Show more than {_MANY} candidates.")
def explain(message: Sequence[str], as_json: bool, everything: bool) -> None:
    """Say what MESSAGE, printed by a client, can mean: the faults behind it, likeliest first.

    MESSAGE is the text, a file that holds the client's output, or '-' for standard input. A message
    alone proves nothing: the answer names the request of a capture that would decide.

    \b
    Exit status: 0 it is known; 1 it is not; 2 usage, or a file that can't be read.

    \b
    Examples:
      regtrace explain 'error parsing HTTP 403 response body: unexpected end of JSON input: ""'
      docker push registry.example/app 2>&1 | regtrace explain -
      regtrace explain --json push.log
    """
    text = " ".join(message).strip()
    if not text:
        end("what did the client print? regtrace explain 'MESSAGE', a file, or - ", USAGE)
    known = _in_file(text) if len(message) == 1 and _is_file(text) else _in_text(text)
    holdings = Holdings()
    for line, _ in known:
        holdings.add_text(line)
    redactor = Redactor(Level.INTERNAL, holdings)
    if as_json:
        page = _as_json(known, redactor)
    else:
        page = _page(known, redactor, Console().width, None if everything else _MANY)
    with reader_may_leave():
        click.echo(page, nl=False)
    sys.exit(0 if known else FAILED)


def _is_file(text: str) -> bool:
    if text == "-":
        return True
    with contextlib.suppress(OSError, ValueError):  # too long for a name, or with a NUL
        return Path(text).is_file()
    return False


#: A line, and the entries of the table that fit it.
Known = list[tuple[str, list[Sense]]]


def _in_text(text: str) -> Known:
    stream = io.BytesIO(text.encode("utf-8", "replace"))
    lines = [line for _, line, _ in read_messages(stream)] or [text]
    return [(line, found) for line in lines[:_MOST] if (found := list(senses(line)))]


def _in_file(path: str) -> Known:
    try:
        with opened(path) as stream:
            lines = [line for _, line, _ in read_messages(stream)]
    except Unreadable as fault:
        end(visible(f"{path}: {fault}"), USAGE)
    # What a client gives up by stands last.
    return [(line, list(senses(line))) for line in lines[-_MOST:]]


def _ranked(found: Sequence[Sense]) -> list[Candidate]:
    once: dict[str, Candidate] = {}
    for sense in found:
        for candidate in sense.message.candidates:
            once.setdefault(candidate.slug, candidate)
    return list(once.values())


def _first_fix(rule: Rule) -> str:
    """The first that says what to do without the traffic: some are chosen by what was seen."""
    fixes = (placed(step) for step in rule.fix)
    return next((fix for fix in fixes if not fix.startswith("<")), "see the report on a capture")


def _page(known: Known, redactor: Redactor, width: int, most: int | None) -> str:
    lines: list[str] = []
    for said, found in known:
        candidates = _ranked(found)
        lines += wrapped("", redactor.prose(said), width)
        lines += ["", *wrapped("  means     ", found[0].message.sense, width)]
        lines += ["", "  can be"]
        for place, candidate in enumerate(candidates[:most], 1):
            rule = _RULES[candidate.slug]
            lines += wrapped(f"  {place:>2}. ", f"{rule.number} {rule.slug}", width)
            lines += wrapped("        if        ", candidate.when, width)
            lines += wrapped("        must act  ", OWNERS[rule.owner.value], width)
            lines += wrapped("        fix       ", _first_fix(rule), width)
        if most is not None and len(candidates) > most:
            lines.append(f"      and {len(candidates) - most} more: --all")
        lines += ["", *wrapped("  decides   ", found[0].message.decides, width)]
        lines += [*wrapped("            ", _HOW, width), ""]
    if not known:
        lines += wrapped("", f"No message that regtrace knows. {_HOW}", width)
    return "".join(f"{visible(line)}\n" for line in lines)


_HOW = "To see it, push through the proxy (mitmdump -s ... -w push.mitm); then regtrace report."


def _as_json(known: Known, redactor: Redactor) -> str:
    document = {
        "schema": "regtrace/explain/1",
        "messages": [
            {
                "said": redactor.prose(said),
                "means": found[0].message.sense,
                "decides": found[0].message.decides,
                "candidates": [_plain(each) for each in _ranked(found)],
            }
            for said, found in known
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _plain(candidate: Candidate) -> dict[str, Any]:
    rule = _RULES[candidate.slug]
    return {
        "rule": rule.number,
        "slug": rule.slug,
        "title": placed(rule.title),
        "if": candidate.when,
        "owner": rule.owner.value,
        "fix": _first_fix(rule),
    }
