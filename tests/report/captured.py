"""The report on each saved capture, made once for all tests, without the proof."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from regtrace.cli.reading import Reading, told_of
from regtrace.proxy.site import Site
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.draft import Draft
from regtrace.report.model import Canaries, Report

CAPTURES = Path(__file__).parents[2] / "captures"
NAMES = sorted(path.stem for path in CAPTURES.glob("*.mitm"))


@cache
def report_on(name: str) -> Report:
    draft = Draft()
    reading = Reading(str(CAPTURES / f"{name}.mitm"), Site(), draft)
    redactor = Redactor(Level.VENDOR, draft.holdings)
    return told_of([reading], draft, redactor, Canaries(5, 0))
