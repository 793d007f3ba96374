"""``regtrace convert``: the same bytes as ``regtrace report``, and nothing of a bad file."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from test_report_command import FAILED, GOOD, complaint, regtrace

from regtrace.report.output import ENDINGS, FORMATS

NAMES = [f"push{ending}" for ending in ENDINGS]


@pytest.mark.parametrize("capture", [FAILED, GOOD], ids=lambda path: path.stem)
def test_it_writes_the_same_bytes_as_report(capture: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    said = [word for name in NAMES for word in ("-o", one / name)]
    regtrace("report", capture, *said)
    again = [word for name in NAMES for word in ("-o", other / name)]
    for _ in range(2):  # what regtrace wrote, it replaces
        result = regtrace("convert", one / "push.json", *again)
        assert (result.exit_code, result.output) == (0, "")
    for name in NAMES:
        assert (other / name).read_bytes() == (one / name).read_bytes(), name
        assert stat.S_IMODE((other / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_it_prints_the_same_as_report(form: str, tmp_path: Path) -> None:
    report = regtrace("report", FAILED, "-o", tmp_path / "push.json", "--format", form)
    assert regtrace("convert", tmp_path / "push.json", "--format", form).stdout == report.stdout
    raw = (tmp_path / "push.json").read_bytes()
    assert regtrace("convert", "-", "--format", form, stdin=raw).stdout == report.stdout


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "not in UTF-8"),
        (b'{"log": {}}', "no report of regtrace"),
        (b'{"schema": "regtrace/report/2"}', "this regtrace reads regtrace/report/1"),
        (b'{"schema": "regtrace/report/1"}', "tool: is missing"),
    ],
)
def test_what_is_no_report_is_one_line(content: bytes, word: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    assert word in complaint(regtrace("convert", path, "-o", tmp_path / "x.md"))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_there() -> None:
    assert "No such file" in complaint(regtrace("convert", "absent.json"))


def test_a_report_with_a_credential_in_it_goes_nowhere(tmp_path: Path) -> None:
    regtrace("report", FAILED, "-o", tmp_path / "push.json")
    document = json.loads((tmp_path / "push.json").read_text())
    document["findings"][0]["cause"] = "the token is dckr_pat_" + "aB3" * 9
    (tmp_path / "push.json").write_text(json.dumps(document))
    for name in ("x.md", "x.yaml", "x.junit.xml", "x.har"):
        line = complaint(regtrace("convert", tmp_path / "push.json", "-o", tmp_path / name), 3)
        assert "a personal access token" in line
        assert "dckr_pat" not in line
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", NAMES)
def test_what_others_wrote_is_not_replaced(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("my notes on regtrace/report/1\n")
    assert "is not replaced" in complaint(regtrace("report", GOOD, "-o", path))
