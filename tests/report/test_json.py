"""The JSON report keeps to its schema, and says exactly what the model says."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from enum import Enum
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sample_reports import failing_push, good_push, hostile

from regtrace.diagnose.rule import Confidence, Owner, Severity
from regtrace.follow.life import Ending, Fate
from regtrace.follow.story import OperationKind
from regtrace.redact.redactor import Level
from regtrace.report.json import render
from regtrace.report.model import Damage, Report
from regtrace.report.words import OWNERS, SEVERITIES, VENDORS
from regtrace.wire.leg import Kind
from regtrace.wire.storage import Vendor

SCHEMA = json.loads((files("regtrace.report") / "report-1.json").read_text("utf-8"))

DECIDED_BY_US = (
    *("schema", "mode", "outcome", "kind", "severity", "confidence", "owner", "level"),
    *("rule", "slug", "digest"),
)
"""Fields that no stranger can write: enumerations, rule names, digests."""


def damaged() -> Report:
    report = failing_push()
    capture = replace(report.capture, damaged=Damage(4711, "not a flow"), first=None, last=None)
    return replace(report, capture=capture)


def nothing_seen() -> Report:
    report = good_push()
    verdict = replace(report.verdict, outcome="nothing-seen")
    return replace(report, verdict=verdict, operations=(), legs={})


REPORTS = [
    pytest.param(failing_push(), id="failing"),
    pytest.param(good_push(), id="good"),
    pytest.param(damaged(), id="damaged"),
    pytest.param(nothing_seen(), id="nothing seen"),
    pytest.param(hostile(failing_push(), spare=DECIDED_BY_US), id="hostile"),
]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("report", REPORTS)
def test_every_report_keeps_to_the_schema(report: Report) -> None:
    Draft202012Validator(SCHEMA).validate(json.loads(render(report)))


@pytest.mark.parametrize("report", REPORTS)
def test_it_reads_back_equal(report: Report) -> None:
    document = json.loads(json.dumps(asdict(report)))
    document["legs"] = list(document["legs"].values())
    assert json.loads(render(report)) == document


@pytest.mark.parametrize("report", REPORTS)
def test_it_is_printable_ascii(report: Report) -> None:
    text = render(report)
    assert text.endswith("}\n")
    assert all(character == "\n" or " " <= character <= "~" for character in text)


def test_the_schema_comes_first_and_the_order_does_not_depend_on_maps() -> None:
    report = failing_push()
    turned = replace(report.redaction, labels=dict(reversed(report.redaction.labels.items())))
    assert render(replace(report, redaction=turned)) == render(report)
    assert render(report).startswith('{\n  "schema": "regtrace/report/1",\n  "tool": {')


def test_what_is_no_number_becomes_null() -> None:
    report = failing_push()
    leg = replace(report.legs["l1"], decoded={"offset": math.nan}, ended=math.inf)
    document = json.loads(render(replace(report, legs={"l1": leg})))
    assert document["legs"][0]["decoded"] == {"offset": None}
    assert document["legs"][0]["ended"] is None


def objects(schema: Any) -> list[dict[str, Any]]:
    """Every object type that the schema describes."""
    if isinstance(schema, list):
        return [found for item in schema for found in objects(item)]
    if not isinstance(schema, dict):
        return []
    below = [found for item in schema.values() for found in objects(item)]
    return [schema, *below] if "properties" in schema and "required" in schema else below


def test_the_schema_is_the_documentation() -> None:
    described = objects(SCHEMA)
    assert len(described) == 16
    for schema in described:
        assert schema["description"]
        assert schema["additionalProperties"] is True
        assert schema["required"] == list(schema["properties"])
        for name, field in schema["properties"].items():
            assert "description" in field or "$ref" in field, name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "regtrace/report/2"),
        (("verdict", "outcome"), "fine"),
        (("legs", 0, "kind"), "guess"),
        (("operations", 0, "transfers", 0, "digest"), "sha256:xyz"),
        (("findings", 0, "rule"), "E401"),
        (("findings", 0, "owner"), "nobody"),
        (("redaction", "canaries", "found"), 1),
        (("legs", 0, "request_bytes"), -1),
    ],
)
def test_the_schema_refuses(path: tuple[Any, ...], value: Any) -> None:
    document = json.loads(render(failing_push()))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not Draft202012Validator(SCHEMA).is_valid(document)


@pytest.mark.parametrize(
    ("where", "field", "values"),
    [
        ("leg", "kind", Kind),
        ("operation", "kind", OperationKind),
        ("operation", "outcome", Ending),
        ("transfer", "outcome", Fate),
        ("finding", "owner", Owner),
        ("finding", "severity", Severity),
        ("finding", "confidence", Confidence),
        ("redaction", "level", Level),
    ],
)
def test_the_schema_knows_every_value_that_the_code_can_give(
    where: str, field: str, values: type[Enum]
) -> None:
    known = SCHEMA["$defs"][where]["properties"][field]["enum"]
    assert set(known) == {value.value for value in values}


def test_people_get_a_word_for_every_value() -> None:
    assert set(OWNERS) == {owner.value for owner in Owner}
    assert set(VENDORS) == {vendor.value for vendor in Vendor}
    assert set(SEVERITIES) == {severity.value for severity in Severity}
