"""Two causes that would explain the same failed leg: every form that people read names the other
one, and what would tell them apart."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from sample_reports import failing_push, finding

from regtrace.redact.gate import Gate
from regtrace.report import jsonlines, junit, sarif
from regtrace.report.model import Report
from regtrace.report.output import FORMATS, rendered
from regtrace.report.verdict import verdict

APART = "curl -v https://proxy.test/v2/"
THERE = "A proxy refused it"


def rivals() -> Report:
    report = failing_push()
    (operation,) = report.operations
    first = finding(rivals=("f2",))
    other = finding(
        id="f2", rule="RT311", slug="proxy-403", title=THERE, check=(APART, "more"), rivals=("f1",)
    )
    operation = replace(operation, root_findings=("f1", "f2"))
    return replace(report, operations=(operation,), findings=(first, other))


@pytest.mark.parametrize("form", ["text", "markdown", "html", "github", "junit", "har", "sarif"])
def test_every_form_names_the_other_cause_and_what_tells_them_apart(form: str) -> None:
    words = " ".join(rendered(rivals(), form, Gate()).replace("%0A", "\n").split())
    assert THERE in words
    assert "Tell them apart with:" in words
    behind = words.partition("Tell them apart with:")[2]
    assert APART.split("://")[-1] in behind


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_rival_that_is_gone_is_no_harm(form: str) -> None:
    report = replace(rivals(), findings=(finding(rivals=("gone",)),))
    assert "Tell them apart" not in FORMATS[form](report)


def test_programs_find_the_rivals_by_their_ids() -> None:
    rows = [json.loads(line) for line in jsonlines.render(rivals()).splitlines()]
    assert [row["rivals"] for row in rows if row["row"] == "finding"] == ["f2", "f1"]
    (run,) = json.loads(sarif.render(rivals()))["runs"]
    assert [result["properties"]["rivals"] for result in run["results"]] == [["f2"], ["f1"]]


def test_the_failed_case_tells_both() -> None:
    root: Element = fromstring(junit.render(rivals()))
    (failure,) = root.findall("testsuite/testcase/failure")
    said = failure.text or ""
    assert said.index("RT401 storage-403-on-head") < said.index(f"Or: {THERE}.")
    assert said.index("RT311 proxy-403") < said.index("Or: The storage refused the check")


def test_the_verdict_says_that_there_are_two() -> None:
    report = rivals()
    said = verdict(report.operations, report.findings).sentence
    assert "most likely because the storage refused the check of a layer" in said
    assert f" Or {THERE[0].lower()}{THERE[1:]}." in said
