"""``regtrace annotate``: the same flows, each with its place in the story."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import tflow
from test_report_command import FAILED, GOOD, har, regtrace


def flows(path: Path) -> list[Flow]:
    with path.open("rb") as stream:
        return list(FlowReader(stream).stream())


def bare(flow: Flow) -> dict[str, Any]:
    return {**flow.get_state(), "comment": "", "marked": ""}


def test_each_flow_says_where_it_belongs_and_is_else_as_it_was(tmp_path: Path) -> None:
    story = tmp_path / "story.mitm"
    result = regtrace("annotate", FAILED, story)
    assert result.exit_code == 0
    assert stat.S_IMODE(story.stat().st_mode) == 0o600
    (line,) = result.stderr.splitlines()
    assert "7 flows have a comment. It holds passwords and tokens" in line
    assert list(map(bare, flows(story))) == list(map(bare, flows(FAILED)))
    *others, failed = flows(story)
    assert all(flow.comment.startswith("push team/app → registry.test:5050 by ") for flow in others)
    assert not any(flow.marked for flow in others)
    assert failed.marked == ":x:"
    assert "ERROR RT412 storage-403-on-head: " in failed.comment


def test_the_report_of_the_copy_is_the_same(tmp_path: Path) -> None:
    copy = tmp_path / FAILED.name
    regtrace("annotate", FAILED, copy)
    read = [regtrace("report", path, "--format", "json").stdout for path in (FAILED, copy)]
    assert read[0] == read[1]


def test_flows_of_other_kinds_stay(tmp_path: Path) -> None:
    mixed, story = tmp_path / "mixed.mitm", tmp_path / "story.mitm"
    with mixed.open("wb") as stream:
        for flow in (tflow.ttcpflow(), *flows(GOOD), tflow.tdnsflow()):
            FlowWriter(stream).add(flow)
    assert regtrace("annotate", mixed, story).exit_code == 0
    assert [flow.type for flow in flows(story)] == [flow.type for flow in flows(mixed)]


def test_a_cut_capture_is_copied_up_to_the_cut(tmp_path: Path) -> None:
    cut, story = tmp_path / "cut.mitm", tmp_path / "story.mitm"
    cut.write_bytes(FAILED.read_bytes()[:-100])
    result = regtrace("annotate", cut, story)
    assert result.exit_code == 2
    assert "damaged at byte" in result.stderr
    assert len(flows(story)) == 6


def test_nothing_is_written_where_it_should_not_be(tmp_path: Path) -> None:
    there = tmp_path / "there.mitm"
    there.write_bytes(b"mine")
    saved = tmp_path / "x.har"
    saved.write_bytes(har())
    for arguments, word in (
        ((FAILED, there), "exists"),
        ((tmp_path / "absent.mitm", tmp_path / "a.mitm"), "no such file"),
        ((saved, tmp_path / "a.mitm"), "HAR file"),
        ((FAILED, tmp_path / "nowhere" / "a.mitm"), "can't be written: No such file"),
    ):
        result = regtrace("annotate", *arguments)
        assert result.exit_code == 2
        (line,) = result.stderr.splitlines()
        assert word in line
    assert sorted(tmp_path.iterdir()) == [there, saved]
    assert there.read_bytes() == b"mine"
    assert regtrace("annotate", FAILED, there, "--force").exit_code == 0
    assert len(flows(there)) == 7
