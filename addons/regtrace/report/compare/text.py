"""A comparison as text: the first divergence on top, then leg by leg what was alike and what not.

Nothing depends on colour: each line begins with a sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from regtrace.report.compare.model import Cause, Diff, Difference, Half, Row, Side
from regtrace.report.compare.words import OUTCOMES, label, phrase, sign
from regtrace.report.page import Page, drawn
from regtrace.report.visible import duration
from regtrace.report.words import OWNERS, client_name, operation_name, plural

_MOST_PARTS = 20
"""Blobs and manifests that are drawn; those that diverge come first."""

_MOST_LINES = 12
"""Lines of one of them."""

_MOST_LINKS = 12
"""Legs in a line."""

_STYLES = {
    "differs": "bold red",
    "alike": "bold green",
    "!!": "bold red",
    "~": "yellow",
    "=": "dim",
}

_LEGEND = "= alike   ~ differs, as runs do   !! diverges   < good only   > bad only"


def render(diff: Diff, *, width: int | None = None, color: bool | None = None) -> str:
    """The text, as that of a report."""
    return drawn(lambda console: print_diff(diff, console), width=width, color=color)


def print_diff(diff: Diff, console: Console) -> None:
    page = Page(console)
    outcome = diff.verdict.outcome
    word = page.text(f"{OUTCOMES[outcome]}  ", _STYLES[outcome], limit=40)
    page.prose(word, page.text(diff.verdict.sentence, "bold"))
    page.line()
    _side(page, "good  ", diff.good)
    _side(page, "bad   ", diff.bad)
    for row in diff.rows:
        if row.id == diff.first:
            _first(page, row)
    for cause in diff.causes:
        _cause(page, cause)
    _overall(page, diff.overall)
    _parts(page, diff.rows)
    _foot(page, diff)


def _side(page: Page, name: str, side: Side) -> None:
    joint = "in" if side.outcome == "ok" else "after"
    took = "" if side.seconds is None else f" {joint} {duration(side.seconds)}"
    told = [
        operation_name(side),
        client_name(side),
        f"{side.outcome}{took}, {plural(side.legs, 'leg')}",
        f"{side.operation} of {side.capture}",
    ]
    more = plural(side.others, "operation")
    told += [f"{more} more there"] if side.others else []
    page.prose(page.text(name, "bold"), page.text("; ".join(told)))


def _first(page: Page, row: Row) -> None:
    page.line()
    page.line(Text("first divergence  ", "bold"), page.text(row.part))
    _half(page, "good", row.good)
    _half(page, "bad", row.bad)
    found = [one for one in row.differences if one.what not in {"missing", "additional"}]
    for difference in found:
        _difference(page, difference)


def _half(page: Page, name: str, half: Half | None) -> None:
    lead = Text(f"  {name:<6}", "dim")
    if half is None:
        page.line(lead, Text("nothing"))
        return
    took = "" if half.seconds is None else f", took {duration(half.seconds)}"
    told = f"   {half.leg}, {duration(half.offset)} after the start{took}"
    style = _STYLES["!!"] if name == "bad" else "bold"
    page.prose(lead, Text.assemble(page.text(half.name, style, limit=60), page.text(told)))


def _difference(page: Page, difference: Difference) -> None:
    """What it was on either side, one above the other."""
    if difference.what == "headers":
        page.prose(Text("  "), page.text(phrase(difference)))
        return
    style = "" if difference.matters else "dim"
    page.line(page.text(f"  {label(difference)}", style))
    for name, value in (("good", difference.good), ("bad", difference.bad)):
        page.prose(Text(f"    {name:<6}", "dim"), page.text(value or "none", style, limit=300))


def _cause(page: Page, cause: Cause) -> None:
    name = f"{cause.rule} {cause.slug} · {cause.confidence}"
    page.line()
    page.prose(page.text(f"{cause.severity.upper()} ", "bold", limit=20), page.text(name))
    page.prose(Text("  "), page.text(cause.title, "bold"))
    page.prose(Text("  must act  ", "dim"), page.text(OWNERS.get(cause.owner, cause.owner)))
    for number, step in enumerate(cause.fix, 1):
        lead = Text(f"  {'fix' if number == 1 else '':<10}", "dim")
        page.prose(Text.assemble(lead, f"{number}. "), page.text(step, keep="\n"))


def _overall(page: Page, differences: Sequence[Difference]) -> None:
    if differences:
        page.line()
        page.line(Text("as a whole", "bold"))
    for difference in differences:
        lead = page.text(f"  {'!!' if difference.matters else '~ '} ", limit=10)
        page.prose(lead, page.text(phrase(difference)))


# --- leg by leg


def _parts(page: Page, rows: Sequence[Row]) -> None:
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row.part, []).append(row)
    if not parts:
        return
    page.line()
    page.line(Text("leg by leg", "bold"))
    page.prose(Text("  "), page.text(_LEGEND, "dim"))
    worst = sorted(parts, key=lambda part: min(_rank(row) for row in parts[part]))
    drawn = {*worst[:_MOST_PARTS]}
    for part, some in parts.items():
        if part in drawn:
            _part(page, part, some)
    if len(parts) > len(drawn):
        rest = [row for part, some in parts.items() if part not in drawn for row in some]
        diverging = sum(row.matters for row in rest)
        more = f"and {plural(len(parts) - len(drawn), 'transfer')} more, {plural(len(rest), 'leg')}"
        page.prose(Text("  "), page.text(f"{more}, {diverging} of them diverge"))


def _rank(row: Row) -> tuple[bool, bool]:
    return not row.matters, not row.differences


def _part(page: Page, part: str, rows: Sequence[Row]) -> None:
    page.line(page.text(f"  {part}"))
    groups = [(key, list(some)) for key, some in groupby(rows, key=_story)]
    for (mark, told), some in groups[:_MOST_LINES]:
        style = _STYLES.get(mark, "")
        names = [(row.bad or row.good) for row in some]
        page.chain(page.text(f"    {mark:<3}", style), _folded(page, names, style))
        if told:
            page.prose(Text("         "), page.text(told, limit=400))
    if len(groups) > _MOST_LINES:
        hidden = [row for _, some in groups[_MOST_LINES:] for row in some]
        diverging = sum(row.matters for row in hidden)
        more = f"{plural(len(hidden), 'leg')} more, {diverging} of them diverge"
        page.line(page.text(f"       ({more})", "dim"))


def _story(row: Row) -> tuple[str, str]:
    """The sign of a row, and what is to be said of it."""
    if row.bad is None:
        return "<", ""
    if row.good is None:
        return ("!!" if row.matters else ">"), ("bad only" if row.matters else "")
    return sign(row), "; ".join(phrase(one) for one in row.differences)


def _folded(page: Page, halves: Sequence[Half | None], style: str) -> list[Text]:
    counted = [
        (name, len(list(some))) for name, some in groupby(half.name for half in halves if half)
    ]
    links = [
        page.text(f"{name} \N{MULTIPLICATION SIGN}{count}" if count > 1 else name, style, limit=60)
        for name, count in counted
    ]
    hidden = len(links) - _MOST_LINKS
    if hidden > 1:
        links[_MOST_LINKS // 2 : -_MOST_LINKS // 2] = [page.text(f"({hidden} more)", "dim")]
    return links


def _foot(page: Page, diff: Diff) -> None:
    page.line()
    if not diff.labels_shared:
        told = "A label such as token-1 means another thing on either side."
        page.prose(Text(), page.text(told, "dim"))
    made = f"regtrace {diff.tool.version}, rules {diff.tool.rules}"
    levels = dict.fromkeys((diff.good.shared_as, diff.bad.shared_as))
    page.prose(Text(), page.text(f"{made}; shared as: {', '.join(levels)}", "dim"))
    for name, side in (("good", diff.good), ("bad", diff.bad)):
        if side.canaries.planted:
            planted = f"{plural(side.canaries.planted, 'secret')} planted in a copy of the {name}"
            told = f"proof: {planted} side, {side.canaries.found} came out"
            page.prose(Text(), page.text(told, "dim"))
