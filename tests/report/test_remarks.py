"""What stands beside a flow: its place in the story, and what was wrong with it."""

from __future__ import annotations

from regtrace.diagnose.rules.front import body_too_large
from regtrace.follow.tracker import tell
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.remarks import Remark, remarks
from regtrace.report.telling import Telling
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation


def remarks_on(story: str) -> dict[str, Remark]:
    (operation,) = tell([decode(exchange) for exchange in read_notation(story)])
    return remarks(Telling.of(operation), Redactor(Level.VENDOR))


def test_each_leg_says_to_which_push_and_layer_it_belongs() -> None:
    said = remarks_on(
        """
        client docker/20.10.24
        GET /v2/                     -> 401
        token push,pull team/app     -> 200
        POST uploads                 -> 202
        PATCH u1 L1                  -> 202
        PUT u1 L1                    -> 201
        PUT manifest 1 [cfg L1]      -> 201
        """
    )
    assert [remark.marker for remark in said.values()] == [""] * 6
    began = "push team/app → registry.test:443 by docker 20.10.24 · "
    comments = [remark.comment for remark in said.values()]
    assert all(comment.startswith(began) for comment in comments)
    ends = [comment.removeprefix(began) for comment in comments]
    assert ends[:2] == ["ping", "token"]
    assert ends[2].startswith("blob ")
    assert ends[2].endswith(": upload-start")
    assert ends[5] == "manifest 1: manifest-put"


def test_a_failed_leg_has_a_mark_and_its_verdict() -> None:
    said = remarks_on(body_too_large.fires)
    (failed,) = [remark for remark in said.values() if remark.marker]
    assert failed.marker == ":x:"
    first, verdict, fix = failed.comment.splitlines()
    assert first.endswith("upload-chunk")
    assert verdict.startswith("ERROR RT601 body-too-large: ")
    assert fix.startswith("Fix: ")
    assert "{" not in failed.comment


def test_what_strangers_wrote_has_no_power_over_a_terminal() -> None:
    said = remarks_on('client "evil\x1b[2J/1"\nGET /v2/ -> 401\nGET manifest 1 -> 404\n')
    assert not any("\x1b" in remark.comment for remark in said.values())
