"""The forms for other programs: each keeps to its format whatever strangers wrote."""

from __future__ import annotations

import json as plain_json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any
from xml.etree.ElementTree import Element

import pytest
import yaml as pyyaml
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mitmproxy.io.har import request_to_flow
from ruamel.yaml import YAML
from sample_reports import HOSTILE, failing_push, finding, good_push, hostile, leg

from regtrace.report import github, har, json, jsonlines, junit, sarif, yaml
from regtrace.report.model import Report, Suppression
from regtrace.report.visible import visible

DECIDED_BY_US = ("schema", "outcome", "kind", "severity", "level", "root_findings", "id", "legs")


def nothing_seen() -> Report:
    return replace(good_push(), operations=(), legs={})


def odd_times() -> Report:
    report = failing_push()
    legs = {
        "l1": leg(1, "ping", "GET", None, error="reset", started=math.nan, ended=None),
        "l2": leg(2, "other", "GET", 200, started=1e300, ended=-1e300, url="http://[x"),
    }
    operation = replace(report.operations[0], started=-1e300, ended=math.inf)
    return replace(report, legs=legs, operations=(operation,))


REPORTS = [
    pytest.param(failing_push(), id="failing"),
    pytest.param(good_push(), id="good"),
    pytest.param(nothing_seen(), id="nothing seen"),
    pytest.param(odd_times(), id="odd times"),
    pytest.param(hostile(failing_push(), spare=DECIDED_BY_US), id="hostile"),
    pytest.param(hostile(failing_push()), id="all hostile"),
]

each_report = pytest.mark.parametrize("report", REPORTS)


def document(text: str) -> Any:
    return plain_json.loads(text)


# --- YAML


def read_1_1(text: str) -> Any:
    return pyyaml.safe_load(text)


