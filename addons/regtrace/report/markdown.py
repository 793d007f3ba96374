"""The report as Markdown, for a ticket or the summary of a CI job.

What strangers wrote can't become markup, a mention, a reference or a command of GitHub or GitLab:
a word with any character in it that could mean something stands in a code span, where nothing does.
The diagram is Mermaid's, which both draw; there every such character is an entity of Mermaid's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from regtrace.report.model import SCHEMA, Finding, Leg, Operation, Report, Transfer
from regtrace.report.visible import clock, date, duration, size, visible
from regtrace.report.words import (
    OUTCOMES,
    OWNERS,
    VENDORS,
    Explained,
    Step,
    client_name,
    failed_legs,
    fold,
    leg_name,
    operation_name,
    plural,
    rivals_of,
    steps,
    transfer_name,
)

TICKET = 60_000
"""Bytes that fit: GitHub takes 65,536 characters, and somebody wants to write above it."""

SUMMARY = 1_000_000
"""Bytes for a step summary on GitHub, which takes 1 MiB for each step."""

_LONGEST = 2000
"""Characters of one string."""

_MANY = 20
"""Rows of one kind that are shown of one finding or operation."""

_DRAWN_FIRST, _DRAWN_LAST = 10, 25
"""Arrows of a long story that are drawn at either end."""

_ACTORS = 8
"""Beside the client; a drawing of more is no drawing."""

_WORD = re.compile(
    r"""[("']*(?:(?:[^\W_]|(?<=[^\W_])['\u2019-](?=[^\W_]))+|\d+[.,]\d+)[)"'.,;:!?\u2026]*"""
    r"""|[\u2013\u2014\u2026→←·]"""
)
"""A word with nothing in it that Markdown, GitHub or GitLab could read: letters and digits, with
marks of a sentence around them; or an arrow or dash alone."""

_LINK = re.compile(r"https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._~/%?=#-]*)?")
_MERMAID = re.compile(r"[^A-Za-z0-9 ./_-]|\b[eE](?=[nN][dD]\b)")
_PLACE = re.compile(r"[a-z]+://([^/?#@]{1,260})")
_TICKS = re.compile(r"`+")


def render(report: Report, most: int = TICKET) -> str:
    """At most so many bytes of UTF-8; what does not fit is left out whole, and said to be."""
    foot = _foot(report)
    cut = "\n*More than fits here was found: the rest is in the whole report.*\n"
    left = most - len(f"{foot}{cut}".encode())
    page = []
    for part in _parts(report):
        left -= len(part.encode())
        if left < 0:
            page.append(cut)
            break
        page.append(part)
    return "".join([*page, foot])


def _parts(report: Report) -> Iterator[str]:
    """Paragraphs, the most needed ones first."""
    outcome = report.verdict.outcome
    word = OUTCOMES.get(outcome, "REPORT")
    yield f"<!-- {SCHEMA} -->\n**{word}** {_prose(report.verdict.sentence)}\n"
    damaged = report.capture.damaged
    if damaged:
        where = f"{_code(report.capture.name)} is unreadable from byte {damaged.offset} on"
        yield f"\n**Damaged capture:** {where} ({_prose(damaged.reason)}).\n"
    yield from _diagram(report)
    findings = {finding.id: finding for finding in report.findings}
    for explained in fold(report.findings):
        yield _finding(explained, findings, report)
    failed = failed_legs(report)
    if report.operations:
        yield "\n### What was seen\n\n"
    # What went well is worth a line, and stands below what did not.
    for operation in sorted(report.operations, key=lambda operation: operation.outcome == "ok"):
        yield _operation(operation, report, failed)
    if report.client_messages:
        yield "\n### What the client said\n\n"
    for message in report.client_messages:
        leg = report.legs.get(message.leg or "")
        at = f"{_code(leg_name(leg))} at {clock(leg.started)} UTC, by " if leg else ""
        place = f"{_code(message.file)}, line {message.line}"
        yield f"- {place}: {_code(message.said)}: {at}{_prose(message.joined_by)}\n"
    if report.not_seen:
        yield "\n### Not seen\n\n"
    for entry in report.not_seen:
        yield f"- {_prose(entry.what)}: {_prose(entry.why)}; {_prose(entry.effect)}\n"


def _finding(explained: Explained, findings: dict[str, Finding], report: Report) -> str:
    root = explained.root
    name = f"{root.severity.upper()} {root.rule} {root.slug}"
    times = f", {root.count} times" if root.count > 1 else ""
    lines = [f"\n### {_code(name)} {_prose(root.title)}\n"]
    said = root.suppressed or root.suppression_ended
    if said:
        state = "Accepted" if root.suppressed else "No longer accepted: it was"
        lines.append(f"**{state} until {_prose(said.until)}:** {_prose(said.reason)}\n")
    lines.append(f"**Cause** ({_prose(root.confidence)}{times}): {_prose(root.cause)}\n")
    lines.append(f"**Must act:** {_prose(OWNERS.get(root.owner, root.owner))}\n")
    if root.fix:
        lines.append("**Fix:**\n")
        lines += [f"{n}. {_step(step)}" for n, step in enumerate(root.fix[:_MANY], 1)]
        lines.append("")
    if root.check:
        lines += ["**Check:**\n", _fenced("\n".join(root.check[:_MANY]), "sh")]
    for rival in rivals_of(root, findings.values())[:_MANY]:
        apart = f" Tell them apart with: {_code(rival.check[0])}" if rival.check else ""
        lines.append(f"**Or:** {_prose(rival.title)}.{apart}\n")
    for beneath in explained.beneath[:_MANY]:
        lines.append(f"**Explains:** {_code(beneath.slug)} {_prose(beneath.title)}\n")
    if root.evidence:
        lines += ["<details><summary>Evidence</summary>\n"]
        for row in root.evidence[:_MANY]:
            leg = report.legs.get(row.leg)
            where = f"{_code(leg_name(leg))} at {clock(leg.started)} UTC" if leg else _code(row.leg)
            said_there = f"{_code(row.place)} = {_code(row.value)}"
            lines.append(f"- {where}: {said_there}: {_prose(row.why)}")
        lines.append("\n</details>\n")
    if root.references:
        lines.append(f"**See:** {', '.join(map(_reference, root.references[:_MANY]))}\n")
    return "\n".join(lines)


def _step(step: str) -> str:
    """A step may go on with lines of a configuration file."""
    first, *others = step.split("\n")
    return "<br>".join([_prose(first), *(_code(line) for line in others if line.strip())])


def _operation(operation: Operation, report: Report, failed: frozenset[str]) -> str:
    ended = _prose(operation.outcome)
    if operation.ended is not None:
        took = duration(operation.ended - operation.started).replace("<", "less than ")
        ended += f" after {took}"
    lines = [f"- {_code(operation_name(operation))} by {_prose(client_name(operation))}: {ended}"]
    if operation.outcome != "ok":
        troubled = [t for t in operation.transfers if _is_troubled(t, failed)]
        lines += [f"  - {_transfer(one, report, failed)}" for one in troubled[:_MANY]]
        good = len(operation.transfers) - len(troubled)
        if good:
            lines.append(f"  - and without trouble: {plural(good, 'transfer')}")
    return "\n".join([*lines, ""])


def _is_troubled(transfer: Transfer, failed: frozenset[str]) -> bool:
    return transfer.outcome in {"failed", "incomplete"} or not failed.isdisjoint(transfer.legs)


def _transfer(transfer: Transfer, report: Report, failed: frozenset[str]) -> str:
    known = (report.legs[leg] for leg in transfer.legs if leg in report.legs)
    folded = steps(known, failed)
    shown = [f"**{_code(step.label)}**" if step.failed else _code(step.label) for step in folded]
    if len(shown) > _MANY:
        shown[_MANY // 2 : -_MANY // 2] = [f"({len(shown) - _MANY} more)"]
    big = f", {size(transfer.size)}" if transfer.size is not None else ""
    name = f"{_code(transfer_name(transfer))}{big}, {_prose(transfer.outcome)}"
    return f"{name}: {' → '.join(shown)}"


def _foot(report: Report) -> str:
    capture, redaction, tool = report.capture, report.redaction, report.tool
    day = "" if capture.first is None else f", {date(capture.first)}"
    made = f"regtrace {_prose(tool.version)}, rules {_prose(tool.rules)}"
    proof = f"{redaction.canaries.found} of {redaction.canaries.planted} planted secrets came out"
    shared = f"Redacted for {_prose(redaction.level)}; {proof}."
    return f"\n---\n{_code(capture.name)} ({_prose(capture.mode)}{day}). {made}. {shared}\n"


# --- the diagram


def _diagram(report: Report) -> Iterator[str]:
    """Of the first operation that failed, else of the first one."""
    failed = [operation for operation in report.operations if operation.outcome == "failed"]
    for operation in [*failed, *report.operations][:1]:
        yield _sequence(operation, report)


def _sequence(operation: Operation, report: Report) -> str:
    known = [report.legs[leg] for leg in operation.legs if leg in report.legs]
    failed = failed_legs(report)
    arrows = [(place, step) for place, legs in _runs(known) for step in steps(legs, failed)]
    hidden = len(arrows) - _DRAWN_FIRST - _DRAWN_LAST
    actors: dict[str, str] = {}
    lines = []
    for number, (place, step) in enumerate(arrows):
        if hidden > 1 and _DRAWN_FIRST <= number < len(arrows) - _DRAWN_LAST:
            if number == _DRAWN_FIRST:
                lines.append(f"Note over C: {hidden} more steps")
            continue
        if place not in actors and len(actors) == _ACTORS:
            place = "others"
        actor = actors.setdefault(place, f"A{len(actors) + 1}")
        lines.append(f"C{'-x' if step.failed else '->>'}{actor}: {_entities(step.label)}")
        lines += [f"Note over C,{actor}: {_entities(said)}" for said in _notes(step, report)]
    head = ["sequenceDiagram", f"participant C as {_entities(client_name(operation))}"]
    head += [f"participant {actor} as {_entities(place)}" for place, actor in actors.items()]
    return "\n".join(["\n```mermaid", *head, *lines, "```", ""])


def _runs(legs: Iterable[Leg]) -> Iterator[tuple[str, list[Leg]]]:
    """The legs, in runs to the same place."""
    place, run = "", list[Leg]()
    for leg in legs:
        if run and _place(leg) != place:
            yield place, run
            run = []
        place = _place(leg)
        run.append(leg)
    if run:
        yield place, run


def _place(leg: Leg) -> str:
    """``registry registry.test:5000``, ``Ceph s3.test``."""
    found = _PLACE.match(leg.url)
    role = "registry"
    if leg.kind == "token":
        role = "token server"
    elif leg.kind == "storage":
        vendor = str(leg.decoded.get("vendor") or "storage")
        role = VENDORS.get(vendor, vendor)
    return f"{role} {found[1]}" if found else role


def _notes(step: Step, report: Report) -> list[str]:
    roots = (finding for finding in report.findings if finding.explained_by is None)
    return [f"{f.rule} {f.title}" for f in roots if not set(step.legs).isdisjoint(f.legs)][:2]


def _entities(text: str) -> str:
    """For Mermaid, with nothing in it that ends a line, a word of its own or the drawing."""
    shown = visible(text, limit=120)
    return _MERMAID.sub(lambda match: f"#{ord(match[0])};", shown) or "-"


# --- what strangers wrote


def _prose(text: str) -> str:
    """Plain words stay plain; every other word becomes code."""
    return " ".join(map(_word, visible(" ".join(text.split()), limit=_LONGEST).split(" ")))


def _word(word: str) -> str:
    if _WORD.fullmatch(word) or not word:
        return word
    core = word.rstrip(".,;:!?)")
    behind = word[len(core) :]
    before = "(" if core.startswith("(") and ")" in behind else ""
    return f"{before}{_code(core[len(before) :])}{behind}" if core[len(before) :] else _code(word)


def _code(text: str) -> str:
    """A code span, with longer marks around it than any in it."""
    shown = visible(text, limit=_LONGEST).strip()
    if not shown:
        return ""
    ticks = "`" * _longer_than_any(shown)
    gap = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{ticks}{gap}{shown}{gap}{ticks}"


def _fenced(text: str, language: str) -> str:
    shown = visible(text, keep="\n", limit=2 * _LONGEST)
    fence = "`" * max(3, _longer_than_any(shown))
    return f"{fence}{language}\n{shown}\n{fence}\n"


def _longer_than_any(text: str) -> int:
    return 1 + max(map(len, _TICKS.findall(text)), default=0)


def _reference(url: str) -> str:
    return f"<{url}>" if _LINK.fullmatch(url) else _code(url)
