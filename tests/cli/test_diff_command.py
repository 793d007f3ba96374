"""``regtrace diff``: captures and reports side by side, written by the same rules as a report."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from test_report_command import FAILED, GOOD, complaint, regtrace

from regtrace.proxy.capture import Reader
from regtrace.redact.gate import Gate
from regtrace.redact.holdings import Holdings
from regtrace.report.compare.output import ENDINGS
from regtrace.report.proof import Planted

ROOT = FAILED.parent
TWO = ROOT / "docker-push-two-repositories.mitm"


@pytest.fixture
def saved(tmp_path: Path) -> dict[str, Path]:
    """Reports of the two captures."""
    paths = {"good": tmp_path / "good.json", "bad": tmp_path / "bad.json"}
    for capture, path in zip((GOOD, FAILED), paths.values(), strict=True):
        regtrace("report", capture, "-o", path)
    return paths


def test_exit_status_says_whether_they_differ() -> None:
    assert regtrace("diff", GOOD, FAILED).exit_code == 1
    assert regtrace("diff", GOOD, GOOD).exit_code == 0


def test_captures_and_reports_say_the_same(saved: dict[str, Path]) -> None:
    def rows(good: Path, bad: Path) -> object:
        document = json.loads(regtrace("diff", good, bad, "--format", "json").stdout)
        return document["verdict"], document["rows"]

    of_captures = rows(GOOD, FAILED)
    assert rows(saved["good"], saved["bad"]) == of_captures
    assert rows(saved["good"], FAILED) == of_captures
    assert rows(GOOD, saved["bad"]) == of_captures


def test_two_captures_share_their_labels_and_prove_it(saved: dict[str, Path]) -> None:
    document = json.loads(regtrace("diff", GOOD, FAILED, "--format", "json").stdout)
    assert document["labels_shared"] is True
    assert all(document[side]["canaries"]["planted"] > 100 for side in ("good", "bad"))
    mixed = json.loads(regtrace("diff", GOOD, saved["bad"], "--format", "json").stdout)
    assert mixed["labels_shared"] is False


def test_har_of_a_browser_or_proxy_is_a_side_too(tmp_path: Path) -> None:
    entry = {
        "startedDateTime": "2026-11-23T12:00:00.000Z",
        "time": 10,
        "request": {
            "method": "PUT",
            "url": "https://registry.test:5050/v2/team/app/manifests/1",
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "User-Agent", "value": "docker/20.10.24"}],
        },
        "response": {"status": 500, "httpVersion": "", "headers": [], "content": {"text": ""}},
    }
    path = tmp_path / "push.har"
    path.write_text(json.dumps({"log": {"version": "1.2", "entries": [entry]}}))
    document = json.loads(regtrace("diff", GOOD, path, "--format", "json").stdout)
    (refused,) = [row for row in document["rows"] if row["bad"]]
    assert (refused["kind"], refused["good"]["status"]) == ("manifest-put", 201)
    assert refused["differences"][0]["bad"] == "500"
    # First stands what the good side had done before.
    (first,) = [row for row in document["rows"] if row["id"] == document["first"]]
    assert (first["kind"], first["bad"]) == ("token", None)


def test_an_operation_is_named_by_its_id() -> None:
    document = json.loads(
        regtrace(
            "diff", GOOD, TWO, "--bad", "push-2", "--good", "push-1", "--format", "json"
        ).stdout
    )
    assert (document["good"]["operation"], document["bad"]["operation"]) == ("push-1", "push-2")
    line = complaint(regtrace("diff", GOOD, TWO, "--bad", "push-9"))
    assert "BAD holds no operation push-9 (--bad); it holds push-1" in line


def test_public_shows_no_name() -> None:
    result = regtrace("diff", GOOD, FAILED, "--share", "public", "--format", "json")
    assert "registry.test" not in result.stdout
    assert "team/app" not in result.stdout
    assert json.loads(result.stdout)["good"]["shared_as"] == "public"


def secrets(*captures: Path) -> set[str]:
    holdings = Holdings()
    for capture in captures:
        with capture.open("rb") as stream:
            for exchange in Reader(str(capture), stream):
                holdings.add(exchange)
    return {value for value in holdings.secrets if len(value) >= 16}


@pytest.mark.parametrize("form", sorted(set(ENDINGS.values())))
def test_no_secret_of_either_side_is_in_any_form(form: str) -> None:
    page = "".join(regtrace("diff", GOOD, FAILED, "--format", form).stdout.split())
    held = secrets(GOOD, FAILED)
    assert len(held) >= 20
    assert not [secret for secret in held if secret in page]


def test_captures_may_come_through_pipes() -> None:
    program = f"{sys.executable} -c 'from regtrace.cli import main; main()'"
    done = subprocess.run(
        ["bash", "-c", f"{program} diff <(cat {GOOD}) <(cat {FAILED})"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT.parent / "addons")},
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 1)
    assert "first divergence" in done.stdout


# --- outputs


def test_outputs_are_whole_private_and_written_again(tmp_path: Path) -> None:
    paths = [tmp_path / f"diff{ending}" for ending in ENDINGS]
    words = [word for path in paths for word in ("-o", path)]
    for _ in range(2):  # what regtrace wrote, it replaces
        result = regtrace("diff", GOOD, FAILED, *words)
        assert (result.exit_code, result.output) == (1, "")
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    # As does a report, which is regtrace's own as well.
    assert regtrace("report", GOOD, "-o", tmp_path / "diff.json").exit_code == 0


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_a_file_of_others_is_not_replaced(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"notes{ending}"
    path.write_text("DIFFERS  I wrote this")
    assert "is not replaced" in complaint(regtrace("diff", GOOD, FAILED, "-o", path))
    assert path.read_text() == "DIFFERS  I wrote this"
    assert regtrace("diff", GOOD, FAILED, "-o", path, "--force").exit_code == 1
    assert "regtrace" in path.read_text()


def test_the_gate_refuses_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "leaks", lambda self, output: ("response.body.token",))
    line = complaint(regtrace("diff", GOOD, FAILED, "-o", tmp_path / "a.json"), status=3)
    assert "planted secrets came through" in line
    assert not list(tmp_path.iterdir())


def test_a_secret_that_only_the_other_side_holds_is_found_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof finds nothing; the gate of both captures does."""
    monkeypatch.setattr(Planted, "found_in", lambda self, outputs: frozenset())
    known: list[set[str]] = []

    def leaks(self: Gate, output: str) -> tuple[str, ...]:
        known.append(set(self._holdings.secrets))
        return ("request.header.Authorization",)

    monkeypatch.setattr(Gate, "leaks", leaks)
    assert regtrace("diff", GOOD, FAILED, "-o", tmp_path / "a.txt").exit_code == 3
    assert not list(tmp_path.iterdir())
    assert known[0] >= secrets(GOOD) | secrets(FAILED)


