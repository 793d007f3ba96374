"""The report as JUnit XML: a suite for each operation, a case for each of its transfers.

Valid by the schema that most readers share (windyroad/JUnit-Schema, JUnit.xsd), which asks for more
than any of them. What is outside of the transfers, such as the login, is the case ``session``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as Xml  # only written, never read

from regtrace.report.model import SCHEMA, Finding, Operation, Report
from regtrace.report.visible import moment, seconds_between, visible
from regtrace.report.words import (
    OWNERS,
    client_name,
    operation_name,
    rival_lines,
    steps,
    transfer_name,
)

_LONGEST = 2000
"""Characters of one string."""


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    legs: tuple[str, ...]
    outcome: str
    seconds: float
    findings: Sequence[Finding] = ()
    """What it failed by; of two that would explain it as well, both."""


def render(report: Report) -> str:
    suites = Xml.Element("testsuites")
    errors: dict[str | None, list[Finding]] = {}
    for finding in report.findings:
        if finding.severity == "error":
            errors.setdefault(finding.operation, []).append(finding)
    for number, operation in enumerate(report.operations):
        suites.append(_suite(report, operation, errors.get(operation.id, []), number))
    Xml.indent(suites)
    page = Xml.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {SCHEMA} -->\n{page}\n'


def _suite(
    report: Report, operation: Operation, errors: Iterable[Finding], number: int
) -> Xml.Element:
    roots = [finding for finding in errors if finding.id in operation.root_findings]
    cases = list(_cases(report, operation, roots))
    name = _text(operation_name(operation))
    made = [_case(case, name, accepted=operation.accepted) for case in cases]
    suite = Xml.Element(
        "testsuite",
        {
            "id": str(number),
            "package": "regtrace",
            "name": name,
            "timestamp": moment(operation.started)[:19],
            "hostname": "localhost",
            "tests": str(len(made)),
            "failures": str(sum(case.find("failure") is not None for case in made)),
            "errors": "0",
            "skipped": str(sum(case.find("skipped") is not None for case in made)),
            "time": _decimal(seconds_between(operation.started, operation.ended)),
        },
    )
    properties = Xml.SubElement(suite, "properties")
    for key, value in (("client", client_name(operation)), ("operation", operation.id)):
        Xml.SubElement(properties, "property", {"name": key, "value": _text(value)})
    suite.extend(made)
    strips = (f"{case.name}: {_strip(report, case.legs)}" for case in cases)
    Xml.SubElement(suite, "system-out").text = "\n".join(map(_text, strips))
    Xml.SubElement(suite, "system-err").text = ""
    return suite


def _cases(report: Report, operation: Operation, errors: Sequence[Finding]) -> Iterator[_Case]:
    within = {leg for transfer in operation.transfers for leg in transfer.legs}
    outside = tuple(leg for leg in operation.legs if leg not in within)
    told = {transfer.outcome for transfer in operation.transfers}
    taken = sum(
        seconds_between(leg.started, leg.ended)
        for leg in (report.legs[id_] for id_ in outside if id_ in report.legs)
    )
    # What the operation came to, unless a transfer says it.
    outcome = "ok" if operation.outcome in told else operation.outcome
    yield _Case("session", outside, outcome, taken, errors)
    for transfer in operation.transfers:
        named = [f for f in errors if f.transfer == transfer.id]
        shared = [f for f in errors if not set(transfer.legs).isdisjoint(f.legs)]
        name = f"{transfer_name(transfer)} ({transfer.id})"
        took = seconds_between(0, transfer.seconds)
        yield _Case(name, transfer.legs, transfer.outcome, took, named or shared or errors)


def _case(case: _Case, suite: str, *, accepted: bool) -> Xml.Element:
    name = {"name": _text(case.name), "classname": suite, "time": _decimal(case.seconds)}
    made = Xml.Element("testcase", name)
    if case.outcome == "incomplete":
        Xml.SubElement(made, "skipped", {"message": "it did not end in this capture"})
    elif case.outcome == "failed" and accepted:
        said = next((f.suppressed for f in case.findings if f.suppressed), None)
        reason = f"accepted until {said.until}: {said.reason}" if said else "accepted"
        Xml.SubElement(made, "skipped", {"message": _text(reason)})
    elif case.outcome == "failed":
        first = next(iter(case.findings), None)
        failure = Xml.SubElement(
            made,
            "failure",
            {
                "message": _text(first.title if first else "it failed"),
                "type": _text(f"{first.rule} {first.slug}" if first else "failed"),
            },
        )
        told = (_story(finding, case.findings) for finding in case.findings)
        failure.text = _text("\n\n".join(told), 5 * _LONGEST)
    return made


def _story(finding: Finding, findings: Sequence[Finding]) -> str:
    steps = (f"{number}. {step}" for number, step in enumerate(finding.fix, 1))
    parts = (
        f"{finding.rule} {finding.slug} ({finding.confidence}): {finding.title}",
        finding.cause,
        f"Must act: {OWNERS.get(finding.owner, finding.owner)}",
        *steps,
        *finding.check,
        *rival_lines(finding, findings),
    )
    return "\n".join(parts)


def _strip(report: Report, legs: Iterable[str]) -> str:
    known = (report.legs[leg] for leg in legs if leg in report.legs)
    return " → ".join(step.label for step in steps(known, frozenset()))


def _text(text: str, limit: int = _LONGEST) -> str:
    """With nothing in it that XML forbids: no control characters, surrogates or nonchar."""
    return visible(text, keep="\n", limit=limit)


def _decimal(seconds: float) -> str:
    return f"{seconds:.3f}"
