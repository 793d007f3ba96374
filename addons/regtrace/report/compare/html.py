"""A comparison as a page for a browser, of the same family as that of a report."""

from __future__ import annotations

from regtrace.report.compare.model import SCHEMA, Diff, Difference, Side
from regtrace.report.compare.parts import parts_of
from regtrace.report.compare.words import OUTCOMES, label, phrase
from regtrace.report.html.page import draw
from regtrace.report.visible import duration
from regtrace.report.words import OWNERS, client_name, operation_name, plural


def render(diff: Diff) -> str:
    """The page. Its beginning tells that regtrace wrote it, see ``output``."""
    parts, rest = parts_of(diff.rows)
    first = next((row for row in diff.rows if row.id == diff.first), None)
    found = first.differences if first else ()
    return str(
        draw(
            "diff.html",
            SCHEMA=SCHEMA,
            diff=diff,
            word=OUTCOMES[diff.verdict.outcome],
            state="failed" if diff.verdict.outcome == "differs" else "ok",
            sides=[("Good", _side(diff.good)), ("Bad", _side(diff.bad))],
            first=first,
            found=[_shown(one) for one in found if one.what not in {"missing", "additional"}],
            overall=[(one.matters, phrase(one)) for one in diff.overall],
            owners=OWNERS,
            parts=parts,
            rest=rest,
            seconds=duration,
        )
    )


def _side(side: Side) -> dict[str, str]:
    joint = "in" if side.outcome == "ok" else "after"
    took = "" if side.seconds is None else f" {joint} {duration(side.seconds)}"
    more = f"; {plural(side.others, 'operation')} more there" if side.others else ""
    return {
        "name": operation_name(side),
        "client": client_name(side),
        "ended": f"{side.outcome}{took}, {plural(side.legs, 'leg')}",
        "where": f"{side.operation} of {side.capture}{more}",
    }


def _shown(difference: Difference) -> dict[str, object]:
    """Of header fields, those that only one side has are told in words."""
    headers = difference.what == "headers"
    return {
        "matters": difference.matters,
        "label": label(difference),
        "good": difference.good or ("" if headers else "none"),
        "bad": difference.bad or ("" if headers else "none"),
        "only": headers,
    }
