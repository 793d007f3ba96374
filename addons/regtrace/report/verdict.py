"""The verdict: one or two sentences about all that happened."""

from __future__ import annotations

from collections.abc import Sequence

from regtrace.diagnose.rule import Severity
from regtrace.follow.life import Ending
from regtrace.report import model
from regtrace.report.words import OWNERS, rivals_of

_NOTHING_SEEN = (
    "No registry traffic was seen. Either none passed through this proxy, or the capture holds"
    " something else."
)
_COMMON_WORDS = frozenset("A An At It Large No Only Part The This Uploads What".split())


def verdict(
    operations: Sequence[model.Operation], findings: Sequence[model.Finding]
) -> model.Verdict:
    if not operations:
        return model.Verdict("nothing-seen", _NOTHING_SEEN)
    failed = [operation for operation in operations if operation.outcome == Ending.FAILED.value]
    if failed:
        sentence = _failure(failed[0], findings)
        if len(failed) > 1:
            sentence += f" {len(failed)} of {len(operations)} operations failed."
        return model.Verdict("failed", sentence)
    unfinished = [o for o in operations if o.outcome == Ending.INCOMPLETE.value]
    if unfinished:
        said = f"The {_named(unfinished[0])} did not end in this capture"
        said += "; see what is said of it below." if findings else "; nothing in it failed."
        return model.Verdict("incomplete", said)
    first = _named(operations[0])
    said = f"The {first} succeeded." if len(operations) == 1 else "Every operation succeeded."
    warnings = sum(finding.severity == Severity.WARNING.value for finding in findings)
    if warnings:
        said += f" {warnings} warning{'s' if warnings > 1 else ''}."
    return model.Verdict("ok", said)


def _failure(operation: model.Operation, findings: Sequence[model.Finding]) -> str:
    root = next(
        (f for f in findings if f.id in operation.root_findings and f.severity == "error"), None
    )
    if root is None:
        return f"The {_named(operation)} failed."
    sure = {"certain": "", "likely": "most likely ", "possible": "possibly "}[root.confidence]
    said = f"The {_named(operation)} failed, {sure}because {_within_a_sentence(root.title)}."
    for rival in rivals_of(root, findings)[:1]:
        said += f" Or {_within_a_sentence(rival.title)}."
    if operation.accepted and root.suppressed:
        return f"{said} Accepted until {root.suppressed.until}: {root.suppressed.reason}"
    return f"{said} Who must act: {OWNERS[root.owner]}."


def _within_a_sentence(title: str) -> str:
    """The title without the capital that begins it; names keep theirs."""
    first = title.partition(" ")[0]
    return title[0].lower() + title[1:] if first in _COMMON_WORDS else title


def _named(operation: model.Operation) -> str:
    what = operation.repository or ""
    if operation.repository and operation.reference:
        glue = "@" if ":" in operation.reference else ":"
        what = f"{operation.repository}{glue}{operation.reference}"
    kind = "request" if operation.kind == "other" else operation.kind
    words = [
        kind,
        f"of {what}" if what else "",
        f"at {operation.registry}" if operation.registry else "",
    ]
    return " ".join(word for word in words if word)
