"""The words of a comparison, for all its renderers. Nothing here is drawn, or made harmless."""

from __future__ import annotations

from regtrace.report.compare.model import Diff, Difference, Row, Side
from regtrace.report.visible import ELLIPSIS
from regtrace.report.words import plural, subject

OUTCOMES = {"differs": "DIFFERS", "alike": "ALIKE"}
"""The verdict in one word that needs no colour."""

_NOTHING = "none"

_LONGEST = 200
"""Characters of a value within a sentence."""


def sentence(diff: Diff) -> str:
    """The verdict, in a sentence or two."""
    said = _sentence(diff)
    if diff.good.outcome != "ok":
        said += f" The good one did not go well either: it is {diff.good.outcome}."
    return said


def _sentence(diff: Diff) -> str:
    bad = named(diff.bad)
    first = next((row for row in diff.rows if row.id == diff.first), None)
    if first is not None:
        found = next(one for one in first.differences if one.matters)
        half = first.bad or first.good
        where = (
            f"{half.name} of {first.part}"
            if half and first.part != "session"
            else (half.name if half else "")
        )
        return f"The {bad} first differs from the good one at {where}: {phrase(found)}."
    if diff.verdict.outcome == "differs":
        told = "; ".join(phrase(one) for one in diff.overall if one.matters)
        return f"The {bad} differs from the good one: {told}. No single leg explains it."
    minor = sum(bool(row.differences) for row in diff.rows)
    alike = f"Nothing that matters differs between the {bad} and the good one"
    if minor:
        usual = "what changes from run to run"
        return f"{alike}; {minor} of {plural(len(diff.rows), 'leg')} differ in {usual}."
    return f"{alike}: {plural(len(diff.rows), 'leg')}, pair by pair."


def named(side: Side) -> str:
    """``push of team/app:1 at registry.test:5050``."""
    what = subject(side)
    words = [
        side.kind,
        f"of {what}" if what else "",
        f"at {side.registry}" if side.registry else "",
    ]
    return " ".join(word for word in words if word)


def label(difference: Difference) -> str:
    """``token audience``, ``request headers``."""
    names = {
        "claims": f"token {difference.field}",
        "scope": f"scope {difference.field}",
        "challenge": "challenge",
        "headers": f"{difference.field} headers",
        "redirect": "location",
        "signature": f"signature {difference.field}",
        "answerer": "answered by",
        "credentials": "credentials",
        "error": "error code" if difference.field == "code" else "error",
        "slower": "time",
        "manifest": difference.field,
        "context": difference.field,
    }
    return names.get(difference.what, difference.what).strip()


def phrase(difference: Difference) -> str:
    """What is other, in one clause."""
    good, bad = _cut(difference.good or _NOTHING), _cut(difference.bad or _NOTHING)
    if difference.what == "missing":
        return f"{good} of the good one is missing"
    if difference.what == "additional":
        return f"{bad} has no like in the good one"
    if difference.what == "slower":
        return f"took {bad} instead of {good}"
    if difference.what == "headers":
        parts = [f"lacks {good}" if difference.good else ""]
        parts += [f"has {bad} besides" if difference.bad else ""]
        return f"the {difference.field} {' and '.join(part for part in parts if part)}"
    return f"{label(difference)} {bad} instead of {good}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + ELLIPSIS


def sign(row: Row) -> str:
    """``=`` alike, ``~`` differs in what changes from run to run, ``!!`` diverges."""
    if row.matters:
        return "!!"
    return "~" if row.differences else "="
