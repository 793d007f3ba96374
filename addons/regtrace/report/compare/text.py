"""A comparison as text: the first divergence on top, then leg by leg what was alike and what not.

Nothing depends on colour: each line begins with a sign.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from regtrace.report.compare.model import Cause, Diff, Difference, Half, Row, Side
from regtrace.report.compare.parts import Group, parts_of
from regtrace.report.compare.words import OUTCOMES, label, phrase
from regtrace.report.page import Page, drawn
from regtrace.report.visible import duration
from regtrace.report.words import OWNERS, client_name, operation_name, plural

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
    page.line(Text("first divergence  ", "bold"), page.text(row.part, limit=40))
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
    parts, rest = parts_of(rows)
    if not parts:
        return
    page.line()
    page.line(Text("leg by leg", "bold"))
    page.prose(Text("  "), page.text(_LEGEND, "dim"))
    for part in parts:
        page.line(page.text(f"  {part.name}", limit=48))
        for group in part.groups:
            _group(page, group)
        if part.legs_left_out:
            more = f"{plural(part.legs_left_out, 'leg')} more, {part.left_out_that_diverge} diverge"
            page.line(page.text(f"       ({more})", "dim"))
    if rest.parts:
        more = f"and {plural(rest.parts, 'transfer')} more, {plural(rest.legs, 'leg')}"
        page.prose(Text("  "), page.text(f"{more}, {rest.diverging} of them diverge"))


def _group(page: Page, group: Group) -> None:
    style = _STYLES.get(group.mark, "")
    links = [page.text(name, style, limit=60) for name in group.bad or group.good]
    hidden = len(links) - _MOST_LINKS
    if hidden > 1:
        links[_MOST_LINKS // 2 : -_MOST_LINKS // 2] = [page.text(f"({hidden} more)", "dim")]
    page.chain(page.text(f"    {group.mark:<3}", style), links)
    if group.told:
        page.prose(Text("         "), page.text(group.told, limit=400))


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
