"""``regtrace report``: every bad input is one line that says what to do, never a traceback."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mitmproxy import http
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow, tutils

from regtrace import cli
from regtrace.proxy.capture import Reader
from regtrace.redact.gate import Gate

ROOT = Path(__file__).parents[2]
FAILED = ROOT / "captures" / "docker-push-s3-403.mitm"
GOOD = ROOT / "captures" / "docker-push-ok.mitm"


def regtrace(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(cli.main, [str(word) for word in arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def complaint(result: Result, status: int = 2) -> str:
    """The one line on standard error."""
    assert result.exit_code == status, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("regtrace: ")
    return line


# --- what goes well


def test_exit_status_follows_the_outcome() -> None:
    assert regtrace("report", FAILED).exit_code == 1
    assert regtrace("report", GOOD).exit_code == 0
    assert regtrace("report", GOOD, FAILED).exit_code == 1


def test_strict_counts_warnings() -> None:
    warned = ROOT / "captures" / "skopeo-push-s3-403.mitm"
    assert regtrace("report", warned).exit_code == 0
    assert regtrace("report", warned, "--strict").exit_code == 1


def test_standard_input() -> None:
    result = regtrace("report", "-", "--format", "json", stdin=FAILED.read_bytes())
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["capture"]["name"] == "standard input"
    assert report["capture"]["mode"] == "file"


def test_the_same_file_twice_tells_it_twice() -> None:
    report = json.loads(regtrace("report", GOOD, GOOD, "--format", "json").stdout)
    assert len(report["operations"]) == 2


def test_a_flow_that_was_saved_twice_is_told_once(tmp_path: Path) -> None:
    copies = tmp_path / "twice.mitm"
    copies.write_bytes(GOOD.read_bytes() * 2)
    once = json.loads(regtrace("report", GOOD, "--format", "json").stdout)
    twice = json.loads(regtrace("report", copies, "--format", "json").stdout)
    assert twice["legs"] == once["legs"]
    assert twice["capture"]["flows"] == once["capture"]["flows"]


def test_other_traffic_is_nothing_seen(tmp_path: Path) -> None:
    capture = tmp_path / "other.mitm"
    with capture.open("wb") as stream:
        for flow in (tflow.tflow(resp=True), tflow.ttcpflow(), tflow.twebsocketflow()):
            FlowWriter(stream).add(flow)
    result = regtrace("report", capture, "--format", "json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["verdict"]["outcome"] == "nothing-seen"


def test_help_teaches() -> None:
    text = regtrace("report", "--help").output
    for word in ("mitmdump -w", "Exit status", "--force", "zcat", ".har"):
        assert word in text


# --- what can't be read


def files(directory: Path) -> dict[str, tuple[Path, tuple[str, ...]]]:
    def file(name: str, content: bytes) -> Path:
        path = directory / name
        path.write_bytes(content)
        return path

    whole = FAILED.read_bytes()
    report = regtrace("report", FAILED, "--format", "json").stdout.encode()
    return {
        "missing": (directory / "no.mitm", ("no such file",)),
        "directory": (directory, ("is a directory",)),
        "empty": (file("empty.mitm", b""), ("is empty",)),
        "text": (file("notes.txt", b"what I did\n" * 99), ("no capture", "mitmdump -w")),
        "gzip": (file("push.mitm.gz", gzip.compress(whole)), ("gunzip -c",)),
        "zip": (file("push.zip", b"PK\x03\x04" + bytes(99)), ("ZIP archive",)),
        "pcap": (file("push.pcap", b"\xd4\xc3\xb2\xa1" + bytes(99)), ("packet capture",)),
        "json": (file("x.json", b'{"a": 1}'), ("JSON", "no HAR file")),
        "deep json": (file("deep.har", b'{"log":' + b"[" * 99_999), ("no HAR file",)),
        "report": (file("report.json", report), ("a report of regtrace",)),
        "cut in the first flow": (file("cut.mitm", whole[:100]), ("no whole flow", "byte 100")),
        "huge length": (file("huge.mitm", b"999999999999:" + bytes(99)), ("no whole flow",)),
        "newer format": (
            file("new.mitm", b"17:7:version;2:99#},".replace(b"17", b"15")),
            ("version",),
        ),
        "control characters": (directory / "a\x1b[2J.mitm", ("no such file", "\\x1b")),
        "a name too long": (directory / ("x" * 300), ("can't be read",)),
    }


KINDS = """missing directory empty text gzip zip pcap json deep·json report cut·in·the·first·flow
huge·length newer·format control·characters a·name·too·long""".split()


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input(tmp_path: Path, kind: str) -> None:
    path, words = files(tmp_path)[kind.replace("·", " ")]
    line = complaint(regtrace("report", path))
    assert all(word in line for word in words), line
    assert "\x1b" not in line


def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*args: Any) -> None:  # root, who may run this, may read everything
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuses)
    assert "you may not read it" in complaint(regtrace("report", tmp_path / "push.mitm"))


@pytest.mark.parametrize(
    "arguments", [["report"], ["report", GOOD, "--fromat"], ["report", GOOD, "--format", "pdf"]]
)
def test_usage(arguments: list[str | Path]) -> None:
    result = regtrace(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_one_bad_file_among_several(tmp_path: Path) -> None:
    result = regtrace("report", FAILED, tmp_path / "no.mitm")
    assert "no such file" in complaint(result)
    assert "storage-403-on-head" in result.stdout


def test_a_truncated_capture_is_reported_up_to_the_damage() -> None:
    whole = FAILED.read_bytes()
    with FAILED.open("rb") as stream:
        reading = FlowReader(stream).stream()
        for _ in range(3):
            next(reading)
        third = stream.tell()
    result = regtrace("report", "-", "--format", "json", stdin=whole[: third + 50])
    assert f"damaged at byte {third}" in complaint(result)
    capture = json.loads(result.stdout)["capture"]
    assert capture["flows"] == 3
    assert capture["damaged"]["offset"] == third


def test_cut_anywhere() -> None:
    whole = FAILED.read_bytes()
    dice = random.Random(2)
    for length in [*range(1, 200), *(dice.randrange(200, len(whole)) for _ in range(100))]:
        result = regtrace("report", "-", stdin=whole[:length])
        assert result.exit_code in {0, 1, 2}, length
        assert "Traceback" not in result.output
        if result.exit_code == 2:
            complaint(result)


def test_flipped_anywhere() -> None:
    whole = FAILED.read_bytes()
    dice = random.Random(3)
    for _ in range(80):
        broken = bytearray(whole)
        for _ in range(dice.choice((1, 1, 5))):
            broken[dice.randrange(len(whole))] = dice.randrange(256)
        result = regtrace("report", "-", stdin=bytes(broken))
        assert result.exit_code in {0, 1, 2}
        assert "fault of its own" not in result.output, result.output


# --- HAR


def har(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": entries}}).encode()


def entry(
    method: str, path: str, status: int, text: str | None = "", **more: Any
) -> dict[str, Any]:
    return {
        "startedDateTime": "2026-11-23T12:00:00.000Z",
        "time": 10,
        "request": {
            "method": method,
            "url": f"https://registry.test/v2/team/app/{path}",
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "User-Agent", "value": "docker/20.10.24"}],
            **more,
        },
        "response": {
            "status": status,
            "httpVersion": "HTTP/1.1",
            "headers": [],
            "content": {"text": text},
        },
    }


def test_har_is_read_and_says_what_it_lacks() -> None:
    """Also mitmproxy's own export of a streamed upload, which mitmproxy can't read back."""
    digest = "sha256:" + "0" * 64
    streamed = {"postData": {"mimeType": "application/octet-stream", "text": None}}
    data = har(
        entry("PATCH", "blobs/uploads/u-1", 202, None, **streamed),
        entry("GET", f"blobs/{digest}", 200, "decoded text"),
        entry("GET", "manifests/1", 0),
    )
    for content in (data, b"\xef\xbb\xbf" + data):
        result = regtrace("report", "-", "--format", "json", stdin=content)
        assert result.stderr == ""
        report = json.loads(result.stdout)
        assert report["capture"]["flows"] == 3
        assert any("HAR" in spot["why"] for spot in report["not_seen"])
        assert {leg["connection"] for leg in report["legs"]} == {None}
        for operation in report["operations"]:
            assert all(t["digest_verified"] is None for t in operation["transfers"])
        (lost,) = [leg for leg in report["legs"] if leg["kind"] == "manifest-get"]
        assert lost["status"] is None
        assert "no answer" in lost["error"]


@pytest.mark.parametrize(
    ("timings", "sent", "received"),
    [
        ({"send": 4000, "wait": 5900, "receive": 100}, 4.0, 0.1),
        ({"blocked": -1, "send": 10_000, "wait": 0, "receive": -1}, 10.0, 0.0),
        (None, 10.0, 0.0),
    ],
)
def test_har_has_its_answer_when_it_came(
    timings: dict[str, int] | None, sent: float, received: float
) -> None:
    """A token that runs out while a slow upload is sent is no fault of a clock."""
    slow = {**entry("PATCH", "blobs/uploads/u-1", 401), "time": 10_000}
    if timings is not None:
        slow["timings"] = timings
    reader = Reader("x.har", io.BytesIO(har(slow)))
    (exchange,) = reader
    request, response = exchange.request, exchange.response
    assert response is not None
    assert response.ended is not None
    assert request.ended is not None
    assert request.ended - request.started == pytest.approx(sent)
    assert response.ended - response.started == pytest.approx(received)
    assert response.ended - request.started == pytest.approx(10)


def test_har_with_an_entry_that_is_none() -> None:
    data = har(entry("GET", "manifests/1", 200), {"request": {}})
    assert "entry 2 can't be read" in complaint(regtrace("report", "-", stdin=data))


# --- outputs


def test_outputs_are_whole_and_private(tmp_path: Path) -> None:
    paths = [tmp_path / "push.json", tmp_path / "push.txt"]
    words = [word for path in paths for word in ("-o", str(path))]
    for _ in range(2):  # what regtrace wrote, it replaces
        result = regtrace("report", FAILED, *words)
        assert (result.exit_code, result.output) == (1, "")
    assert json.loads(paths[0].read_text())["schema"] == "regtrace/report/1"
    assert paths[1].read_text().startswith("FAILED")
    assert sorted(tmp_path.iterdir()) == paths
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}


@pytest.mark.parametrize("content", ["my own notes", "OK  I wrote this", '{"schema": "other/1"}'])
def test_a_file_of_others_is_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(content)
    assert "is not replaced" in complaint(regtrace("report", GOOD, "-o", path))
    assert path.read_text() == content
    assert regtrace("report", GOOD, "-o", path, "--force").exit_code == 0
    assert path.read_text().startswith("OK")


def test_an_empty_file_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "push.json"
    path.touch()
    assert regtrace("report", GOOD, "-o", path).exit_code == 0


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "here.json").symlink_to(tmp_path / "there.json")
    assert regtrace("report", GOOD, "-o", tmp_path / "here.json").exit_code == 0
    assert (tmp_path / "here.json").is_symlink()
    assert (tmp_path / "there.json").is_file()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("none/push.json", "no directory"),
        ("push.pdf", ".json"),
        ("push", "(none)"),
        ("dir.json", "is a directory"),
        ("pipe.json", "no regular file"),
        ("x" * 300 + ".json", "can't be written"),
    ],
)
def test_unwritable(tmp_path: Path, name: str, word: str) -> None:
    (tmp_path / "dir.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    good = tmp_path / "good.json"
    line = complaint(regtrace("report", GOOD, "-o", good, "-o", tmp_path / name))
    assert word in line
    assert not good.exists()


def test_a_disk_that_is_full_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    line = complaint(regtrace("report", GOOD, "-o", tmp_path / "a.json", "-o", tmp_path / "b.txt"))
    assert "No space left" in line
    assert not list(tmp_path.iterdir())


def test_the_gate_refuses_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "leaks", lambda self, output: ("response.body.token",))
    result = regtrace("report", GOOD, "-o", tmp_path / "a.json", "-o", tmp_path / "b.txt")
    line = complaint(result, status=3)
    assert "response.body.token" in line
    assert "docker-push-ok" not in line
    assert not list(tmp_path.iterdir())
    assert regtrace("report", GOOD).exit_code == 3


def test_a_reader_that_leaves_is_no_failure() -> None:
    command = f"{sys.executable} -c 'from regtrace.cli import main; main()' report {FAILED}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} --format json | true; echo $?"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "addons")},
        check=False,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_a_fault_of_ours_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("with something secret")

    monkeypatch.setattr("regtrace.cli.report.read_site", breaks)
    line = complaint(regtrace("report", GOOD))
    assert "RuntimeError at test_report_command.py" in line
    assert "secret" not in line


def test_surrogates_in_a_saved_flow_are_survived(tmp_path: Path) -> None:
    capture = tmp_path / "odd.mitm"
    request = tutils.treq(path=b"/v2/\xff\xfe/manifests/\xed\xa0\x80", method=b"GE\xff")
    flow = tflow.tflow(req=request, resp=tutils.tresp(headers=http.Headers([(b"\xff", b"\xfe")])))
    with capture.open("wb") as stream:
        FlowWriter(stream).add(flow)
    assert regtrace("report", capture, "--format", "json").exit_code == 0


def test_the_registrys_log_says_what_its_500_does_not() -> None:
    """The bucket's policy denies reading: on the wire there is only the driver's name."""
    capture = ROOT / "captures" / "docker-pull-s3-403.mitm"
    log = capture.with_suffix(".registry.log")
    plain = regtrace("report", capture, "--format", "json")
    logged = regtrace("report", capture, "--format", "json", "--registry-log", log)
    (before,), (after,) = (json.loads(r.stdout)["findings"] for r in (plain, logged))
    assert "AccessDenied" not in json.dumps(before)
    (row,) = [row for row in after["evidence"] if row["where"] == "registry-log"]
    assert "s3aws: AccessDenied" in row["value"]
    assert row["leg"] in after["legs"]


def test_a_registry_log_that_is_not_there() -> None:
    said = complaint(regtrace("report", GOOD, "--registry-log", "absent.log"))
    assert said == "regtrace: absent.log: can't be read: No such file or directory"
