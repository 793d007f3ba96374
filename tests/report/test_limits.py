"""A capture of ten thousand legs in every form: within the limits of those who take it, and a text
that stays a page."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from rich.cells import cell_len
from sample_reports import START, blob, failing_push, finding, good_push, leg

from regtrace.report import github, html, jsonlines, junit, markdown, sarif
from regtrace.report.model import Leg, Operation, Report, Transfer
from regtrace.report.text import render as as_text

LEGS = 10_000
A_PUSH = 20
"""Legs of one push."""


@cache
def long_report() -> Report:
    """Five hundred pushes of ten layers each; every fifth failed, of a fault of its own."""
    (fine,), (broken,) = good_push().operations, failing_push().operations
    legs: dict[str, Leg] = {}
    operations: list[Operation] = []
    findings = []
    for number in range(LEGS // A_PUSH):
        name, failed = f"push-{number}", number % 5 == 0
        ids = [f"m{number}-{step}" for step in range(A_PUSH)]
        transfers: list[Transfer] = []
        for place in range(0, A_PUSH, 2):
            transfer = replace(blob(place, ids[place : place + 2]), id=f"{name}.{place}")
            last = failed and place == A_PUSH - 2
            transfers.append(replace(transfer, outcome="failed" if last else "uploaded"))
        for step, id_ in enumerate(ids):
            status = 403 if failed and step == A_PUSH - 1 else 202
            of = leg(step, "upload-chunk", "PATCH", status, operation=name)
            legs[id_] = replace(
                of, id=id_, transfer=f"{name}.{step // 2 * 2}", started=START + number
            )
        like = broken if failed else fine
        roots = (f"f{number}",) if failed else ()
        operations.append(
            replace(
                like,
                id=name,
                repository=f"team/app-{number}",
                transfers=tuple(transfers),
                legs=tuple(ids),
                root_findings=roots,
            )
        )
        if failed:
            cause = f"Cause {number}. " + "It is a long story. " * 30
            findings.append(
                finding(id=roots[0], operation=name, cause=cause, legs=(ids[-1],), evidence=())
            )
    return replace(good_push(), operations=tuple(operations), legs=legs, findings=tuple(findings))


def test_a_ticket_takes_it() -> None:
    page = markdown.render(long_report())
    assert len(page) < 65_536  # GitHub counts characters
    assert len(page.encode()) < 64_000
    assert "the rest is in the whole report" in page


def test_a_step_summary_takes_it() -> None:
    page = markdown.render(long_report(), markdown.SUMMARY)
    assert 100_000 < len(page.encode()) < 1024 * 1024


def test_a_step_takes_its_annotations() -> None:
    lines = github.render(long_report()).splitlines()
    kinds = Counter(line.split(" ", 1)[0] for line in lines)
    assert kinds == {"::error": 10}
    assert "91 findings more of this kind" in lines[-1]


def test_a_browser_takes_it() -> None:
    assert len(html.render(long_report()).encode()) < 2 * 1024 * 1024


def test_nothing_is_left_out_where_programs_read() -> None:
    report = long_report()
    assert jsonlines.render(report).count("\n") == LEGS + len(report.findings)
    assert junit.render(report).count("<testcase ") == sum(
        1 + len(one.transfers) for one in report.operations
    )
    assert sarif.render(report).count('"ruleId"') == len(report.findings)


@pytest.mark.parametrize("good", [100, 500])
def test_many_operations_stay_a_page(good: int) -> None:
    """Each that went well is one line of 80 columns; only the failed one is told in full."""
    (fine,), (broken,) = good_push().operations, failing_push().operations
    many = [replace(fine, id=f"p{n}", repository=f"team/app-{n}") for n in range(good)]
    report = replace(failing_push(), operations=(*many, broken))
    lines = as_text(report, width=80, color=False).splitlines()
    brief = [line for line in lines if line.startswith("push team/app-")]
    assert len(brief) == good
    assert all("ok in 12.3 s" in line for line in brief)
    assert len(lines) - good < 60
    assert all(cell_len(line) <= 80 for line in lines if not line.startswith("    curl "))
    assert lines.index("  session  GET 401 → token 200") < lines.index(brief[0])


def test_of_very_many_operations_none_takes_two_lines_for_a_long_name() -> None:
    (fine,) = good_push().operations
    long = "registry.of.a.company.with.a.long.name.example:5050"
    many = [
        replace(fine, id=f"p{n}", registry=long, repository=f"platform/services/billing-{n}")
        for n in range(100)
    ]
    lines = as_text(
        replace(good_push(), operations=tuple(many)), width=80, color=False
    ).splitlines()
    assert sum("billing-" in line for line in lines) == 100
    assert len(lines) <= 110
    assert all(cell_len(line) <= 80 for line in lines)
