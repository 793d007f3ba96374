"""A JSON report reads back as what it was; anything else is told with its place."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from sample_reports import failing_push, finding, good_push, hostile
from test_json import DECIDED_BY_US

from regtrace.report import reading
from regtrace.report.json import render
from regtrace.report.model import Damage, Report, Suppression
from regtrace.report.reading import Misread, read_report

SCHEMA = json.loads((files("regtrace.report") / "report-1.json").read_text("utf-8"))


def everything() -> Report:
    report = failing_push()
    said = Suppression("known", "2026-12-31")
    return replace(
        report,
        capture=replace(report.capture, damaged=Damage(7, "cut"), first=None),
        findings=(finding(suppressed=said, rivals=("f2",)), finding(id="f2", rivals=("f1",))),
    )


REPORTS = [
    pytest.param(failing_push(), id="failing"),
    pytest.param(good_push(), id="good"),
    pytest.param(everything(), id="everything"),
    pytest.param(
        hostile(failing_push(), spare=(*DECIDED_BY_US, "legs", "id", "labels")), id="hostile"
    ),
]


@pytest.mark.parametrize("report", REPORTS)
def test_it_reads_back_equal(report: Report) -> None:
    text = render(report)
    read = read_report(text)
    assert read == report
    assert render(read) == text


def test_what_came_later_may_be_missing_and_what_is_unknown_is_left_out() -> None:
    document = json.loads(render(failing_push()))
    for row in document["findings"]:
        del row["rivals"], row["suppressed"]
        row["colour"] = "red"
    del document["operations"][0]["accepted"]
    document["weather"] = {"fine": True}
    assert read_report(json.dumps(document)) == failing_push()


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("verdict.outcome", "fine", "verdict.outcome: must be one of ok, failed"),
        ("legs.2.status", "200", "legs[2].status: must be of type integer or null"),
        ("legs.2.status", True, "legs[2].status: must be of type integer or null"),
        ("legs.2.status", 1000, "legs[2].status: must be from 0 to 999"),
        ("legs.2.id", "l1", "legs: two of them have the same id"),
        ("legs", {}, "legs: must be of type array"),
        ("operations.0.transfers.0.digest", "sha256:x\n", "transfers[0].digest: must look like"),
        ("findings.0.title", "", "findings[0].title: must not be empty"),
        ("findings.0.legs.0", None, "findings[0].legs[0]: must be of type string"),
        ("findings.0.suppressed", {"reason": "x"}, "findings[0].suppressed.until: is missing"),
        ("redaction.labels.token", -1, "redaction.labels.token: must be from 0"),
        ("redaction.canaries.found", 1, "redaction.canaries.found: must be 0"),
        ("redaction.canaries.found", False, "redaction.canaries.found: must be of type integer"),
        ("capture", None, "capture: must be of type object"),
        ("tool.version", "\ud800", "tool.version: holds half of a character"),
        ("capture.first", 10**400, "capture.first: is too large a number"),
        (
            "legs.0.decoded.x\x1b",
            {"y" * 101: 1},
            "legs[0].decoded.x\\x1b: has a field with too long",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(path: str, value: Any, said: str) -> None:
    document = json.loads(render(failing_push()))
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = document
    for step in steps:
        place = place[step]
    place[last] = value
    with pytest.raises(Misread) as wrong:
        read_report(json.dumps(document))
    assert said in str(wrong.value)
    assert str(wrong.value).isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON that can be read in line 1"),
        ("[" * 100_000, "is no JSON"),
        ("9" * 5000, "is no JSON"),
        ('{"schema": NaN}', "is no JSON"),
        ("[]", "is no report of regtrace"),
        ('{"schema": ["regtrace/report/1"]}', "is no report of regtrace"),
        ('{"schema": "other/1"}', "is no report of regtrace"),
        ('{"schema": "regtrace/report/2\\u001b"}', r"has the schema regtrace/report/2\x1b; this"),
        ('{"schema": "regtrace/report/1"}', "tool: is missing"),
        (render(failing_push()).replace('"tool": {', '"tool": {"x": 1e999, '), "too large"),
        (
            render(failing_push()).replace('"vendor": "s3"', '"x":' + "[" * 60 + "]" * 60),
            "nested too deeply",
        ),
    ],
)
def test_what_is_no_report(text: str, said: str) -> None:
    with pytest.raises(Misread) as wrong:
        read_report(text)
    assert said in str(wrong.value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(st.data())
def test_it_agrees_with_a_validator(data: st.DataObject) -> None:
    """Whatever is put in the place of any value: what this reads, the schema accepts."""
    document = json.loads(render(everything()))
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    try:
        read_report(json.dumps(document))
    except Misread:
        return
    assert Draft202012Validator(SCHEMA).is_valid(document)


def test_every_rule_of_the_schema_has_words_and_is_read_alike_by_every_draft() -> None:
    """Draft 7, which the validator knows, ignores what stands beside a reference; 2020-12 does not.

    And what may be one of several is something or null: else no one place would be wrong."""
    said = {"description", "$schema", "$id", "title", "$defs"}
    structure = {"$ref", "anyOf", "required", "properties", "items", "additionalProperties"}
    schemas = [SCHEMA, *SCHEMA["$defs"].values()]
    while schemas:
        schema = schemas.pop()
        assert set(schema) <= said | structure | set(reading._RULES)
        if "$ref" in schema:
            assert set(schema) <= {"$ref", "description"}
        if "anyOf" in schema:
            assert schema["anyOf"][1:] == [{"type": "null"}]
        below = [*schema.get("properties", {}).values(), schema.get("items")]
        below += [schema.get("additionalProperties"), *schema.get("anyOf", ())]
        schemas += [one for one in below if isinstance(one, dict)]


@pytest.mark.parametrize("key", ["{x}", "%s", "data", "a.b", "a[0]", "'", '"', "\n", "}{"])
def test_hostile_names_of_fields_do_nothing(key: str) -> None:
    document = json.loads(render(failing_push()))
    document["redaction"]["labels"][key] = -1
    with pytest.raises(Misread, match=r"redaction\.labels") as wrong:
        read_report(json.dumps(document))
    assert str(wrong.value).isprintable()


def test_a_long_report_is_read_in_the_time_that_its_json_takes() -> None:
    """Held against the schema in no more time than it takes to make the model of it."""
    report = failing_push()
    first = report.legs["l1"]
    legs = {f"m{number}": replace(first, id=f"m{number}") for number in range(10_000)}
    text = render(replace(report, legs=legs))
    begun = time.process_time()
    document = json.loads(text)
    parsed = time.process_time() - begun
    reading._check(document)
    checked = time.process_time() - begun - parsed
    assert len(read_report(text).legs) == 10_000
    assert checked < 30 * parsed
