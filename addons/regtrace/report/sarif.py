"""The report as SARIF 2.1.0 (OASIS), for the tools that collect findings of many others.

A finding has no line of source, so its place is logical: the operation, and the transfer in it. The
legs that prove it are a thread flow, and the first of them is the result's web request and answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from regtrace.diagnose.rules import CATALOGUE, LAST_RESORT
from regtrace.report.catalogue import placed
from regtrace.report.json import indented
from regtrace.report.model import SCHEMA, Finding, Leg, NotSeen, Report
from regtrace.report.visible import moment, visible
from regtrace.report.words import OWNERS, leg_name, operation_name, rival_lines, transfer_name

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_PAGE = re.compile(r"https?://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?(?:/|\Z)")
_LEVELS = {"error": "error", "warning": "warning", "note": "note"}
_RULES = {rule.number: rule for rule in (*CATALOGUE, LAST_RESORT)}


def render(report: Report) -> str:
    rules = {finding.rule: finding for finding in reversed(report.findings)}
    order = sorted(rules)
    run = {
        "tool": {
            "driver": {
                "name": "regtrace",
                "version": report.tool.version,
                "rules": [_rule(rules[number]) for number in order],
            }
        },
        "invocations": [
            {
                "executionSuccessful": report.capture.damaged is None,
                "toolExecutionNotifications": [_missed(entry) for entry in report.not_seen],
            }
        ],
        "artifacts": [{"location": _artifact(report), "roles": ["analysisTarget"]}],
        "results": [_result(report, finding, order) for finding in report.findings],
        "columnKind": "unicodeCodePoints",
        "properties": {
            "verdict": visible(report.verdict.sentence),
            "outcome": report.verdict.outcome,
            "rules": report.tool.rules,
            "sharedAs": report.redaction.level,
        },
    }
    head = {"properties": {"report": SCHEMA}, "$schema": _SCHEMA, "version": "2.1.0"}
    return indented({**head, "runs": [run]})


def _rule(finding: Finding) -> dict[str, Any]:
    """As the catalogue has it; of a rule that is not in it, as its finding says."""
    known = _RULES.get(finding.rule)
    said = known or finding
    fix = "\n".join(map(placed, said.fix))
    severity = known.severity.value if known else finding.severity
    rule = {
        "id": visible(finding.rule),
        "name": visible(finding.slug),
        "shortDescription": _message(placed(said.title)),
        "fullDescription": _message(placed(said.cause)),
        "help": _message(fix or placed(said.title)),
        "defaultConfiguration": {"level": _LEVELS.get(severity, "warning")},
        "properties": {"owner": known.owner.value if known else finding.owner},
    }
    page = next((url for url in said.references if _PAGE.match(url)), None)
    if page:
        rule["helpUri"] = quote(page, safe="/?#@!$&'()*+,;=%:")
    return rule


def _result(report: Report, finding: Finding, rules: Sequence[str]) -> dict[str, Any]:
    legs = [report.legs[id_] for id_ in dict.fromkeys(finding.legs) if id_ in report.legs]
    said = [
        f"{finding.title}.",
        finding.cause,
        f"Must act: {OWNERS.get(finding.owner, finding.owner)}.",
        *(f"{number}. {step}" for number, step in enumerate(finding.fix, 1)),
        *rival_lines(finding, report.findings),
    ]
    result = {
        "ruleId": visible(finding.rule),
        "ruleIndex": rules.index(finding.rule),
        "level": _LEVELS.get(finding.severity, "warning"),
        "message": _message("\n".join(said)),
        "locations": [_location(report, finding)],
        "occurrenceCount": finding.count,
        "properties": {
            "finding": finding.id,
            "confidence": finding.confidence,
            "owner": finding.owner,
            "explainedBy": finding.explained_by,
            "rivals": finding.rivals,
        },
    }
    if legs:
        steps = [_step(leg, finding) for leg in legs]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
        result["webRequest"] = {"method": visible(legs[0].method), "target": visible(legs[0].url)}
        result["webResponse"] = _answer(legs[0])
    if finding.suppressed:
        until, reason = finding.suppressed.until, finding.suppressed.reason
        justification = visible(f"until {until}: {reason}")
        result["suppressions"] = [{"kind": "external", "justification": justification}]
    return result


def _location(report: Report, finding: Finding) -> dict[str, Any]:
    place = {"artifactLocation": _artifact(report)}
    operation = next((op for op in report.operations if op.id == finding.operation), None)
    if operation is None:
        return {"physicalLocation": place}
    name = operation_name(operation)
    logical = {"name": visible(name), "fullyQualifiedName": operation.id, "kind": "operation"}
    for transfer in operation.transfers:
        if transfer.id == finding.transfer:
            logical = {
                "name": visible(f"{transfer_name(transfer)} of {name}"),
                "fullyQualifiedName": transfer.id,
                "kind": "transfer",
            }
    return {"physicalLocation": place, "logicalLocations": [logical]}


def _step(leg: Leg, finding: Finding) -> dict[str, Any]:
    seen = [f"{row.place} = {row.value} ({row.why})" for row in finding.evidence]
    proof = [line for line, row in zip(seen, finding.evidence, strict=True) if row.leg == leg.id]
    logical = {"name": leg.id, "fullyQualifiedName": visible(leg.url), "kind": leg.kind}
    return {
        "executionTimeUtc": moment(leg.started),
        "location": {
            "message": _message("\n".join([leg_name(leg), *proof])),
            "logicalLocations": [logical],
        },
    }


def _answer(leg: Leg) -> dict[str, Any]:
    return {"noResponseReceived": True} if leg.status is None else {"statusCode": leg.status}


def _missed(entry: NotSeen) -> dict[str, Any]:
    return {
        "level": "note",
        "message": _message(f"not seen: {entry.what}: {entry.why}; {entry.effect}"),
    }


def _artifact(report: Report) -> dict[str, str]:
    return {"uri": quote(report.capture.name)}


def _message(text: str) -> dict[str, str]:
    """Single braces would be placeholders, and ``[x](y)`` a link (3.11.5, 3.11.6)."""
    shown = visible(text, keep="\n").replace("{", "{{").replace("}", "}}")
    return {"text": shown.replace("](", "] (")}
