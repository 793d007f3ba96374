"""The forms of a comparison, and the proof that secrets planted in a copy of it do not come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level
from regtrace.report.compare import html, json
from regtrace.report.compare import text as as_text
from regtrace.report.compare.compare import compare
from regtrace.report.compare.model import Diff
from regtrace.report.model import Canaries, Report
from regtrace.report.output import passed
from regtrace.report.proof import Planted, proven
from regtrace.wire.exchange import Exchange

FORMATS: dict[str, Callable[[Diff], str]] = {
    "text": lambda diff: as_text.render(diff, color=False),
    "json": json.render,
    "html": html.render,
}
ENDINGS = {".json": "json", ".txt": "text", ".log": "text", ".html": "html"}


def rendered(diff: Diff, form: str, gate: Gate) -> str:
    """The comparison in this format, after the gate has seen it. Raises Leaking."""
    whole = json.render(diff)  # text is wrapped, which may tear a value apart
    passed(whole, gate)
    if form == "json":
        return whole
    output = FORMATS[form](diff)
    passed(output, gate)
    return output


def prove(exchanges: Iterable[Exchange], level: Level, formats: Sequence[str]) -> Canaries:
    """How many secrets were planted in a copy of one side; none came out of any of these formats,
    whichever side it is, or Leaking is raised."""
    copy = Planted(exchanges, level)
    if not copy.report.operations:
        return Canaries(0, 0)
    return proven(copy.canaries, copy.found_in(_drawn(copy.report, formats)))


def _drawn(report: Report, formats: Sequence[str]) -> Iterator[str]:
    """Each operation of the copy beside one that has nothing in common with it, and itself."""
    for operation in report.operations:
        for other in (report.operations[0], report.operations[-1]):
            for pair in ((operation.id, other.id), (other.id, operation.id)):
                diff = compare(report, report, good_id=pair[0], bad_id=pair[1])
                yield from (FORMATS[form](diff) for form in formats)