def read_1_2(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(StringIO(text))


@each_report
@pytest.mark.parametrize("read", [read_1_1, read_1_2])
def test_yaml_says_what_the_json_says(report: Report, read: Callable[[str], Any]) -> None:
    text = yaml.render(report)
    assert read(text) == document(json.render(report))
    assert all(character == "\n" or " " <= character <= "~" for character in text)


TRAPS = "no NO y on null ~ 1.0 1e3 0x1f 0o17 12:30:45 2026-01-01 .inf - ? : # a:b a: x#y =".split()


@pytest.mark.parametrize(
    "text", [*TRAPS, "", " a", "a ", "a b", "a #b", "\N{GRINNING FACE}", "\x85"]
)
@pytest.mark.parametrize("read", [read_1_1, read_1_2])
def test_a_text_stays_a_text_for_every_parser(text: str, read: Callable[[str], Any]) -> None:
    assert read(yaml.render(replace(failing_push(), schema=text)))["schema"] == text


@given(st.text(max_size=30), st.floats(allow_nan=False, allow_infinity=False))
def test_yaml_of_anything(text: str, number: float) -> None:
    decoded = {text[:9]: [[], {}, [{"a": [text]}], [[number]], None, True, -3]}
    report = replace(failing_push(), legs={"l1": leg(1, "ping", "GET", 200, decoded=decoded)})
    assert read_1_1(yaml.render(report)) == document(json.render(report))


# --- JSON lines


@each_report
def test_lines_have_the_same_flat_fields(report: Report) -> None:
    lines = jsonlines.render(report).split("\n")
    assert lines.pop() == ""
    rows = [document(line) for line in lines]
    assert len(rows) == len(report.legs) + len(report.findings)
    assert len({tuple(row) for row in rows}) <= 1
    assert all(not isinstance(value, (list, dict)) for row in rows for value in row.values())


def test_lines_say_what_a_query_asks_for() -> None:
    *legs, told = [document(line) for line in jsonlines.render(failing_push()).splitlines()]
    ninth = legs[8]
    assert (ninth["row"], ninth["kind"], ninth["status"]) == ("leg", "storage", 403)
    assert ninth["seconds"] == pytest.approx(0.04)
    assert (told["row"], told["slug"]) == ("finding", "storage-403-on-head")
    for row in (ninth, told):
        assert (row["repository"], row["reference"], row["outcome"]) == (
            "team/app",
            "1.2",
            "failed",
        )
        assert (row["leg"], row["started"]) == ("l9", ninth["started"])
        assert row["digest"].startswith("sha256:ab12cd34ef56")


def test_the_docstring_names_every_field() -> None:
    row = document(jsonlines.render(failing_push()).splitlines()[0])
    assert all(f"``{name}``" in (jsonlines.__doc__ or "") for name in row)


# --- JUnit

SUITE = set("id package name timestamp hostname tests failures errors skipped time".split())


def suites(report: Report) -> list[Element]:
    root = fromstring(junit.render(report))
    assert (root.tag, root.attrib) == ("testsuites", {})
    return list(root)


@each_report
def test_junit_keeps_to_its_schema(report: Report) -> None:
    """As JUnit.xsd of windyroad/JUnit-Schema has it."""
    for number, suite in enumerate(suites(report)):
        assert set(suite.attrib) == SUITE
        assert suite.attrib["id"] == str(number)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        head, *cases, out, err = suite
        assert [head.tag, out.tag, err.tag] == ["properties", "system-out", "system-err"]
        assert all(set(item.attrib) == {"name", "value"} for item in head)
        counted = dict.fromkeys(("failure", "skipped"), 0)
        for case in cases:
            assert case.tag == "testcase"
            assert set(case.attrib) == {"name", "classname", "time"}
            assert re.fullmatch(r"\d+\.\d{3}", case.attrib["time"])
            assert case.attrib["name"]
            assert len(case) <= 1
            for told in case:
                counted[told.tag] += 1
                assert set(told.attrib) == {"message", *(["type"] if told.tag == "failure" else [])}
        assert suite.attrib["tests"] == str(len(cases))
        assert suite.attrib["failures"] == str(counted["failure"])
        assert suite.attrib["skipped"] == str(counted["skipped"])


def test_the_failed_layer_is_the_failed_case() -> None:
    (suite,) = suites(failing_push())
    session, layer, config = suite.findall("testcase")
    assert session.attrib["name"] == "session"
    assert len(session) == len(config) == 0
    (failure,) = layer
    assert failure.attrib == {
        "message": finding().title,
        "type": "RT401 storage-403-on-head",
    }
    assert "Must act: whoever runs the registry's storage" in (failure.text or "")


def test_an_operation_that_failed_before_any_layer_fails_in_its_session() -> None:
    report = failing_push()
    operation = replace(report.operations[0], transfers=(), legs=("l1", "l2"))
    (suite,) = suites(replace(report, operations=(operation,)))
    (session,) = suite.findall("testcase")
    assert session.find("failure") is not None


def test_what_a_site_accepted_is_skipped_with_its_reason() -> None:
    report = failing_push()
    accepted = finding(suppressed=Suppression("ticket STO-7", "2026-12-31"))
    operation = replace(report.operations[0], accepted=True)
    (suite,) = suites(replace(report, operations=(operation,), findings=(accepted,)))
    (skipped,) = suite.findall("testcase/skipped")
    assert skipped.attrib["message"] == "accepted until 2026-12-31: ticket STO-7"
    assert suite.attrib["failures"] == "0"


# --- SARIF


def an(**properties: Any) -> dict[str, Any]:
    """An object with these properties and no other; those with ``_`` before are required."""
    return {
        "type": "object",
        "properties": {name.lstrip("_"): value for name, value in properties.items()},
        "required": [name.lstrip("_") for name in properties if name.startswith("_")],
        "additionalProperties": False,
    }


def some(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


TEXT, BAG = {"type": "string"}, {"type": "object"}
URI = {"type": "string", "pattern": r"^[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*$"}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
MESSAGE = an(_text={"type": "string", "minLength": 1})
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
ARTIFACT = an(_uri=URI)
LOCATION = an(
    physicalLocation=an(_artifactLocation=ARTIFACT),
    logicalLocations=some(an(_name=TEXT, _fullyQualifiedName=TEXT, _kind=TEXT)),
    message=MESSAGE,
)
SARIF = {
    **an(
        properties=BAG,
        **{"_$schema": URI, "_version": {"const": "2.1.0"}},
        _runs=some(
            an(
                _tool=an(
                    _driver=an(
                        _name={"const": "regtrace"},
                        _version=TEXT,
                        _rules=some(
                            an(
                                _id=TEXT,
                                _name=TEXT,
                                _shortDescription=MESSAGE,
                                _fullDescription=MESSAGE,
                                _help=MESSAGE,
                                helpUri=URI,
                                _defaultConfiguration=an(_level=LEVEL),
                                properties=BAG,
                            )
                        ),
                    )
                ),
                _invocations=some(
                    an(
                        _executionSuccessful={"type": "boolean"},
                        toolExecutionNotifications=some(an(_level=LEVEL, _message=MESSAGE)),
                    )
                ),
                _artifacts=some(an(_location=ARTIFACT, roles=some({"const": "analysisTarget"}))),
                _results=some(
                    an(
                        _ruleId=TEXT,
                        _ruleIndex={"type": "integer", "minimum": 0},
                        _level=LEVEL,
                        _message=MESSAGE,
                        _locations=some(LOCATION),
                        occurrenceCount={"type": "integer", "minimum": 1},
                        properties=BAG,
                        codeFlows=some(
                            an(
                                _threadFlows=some(
                                    an(
                                        _locations=some(
                                            an(_executionTimeUtc=TIME, _location=LOCATION)
                                        )
                                    )
                                )
                            )
                        ),
                        webRequest=an(method=TEXT, target=TEXT),
                        webResponse=an(
                            statusCode={"type": "integer"}, noResponseReceived={"const": True}
                        ),
                        suppressions=some(an(_kind={"const": "external"}, _justification=TEXT)),
                    )
                ),
                columnKind={"const": "unicodeCodePoints"},
                properties=BAG,
            )
        ),
    )
}
"""The part of sarif-schema-2.1.0.json that these reports use."""


@each_report
def test_sarif_keeps_to_its_schema(report: Report) -> None:
    Draft202012Validator(SARIF).validate(document(sarif.render(report)))


def test_sarif_has_the_catalogues_rule_and_the_findings_own_words() -> None:
    told = finding(rule="RT412", suppressed=Suppression("known", "2026-12-31"))
    own = finding(id="f2", rule="ACME/x1", slug="of-our-own", severity="note", legs=("gone",))
    (run,) = document(sarif.render(replace(failing_push(), findings=(told, own))))["runs"]
    theirs, ours = run["tool"]["driver"]["rules"]
    assert (theirs["id"], ours["id"]) == ("ACME/x1", "RT412")
    assert "<storage>" in ours["fullDescription"]["text"]
    assert theirs["fullDescription"]["text"] == own.cause
    first, second = run["results"]
    assert [first["ruleIndex"], second["ruleIndex"]] == [1, 0]
    assert first["suppressions"][0]["justification"] == "until 2026-12-31: known"
    assert first["webResponse"] == {"statusCode": 403}
    assert first["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "t1"
    assert "codeFlows" not in second


def test_a_message_of_sarif_has_no_link_and_no_placeholder() -> None:
    text = sarif.render(
        replace(failing_push(), findings=(finding(title="[x](http://evil.test){0}"),))
    )
    (result,) = document(text)["runs"][0]["results"]
    assert result["message"]["text"].startswith("[x] (http://evil.test){{0}}.")


# --- HAR


@each_report
def test_har_is_complete_and_mitmproxy_reads_it(report: Report) -> None:
    log = document(har.render(report))["log"]
    assert log["version"] == "1.2"
    assert log["creator"]["name"] == "regtrace"
    assert len(log["pages"]) == len(report.operations)
    assert len(log["entries"]) == len(report.legs)
    pages = {page["id"] for page in log["pages"]}
    for page in log["pages"]:
        assert {"startedDateTime", "id", "title", "pageTimings"} <= set(page)
    for entry in log["entries"]:
        request, response = entry["request"], entry["response"]
        assert {"method", "url", "httpVersion", "cookies", "headers", "queryString"} <= set(request)
        assert {"status", "statusText", "content", "redirectURL", "headersSize"} <= set(response)
        assert {"size", "mimeType"} <= set(response["content"])
        assert re.fullmatch(r"[\w:/?#\[\]@!$&'()*+,;=%.~-]*", request["url"], re.ASCII)
        assert entry["time"] == sum(entry["timings"].values()) >= 0
        assert re.match(TIME["pattern"], entry["startedDateTime"])
        assert entry.get("pageref") in {None, *pages}


def test_har_loads_in_mitmproxy_with_its_story() -> None:
    entries = document(har.render(failing_push()))["log"]["entries"]
    flow = request_to_flow(entries[8])
    assert flow.response is not None
    assert (flow.request.method, flow.response.status_code) == ("HEAD", 403)
    lines = entries[8]["comment"].splitlines()
    assert lines[0] == "push team/app:1.2 → registry.test:5050 · blob ab12cd34ef56… · storage"
    assert lines[1].startswith("ERROR RT401 storage-403-on-head: The storage refused")


# --- GitHub

COMMAND = re.compile(r"::(error|warning|notice) title=([^:,\r\n]*)::([^\r\n]*)")


def commands(report: Report) -> list[tuple[str, str, str]]:
    lines = github.render(report).split("\n")
    assert lines.pop() == ""
    found = [COMMAND.fullmatch(line) for line in lines]
    assert all(found)
    return [(match[1], match[2], match[3]) for match in found if match]


@each_report
def test_each_line_is_one_command(report: Report) -> None:
    assert commands(report)


def test_a_command_can_be_read_back() -> None:
    forged = finding(title="100%\n::error::x\r,:%0A", severity="warning")
    ((kind, title, said),) = commands(replace(failing_push(), findings=(forged,)))
    assert kind == "warning"
    assert title.startswith("RT401 storage-403-on-head%3A push team/app%3A1.2")
    plain = said.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
    assert plain.startswith("100%\n::error::x\\r,:%0A.\nAfter the commit")


def test_ten_of_a_kind_and_no_more() -> None:
    many = tuple(finding(id=f"f{n}", severity=("error", "note")[n % 2]) for n in range(50))
    told = commands(replace(failing_push(), findings=many))
    assert [kind for kind, _, _ in told] == ["error"] * 10 + ["notice"] * 10
    assert told[9][2] == "16 findings more of this kind: see the report itself"


def test_symptoms_are_told_with_their_cause_and_good_news_too() -> None:
    symptom = finding(id="f2", slug="a-symptom", explained_by="f1")
    ((_, _, said),) = commands(replace(failing_push(), findings=(finding(), symptom)))
    assert said.endswith("%0AExplains: a-symptom")
    assert commands(good_push())[0][:2] == ("notice", "regtrace%3A OK")


def test_nothing_raw_of_a_stranger_is_in_any_form() -> None:
    report = hostile(failing_push())
    for form in (yaml, jsonlines, junit, sarif, har, github):
        text = form.render(report)
        assert all(character == "\n" or character.isprintable() for character in text)
    assert visible(HOSTILE)[:20] in junit.render(report)
