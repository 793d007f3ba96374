"""The forms for other programs: each keeps to its format whatever strangers wrote."""

from __future__ import annotations

import json as plain_json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import duckdb
import pytest
import yaml as pyyaml
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Failure, JUnitXml, Skipped
from mitmproxy.io.har import request_to_flow
from pydantic_sarif.model import (
    StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifLog,
)
from ruamel.yaml import YAML
from sample_reports import HOSTILE, failing_push, finding, good_push, hostile, leg

from regtrace.report import github, har, json, jsonlines, junit, sarif, yaml
from regtrace.report.model import Report, Suppression
from regtrace.report.visible import visible

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"
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


@each_report
def test_duckdb_reads_the_lines_as_one_table(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "push.jsonl"
    path.write_text(jsonlines.render(report), "utf-8")
    if not (report.legs or report.findings):
        return
    table = duckdb.read_json(str(path), format="newline_delimited")
    counted = table.aggregate("row, count(*)").fetchall()
    assert dict(counted) == {
        row: count
        for row, count in (("leg", len(report.legs)), ("finding", len(report.findings)))
        if count
    }
    urls = table.filter("row = 'leg'").project("url").fetchall()
    assert [url for (url,) in urls] == [one.url for one in report.legs.values()]


def test_the_query_of_the_docstring_answers(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "push.jsonl").write_text(jsonlines.render(failing_push()), "utf-8")
    (query,) = re.findall(r"SELECT .*", jsonlines.__doc__ or "")
    query = query.replace("reports/", f"{tmp_path}/reports/")
    assert duckdb.sql(query).fetchall() == [("storage-403-on-head", "storage", 1)]


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


@each_report
def test_junit_is_read_by_a_library_of_others(report: Report) -> None:
    read = JUnitXml.fromstring(junit.render(report).encode())
    cases = [case for suite in read for case in suite]
    assert len(list(read)) == len(report.operations)
    assert len(cases) == sum(1 + len(one.transfers) for one in report.operations)
    failed = [case for case in cases for told in case.result if isinstance(told, Failure)]
    skipped = [case for case in cases for told in case.result if isinstance(told, Skipped)]
    assert len(failed) == sum(suite.failures for suite in read)
    assert len(skipped) == sum(suite.skipped for suite in read)
    names = [case.name for case in cases] + [case.classname for case in cases]
    assert all(name.replace("\n", "").isprintable() for name in names)


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


@each_report
def test_sarif_is_read_by_a_model_made_of_its_schema(report: Report) -> None:
    """pydantic-sarif is generated from sarif-schema-2.1.0.json, and forbids what is not in it."""
    text = sarif.render(report)
    read = SarifLog.model_validate_json(text)
    (run,) = read.runs
    assert len(run.results or ()) == len(report.findings)
    for result in run.results or ():
        rules = run.tool.driver.rules or []
        assert rules[result.ruleIndex or 0].id == result.ruleId
    said = document(text)["runs"][0]
    places = [
        location["physicalLocation"] for row in said["results"] for location in row["locations"]
    ]
    uris = [place["artifactLocation"]["uri"] for place in places]
    uris += [rule["helpUri"] for rule in said["tool"]["driver"]["rules"] if "helpUri" in rule]
    assert all(re.fullmatch(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*", uri) for uri in uris)


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
        assert re.match(TIME, entry["startedDateTime"])
        assert entry.get("pageref") in {None, *pages}
        flow = request_to_flow(entry)
        assert flow.response
        assert flow.request.method == request["method"].upper()
        assert flow.response.status_code == response["status"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("registry.test:5050", "https://registry.test:5050/"),
        ("[2001:db8::7]:443", "https://[2001:db8::7]:443/"),
        ("host-1", "https://host-1/"),
        ("https://x.test:99999/", "https://unreadable.invalid/https%3A%2F%2Fx.test%3A99999%2F"),
        ("javascript:x", "https://unreadable.invalid/javascript%3Ax"),
        ("", "https://unreadable.invalid/"),
    ],
)
def test_a_tunnel_has_an_address_that_mitmproxy_reads(url: str, shown: str) -> None:
    tunnel = leg(1, "connect", "CONNECT", None, error="refused", url=url)
    (entry,) = document(har.render(replace(failing_push(), legs={"l1": tunnel})))["log"]["entries"]
    assert entry["request"]["url"] == shown
    assert request_to_flow(entry).request.method == "CONNECT"


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
