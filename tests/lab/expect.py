"""Does a report say what a scenario expects, and do two reports tell the same story?

`expect` is the block of that name in a scenario and in a capture's sidecar:

    verdict: ok | failed | incomplete
    operations: [{kind, repository, reference, outcome}]           exactly these, in any order
    findings: [{slug, owner, severity, confidence, root: bool}]    exactly these of severity error
    warnings: [the same]                                           exactly these of severity warning

An operation may also say `transfers: {outcome: how many}`: exactly these blobs and manifests. A
finding may also say `legs: [kinds]`: exactly these, in order.

A finding that is not expected is a problem like one that is missing: a false alarm is worse than
silence. Notes (severity note) are free. A report is what interface.md calls report.json.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

_OPERATION = ("kind", "repository", "reference", "outcome")
_FINDING = ("slug", "owner", "severity", "confidence", "root")


def check_report(report: dict[str, Any], expect: dict[str, Any]) -> list[str]:
    """What the report says otherwise than expected, in sentences; empty when all is well."""
    problems = []
    verdict = report["verdict"]["outcome"]
    if verdict != expect["verdict"]:
        problems.append(f"the verdict is {verdict}, not {expect['verdict']}")
    problems += _check_operations(report["operations"], expect["operations"])
    findings = [_with_root(finding) for finding in report["findings"]]
    problems += _compare("error", findings, expect["findings"])
    problems += _compare("warning", findings, expect["warnings"])
    kinds = {leg["id"]: leg["kind"] for leg in report["legs"]}
    said = {_pick(each, _FINDING): [kinds[leg] for leg in each["legs"]] for each in findings}
    for wanted in (*expect["findings"], *expect["warnings"]):
        finding = _pick(wanted, _FINDING)
        legs = said.get(finding)
        if legs is not None and legs != wanted.get("legs", legs):
            problems.append(f"finding {_show(finding)} names {legs}, not {wanted['legs']}")
    return problems


def check_same(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What two reports on the same traffic tell differently, in sentences.

    Times, sizes and ids may differ: a live report has seen more than a replay. Findings,
    operations and the fate of their transfers may not.
    """
    problems = _difference("finding", _findings(one), _findings(other))
    return problems + _difference("operation", _operations(one), _operations(other))


def _check_operations(
    operations: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> list[str]:
    said, wanted = sorted(operations, key=_identity), sorted(expected, key=_identity)
    names = [_pick(each, _OPERATION) for each in said]
    wanted_names = [_pick(each, _OPERATION) for each in wanted]
    if names != wanted_names:
        return [f"the operations are {names}, not {wanted_names}"]
    return [
        f"the transfers of {name} are {outcomes}, not {expectation['transfers']}"
        for name, operation, expectation in zip(names, said, wanted, strict=True)
        if (outcomes := _outcomes(operation)) != expectation.get("transfers", outcomes)
    ]


def _outcomes(operation: dict[str, Any]) -> dict[str, int]:
    return dict(Counter(transfer["outcome"] for transfer in operation["transfers"]))


def _identity(operation: dict[str, Any]) -> str:
    return repr(_pick(operation, _OPERATION))


def _compare(
    severity: str, findings: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> list[str]:
    said = Counter(_pick(each, _FINDING) for each in findings if each["severity"] == severity)
    wanted = Counter(_pick(each, _FINDING) for each in expected)
    return [f"no finding {_show(each)}" for each in (wanted - said).elements()] + [
        f"finding {_show(each)} is not expected" for each in (said - wanted).elements()
    ]


def _findings(report: dict[str, Any]) -> Counter[tuple[Any, ...]]:
    kinds = {leg["id"]: leg["kind"] for leg in report["legs"]}
    return Counter(
        (
            *_pick(finding, ("slug", "owner", "severity", "confidence", "count")),
            tuple(sorted(kinds[leg] for leg in finding["legs"])),
        )
        for finding in report["findings"]
    )


def _operations(report: dict[str, Any]) -> Counter[tuple[Any, ...]]:
    return Counter(
        (
            *_pick(operation, _OPERATION),
            tuple(sorted((each["kind"], each["outcome"]) for each in operation["transfers"])),
        )
        for operation in report["operations"]
    )


def _difference(
    what: str, one: Counter[tuple[Any, ...]], other: Counter[tuple[Any, ...]]
) -> list[str]:
    return [f"only the first report has {what} {each}" for each in (one - other).elements()] + [
        f"only the second report has {what} {each}" for each in (other - one).elements()
    ]


def _with_root(finding: dict[str, Any]) -> dict[str, Any]:
    return {**finding, "root": finding["explained_by"] is None}


def _pick(thing: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(thing[name] for name in names)


def _show(finding: tuple[Any, ...]) -> str:
    slug, owner, severity, confidence, root = finding
    return f"{slug} ({owner}, {severity}, {confidence}, {'root' if root else 'explained'})"