def test_a_report_with_a_credential_in_it_goes_nowhere(saved: dict[str, Path]) -> None:
    document = json.loads(saved["bad"].read_text())
    document["operations"][0]["repository"] = "team/dckr_pat_" + "aB3" * 9
    saved["bad"].write_text(json.dumps(document))
    line = complaint(regtrace("diff", saved["good"], saved["bad"]), status=3)
    assert "a personal access token" in line
    assert "dckr_pat" not in line


# --- what can't be read


def test_bad_input_is_one_line(tmp_path: Path, saved: dict[str, Path]) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("what I did\n" * 99)
    old = tmp_path / "old.json"
    old.write_text('{"schema": "regtrace/report/9"}')
    for good, bad, said in (
        (text, FAILED, "no capture"),
        (GOOD, "absent.mitm", "no such file"),
        (GOOD, tmp_path, "is a directory"),
        (GOOD, "x" * 300, "can't be read"),
        (GOOD, old, "this regtrace reads regtrace/report/1"),
        (GOOD, "-", "can't be compared; name a file"),
        (GOOD, ROOT / "docker-pull-ok.mitm", "GOOD holds no pull to compare"),
    ):
        assert said in complaint(regtrace("diff", good, bad))


def test_a_damaged_side_is_compared_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = FAILED.read_bytes()
    cut = tmp_path / "cut.mitm"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    result = regtrace("diff", GOOD, cut)
    assert "damaged at byte" in complaint(result)
    assert "leg by leg" in result.stdout


def test_help_teaches() -> None:
    text = regtrace("diff", "--help").output
    for word in ("Exit status", "Examples", "regtrace diff yesterday.mitm today.mitm", "--bad"):
        assert word in text
