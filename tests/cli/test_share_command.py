"""``regtrace share``: what the bundle holds, what is asked and said, and when nothing is left."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path

import pytest
from click.testing import Result
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow
from test_report_command import FAILED, GOOD, entry, har, regtrace

from regtrace.proxy.capture import Reader
from regtrace.redact import cases
from regtrace.redact.gate import Gate
from regtrace.redact.secrets import secrets_in
from regtrace.report import bundle
from regtrace.report.output import FORMATS

CAPTURES = sorted(FAILED.parent.glob("*.mitm"))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state" / "cases"
    monkeypatch.setattr(cases, "root", lambda: folder)
    return folder


def share(capture: Path, target: Path, *more: str) -> Result:
    return regtrace("share", capture, "-o", target, *more)


def members(target: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(target) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def test_a_bundle_has_all_that_support_needs(tmp_path: Path) -> None:
    target = tmp_path / "b.zip"
    result = share(FAILED, target, "--yes")
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    found = members(target)
    reports = {bundle.member_of(form) for form in ("html", "markdown", "json") if form in FORMATS}
    assert set(found) == {"README.md", "versions.json", bundle.CAPTURE, *reports}
    versions = json.loads(found["versions.json"])
    assert {"regtrace", "rules", "redaction", "mitmproxy", "python", "level"} <= set(versions)
    page = found["README.md"].decode()
    assert "says the same as the report" in page
    assert "403 on HEAD" in page
    flows = list(FlowReader(io.BytesIO(found[bundle.CAPTURE])).stream())
    assert len(flows) == 7
    assert all(isinstance(flow, HTTPFlow) for flow in flows)


@pytest.mark.parametrize("capture", CAPTURES[::9], ids=lambda path: path.stem)
def test_the_redacted_capture_gives_the_same_findings(capture: Path, tmp_path: Path) -> None:
    target, copy = tmp_path / "b.zip", tmp_path / "copy.mitm"
    assert share(capture, target, "--yes").exit_code in {0, 2}
    found = members(target)
    copy.write_bytes(found[bundle.CAPTURE])
    said = json.loads(found["report.json"])
    again = json.loads(regtrace("report", copy, "--format", "json").stdout)

    def told(report: dict[str, object]) -> list[tuple[object, ...]]:
        findings = report["findings"]
        assert isinstance(findings, list)
        return [(f["slug"], f["confidence"], f["owner"], f["legs"]) for f in findings]

    assert told(again) == told(said)


def test_no_secret_of_the_capture_is_in_any_member(tmp_path: Path) -> None:
    for capture in CAPTURES[::9]:
        target = tmp_path / f"{capture.stem}.zip"
        share(capture, target, "--yes")
        gate, values = Gate(), set()
        with capture.open("rb") as stream:
            for exchange in Reader(str(capture), stream):
                gate.learn(exchange)
                values |= {secret.value for secret in secrets_in(exchange)}
        for content in members(target).values():
            assert gate.leaks(content) == ()
            text = content.decode("utf-8", "replace")
            assert not [value for value in values if len(value) > 12 and value in text]


def test_detect_secrets_finds_nothing_either(tmp_path: Path) -> None:
    """A second opinion, by those of its detectors that look for shapes: entropy is in digests."""
    names = (
        "AWSKeyDetector AzureStorageKeyDetector GitHubTokenDetector GitLabTokenDetector"
        " NpmDetector PrivateKeyDetector BasicAuthDetector SlackDetector"
    ).split()
    target = tmp_path / "b.zip"
    share(FAILED, target, "--yes")
    with transient_settings({"plugins_used": [{"name": name} for name in names]}):
        for content in members(target).values():
            for line in content.decode("utf-8", "replace").splitlines():
                assert list(scan_line(line)) == []
        planted = f"token ghp_{'a1B2' * 9}"
        assert list(scan_line(planted))  # it does find what is there


def test_labels_are_the_same_in_every_file_and_the_next_bundle_of_the_case(tmp_path: Path) -> None:
    first, second, other = (tmp_path / f"{name}.zip" for name in ("a", "b", "c"))
    share(FAILED, first, "--yes", "--case", "acme")
    share(FAILED, second, "--yes", "--case", "acme")
    share(FAILED, other, "--yes", "--case", "other")
    captures = [members(path)[bundle.CAPTURE] for path in (first, second, other)]
    assert captures[0] == captures[1] != captures[2]
    report = json.loads(members(first)["report.json"])
    label = next(
        leg["decoded"]["token"] for leg in report["legs"] if (leg["decoded"] or {}).get("token")
    )
    assert label.encode() in captures[0]
    told = regtrace("unmask", label, "--case", "acme")
    assert told.exit_code == 0
    assert "a secret, first seen at" in told.stdout
    assert regtrace("unmask", label, "--case", "other").exit_code == 2
    assert regtrace("unmask", "client-1", "--case", "acme").stdout.startswith("acme: 10.")
    listed = regtrace("cases").stdout
    assert "acme" in listed
    assert "other" in listed
    assert regtrace("cases", "--delete", "acme", "--yes").exit_code == 0
    assert regtrace("unmask", label).exit_code == 2


def test_a_report_of_the_redacted_capture_keeps_its_labels(tmp_path: Path) -> None:
    target, copy = tmp_path / "b.zip", tmp_path / "copy.mitm"
    share(FAILED, target, "--yes")
    found = members(target)
    copy.write_bytes(found[bundle.CAPTURE])
    again = regtrace("report", copy, "--format", "json")
    assert again.exit_code == 1
    legs, copies = (json.loads(text)["legs"] for text in (found["report.json"], again.stdout))
    assert [leg["decoded"] for leg in copies] == [leg["decoded"] for leg in legs]


def test_what_will_leave_is_shown_and_nobody_to_ask_means_no_bundle(tmp_path: Path) -> None:
    target = tmp_path / "b.zip"
    result = share(FAILED, target)
    assert result.exit_code == 2
    assert "hosts (3): registry.test:5050, auth.test:5443, s3.test:9000" in result.stdout
    for group in ("repositories", "header names", "query keys", "claims", "certificate names"):
        assert f"{group} (" in result.stdout
    assert len(result.stdout.splitlines()) < 24
    assert "nobody can be asked here" in result.stderr
    assert list(tmp_path.glob("*.zip")) == []


def test_the_list_is_shown_without_a_bundle(tmp_path: Path) -> None:
    target = tmp_path / "b.zip"
    result = share(FAILED, target, "--list")
    assert result.exit_code == 0
    assert "more (--list" not in result.stdout
    assert not target.exists()


def test_it_says_what_the_capture_itself_holds(tmp_path: Path) -> None:
    result = share(FAILED, tmp_path / "b.zip", "--yes")
    assert "1 password (request.header.Authorization): no end; change it" in result.stderr
    assert "1 access token: over since 2026-11-23" in result.stderr
    assert "1 signed URL: over since 2026-11-23" in result.stderr


def test_a_leak_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever breaks a handler is stopped by the gate, which knows none."""
    from regtrace.redact.copying import Copier

    monkeypatch.setattr(Copier, "_token", lambda self, raw: raw)
    target = tmp_path / "b.zip"
    result = share(FAILED, target, "--yes")
    assert result.exit_code == 3
    assert "was not written" in result.stderr
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nowhere.mitm", "--yes"), "no such file"),
        (("-", "--yes"), "is read twice"),
        ((FAILED, "-o", "x.tar", "--yes"), "a bundle is a .zip file"),
        ((FAILED, "-o", "nowhere/x.zip", "--yes"), "there is no directory"),
        ((FAILED, "--case", "../x", "--yes"), "the name of a case"),
        ((FAILED.with_suffix(".yaml"), "--yes"), "is no capture"),
    ],
)
def test_one_line_says_what_is_wrong(
    arguments: tuple[str, ...], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = regtrace("share", *arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert line in result.stderr
    assert list(tmp_path.glob("*.zip")) == []


def test_a_har_file_becomes_a_capture(tmp_path: Path) -> None:
    source, target = tmp_path / "push.har", tmp_path / "b.zip"
    source.write_bytes(har(entry("GET", "manifests/1", 200), entry("GET", "manifests/2", 404)))
    result = share(source, target, "--yes")
    assert result.exit_code == 0, result.output
    assert len(list(FlowReader(io.BytesIO(members(target)[bundle.CAPTURE])).stream())) == 2


def test_what_can_be_read_of_a_damaged_capture_is_shared(tmp_path: Path) -> None:
    source, target = tmp_path / "cut.mitm", tmp_path / "b.zip"
    source.write_bytes(FAILED.read_bytes()[:-40])
    result = share(source, target, "--yes")
    assert result.exit_code == 2
    assert "damaged at byte" in result.stderr
    assert len(list(FlowReader(io.BytesIO(members(target)[bundle.CAPTURE])).stream())) == 6


def test_a_capture_of_other_traffic_has_nothing_to_share(tmp_path: Path) -> None:
    source, target = tmp_path / "other.mitm", tmp_path / "b.zip"
    with source.open("wb") as stream:
        FlowWriter(stream).add(tflow.tflow(resp=True))
    assert share(source, target, "--yes").exit_code == 0
    assert members(target)[bundle.CAPTURE] == b""


def test_a_file_that_exists_stays(tmp_path: Path) -> None:
    target = tmp_path / "b.zip"
    target.write_text("mine")
    assert share(GOOD, target, "--yes").exit_code == 2
    assert target.read_text() == "mine"
    assert share(GOOD, target, "--yes", "--force").exit_code == 0
    assert zipfile.is_zipfile(target)


def test_a_report_of_a_case_has_its_labels(tmp_path: Path) -> None:
    one, two = (
        json.loads(regtrace("report", FAILED, "--format", "json", "--case", "acme").stdout)
        for _ in range(2)
    )
    assert one == two
    assert regtrace("report", FAILED, "--case", "../x").exit_code == 2
