"""The report as text: verdict first, the failed leg unmistakable, strangers' text harmless."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO, TextIOWrapper

import pytest
from rich.cells import cell_len
from rich.console import Console
from sample_reports import (
    HOSTILE,
    LAYER,
    blob,
    by_id,
    failing_push,
    finding,
    good_push,
    hostile,
    leg,
)

from regtrace.report.model import Damage, Evidence, Report
from regtrace.report.text import print_report, render
from regtrace.report.visible import visible


def draw(report: Report, width: int = 80) -> str:
    return render(report, width=width, color=False)


def pushes(good: int, failed: int) -> Report:
    """Many pushes of equal content; the failed ones come last."""
    report = failing_push()
    bad = report.operations[0]
    fine = good_push().operations[0]
    operations = [replace(fine, id=f"push-{n}", reference=f"good-{n}") for n in range(good)]
    operations += [replace(bad, id=f"push-{good + n}", reference=f"bad-{n}") for n in range(failed)]
    return replace(
        report,
        operations=tuple(operations),
        findings=(finding(operation=f"push-{good}"),) if failed else (),
    )


def with_strip(*legs: tuple[str, str, int | None]) -> Report:
    """The failing push, its layer having these legs: kind, method, status; None is an error."""
    report = failing_push()
    made = tuple(
        leg(n, kind, method, status, error=None if status else "connection reset by peer")
        for n, (kind, method, status) in enumerate(legs, 1)
    )
    ids = tuple(one.id for one in made)
    operation = replace(report.operations[0], transfers=(blob(1, ids),), legs=ids)
    return replace(report, operations=(operation,), legs=by_id(*made), findings=())


@pytest.mark.parametrize("width", [80, 100, 140])
@pytest.mark.parametrize("report", [failing_push(), good_push(), pushes(10, 2)])
def test_lines_keep_to_the_width_but_for_commands(report: Report, width: int) -> None:
    long = [line for line in draw(report, width).splitlines() if cell_len(line) > width]
    assert all(line.startswith("    curl ") for line in long)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_a_command_is_never_wrapped(width: int) -> None:
    (command,) = failing_push().findings[0].check
    assert f"\n    {command}\n" in draw(failing_push(), width)


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        ("ok", "OK"),
        ("failed", "FAILED"),
        ("incomplete", "INCOMPLETE"),
        ("nothing-seen", "NOTHING SEEN"),
    ],
)
def test_the_verdict_comes_first_and_needs_no_colour(outcome: str, word: str) -> None:
    report = failing_push()
    text = draw(replace(report, verdict=replace(report.verdict, outcome=outcome)))
    assert text.startswith(f"{word}  The push of team/app:1.2")


def test_the_failed_leg_is_marked_in_words_and_colour() -> None:
    text = render(failing_push(), width=80, color=True)
    assert "\x1b[1;31m!! S3 HEAD 403\x1b[0m" in text
    assert text.count("!!") == 1


def test_without_colour_there_is_no_escape() -> None:
    assert "\x1b" not in draw(failing_push())


def test_no_color_in_the_environment_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(file=BytesText("utf-8"), force_terminal=True, color_system="standard")
    print_report(failing_push(), console)
    assert "\x1b[1;31m" not in written(console)


def test_legs_outside_transfers_are_the_session() -> None:
    assert "  session  GET 401 → token 200\n" in draw(failing_push())


def test_where_there_is_room_the_strip_stands_beside_its_row() -> None:
    (row,) = [line for line in draw(failing_push(), 140).splitlines() if "blob ab12" in line]
    assert row.endswith("HEAD 307 → !! S3 HEAD 403")


def test_equal_neighbours_fold() -> None:
    chunks = [("upload-chunk", "PATCH", 202)] * 6
    text = draw(with_strip(("upload-start", "POST", 202), *chunks, ("upload-commit", "PUT", 201)))
    assert "POST 202 → PATCH 202 ×6 → PUT 201" in text  # noqa: RUF001


def test_a_transport_error_and_an_unanswered_request_show() -> None:
    report = with_strip(("upload-chunk", "PATCH", None), ("upload-chunk", "PATCH", 202))
    first, second = report.legs.values()
    legs = by_id(first, replace(second, status=None))
    assert "PATCH ✗ → PATCH …" in draw(replace(report, legs=legs))


def test_the_answer_that_ended_a_failed_transfer_is_marked_without_a_finding() -> None:
    report = with_strip(("blob-head", "HEAD", 404), ("upload-start", "POST", 403))
    operation = report.operations[0]
    failed = replace(operation.transfers[0], outcome="failed")
    text = draw(replace(report, operations=(replace(operation, transfers=(failed,)),)))
    assert "HEAD 404 → !! POST 403" in text


def test_a_long_strip_shows_its_ends_and_how_much_is_between() -> None:
    retries = [("upload-chunk", "PATCH", 202), ("upload-status", "GET", 204)] * 50
    assert "→ (82 more) →" in draw(with_strip(*retries))
    assert all(cell_len(line) <= 80 for line in draw(with_strip(*retries)).splitlines())


def test_a_storage_nobody_knows_is_called_storage() -> None:
    assert "storage GET 403" in draw(with_strip(("storage", "GET", 403)))


def test_a_broken_upload_says_how_far_it_came() -> None:
    report = failing_push()
    operation = report.operations[0]
    layer = replace(
        operation.transfers[0], bytes_sent=1_200_000, attempts=6, digest_verified=False, seconds=185
    )
    text = draw(replace(report, operations=(replace(operation, transfers=(layer,)),)), 120)
    assert "1.2 MB of 3.21 MB  3 min 05 s, 6.49 kB/s  failed, 6 tries, WRONG DIGEST" in text


def test_many_good_operations_take_one_line_each_and_failed_ones_stay_full() -> None:
    text = draw(pushes(10, 2))
    assert text.count("push team/app:good-") == 10
    assert text.count("  session  ") == 2
    assert text.index("bad-1") < text.index("good-0")
    assert "  in        push team/app:bad-0\n" in text


def test_a_hundred_operations_stay_a_page() -> None:
    lines = draw(pushes(99, 1)).splitlines()
    assert sum("good-" in line for line in lines) == 99
    assert len(lines) < 99 + 60
    assert all(cell_len(line) <= 80 for line in lines if not line.startswith("    curl "))


def test_rivals_are_named_with_what_tells_them_apart() -> None:
    other = finding(
        id="f2", title="A proxy refused it", check=("curl -v x", "more"), rivals=("f1",)
    )
    silent = finding(id="f3", title="It was the moon", check=())
    first = finding(rivals=("f2", "f3", "gone"))
    text = draw(replace(failing_push(), findings=(first, other, silent)))
    assert "\n  Or: A proxy refused it. Tell them apart with:\n    curl -v x\n" in text
    assert "\n  Or: It was the moon.\n" in text


def test_many_good_transfers_fold() -> None:
    report = failing_push()
    operation = report.operations[0]
    existed = [blob(n, (), outcome="existed") for n in range(3, 15)]
    operation = replace(operation, transfers=(*operation.transfers, *existed))
    text = draw(replace(report, operations=(operation,)))
    assert "  and without trouble: 13 blobs existed\n" in text
    assert text.count("  blob ") == 1


def test_findings_stand_worst_first_with_what_they_explain_beneath() -> None:
    findings = (
        finding(id="n", severity="note", rule="RT900", slug="old-client", title="Old client"),
        finding(id="w", severity="warning", rule="RT800", title="Slow upload", count=3),
        finding(id="s", explained_by="deep", rule="RT500", slug="retries", title="Gave up"),
        finding(id="deep", explained_by="root", rule="RT501", slug="resets", title="Reset"),
        finding(id="root", title="The root", evidence=()),
    )
    text = draw(replace(failing_push(), findings=findings))
    lines = [
        "ERROR RT401 storage-403-on-head · likely",
        "  The root",
        "  explains ERROR Gave up (RT500 retries)",
        "  explains ERROR Reset (RT501 resets)",
        "WARNING RT800 storage-403-on-head · likely, 3 times",
        "NOTE Old client (RT900 old-client)",
    ]
    places = [text.index(f"{line}\n") for line in lines]
    assert places == sorted(places)


def test_the_same_fault_of_another_operation_is_told_once() -> None:
    findings = (
        finding(id="f1", operation="push-0"),
        finding(id="f2", operation="push-1"),
        finding(id="f3", operation="push-2", cause="Another cause."),
    )
    text = draw(replace(pushes(0, 3), findings=findings), 140)
    again = f"{findings[1].title} (RT401 storage-403-on-head; push team/app:bad-1; as above)"
    assert f"ERROR {again} ERROR RT401" in " ".join(text.split())
    assert text.count("  fix  ") == 2


@pytest.mark.parametrize("explained_by", ["nobody", "f1"])
def test_no_finding_is_lost_for_want_of_an_explanation(explained_by: str) -> None:
    lonely = finding(explained_by=explained_by)
    assert lonely.title in draw(replace(failing_push(), findings=(lonely,)))


def test_evidence_names_the_leg_even_where_it_is_missing() -> None:
    gone = finding(evidence=(Evidence("l99", "error", "reset", "the line broke"),))
    assert "  evidence  l99\n" in draw(replace(failing_push(), findings=(gone,)))


def test_damage_is_told_right_after_the_verdict() -> None:
    report = failing_push()
    damaged = replace(report, capture=replace(report.capture, damaged=Damage(4711, "not a flow")))
    paragraphs = " ".join(draw(damaged).split("\n\n")[1].split())
    assert paragraphs == (
        "DAMAGED CAPTURE push.mitm is unreadable from byte 4711 on (not a flow); "
        "what came before is reported here."
    )


def test_legs_of_no_operation_are_not_hidden() -> None:
    report = failing_push()
    stray = leg(50, "connect", "CONNECT", None, error="refused", operation=None)
    text = draw(replace(report, legs={**report.legs, stray.id: stray}))
    assert "outside any operation\n  connect ✗\n" in text


def test_the_last_lines_count_and_prove() -> None:
    assert draw(good_push(), 120).splitlines()[-2:] == [
        (
            "9 flows, 10 legs, 1 operation; shared as: vendor; "
            "secrets replaced by labels: signature 3, token 2"
        ),
        "proof: 5 secrets planted in a copy of this capture, 0 came out",
    ]


@pytest.mark.parametrize("width", [40, 80, 100, 140])
def test_hostile_text_is_shown_and_does_nothing(width: int) -> None:
    text = draw(hostile(failing_push()), width)
    assert all(line.isprintable() for line in text.split("\n"))
    together = "".join(text.split())
    assert "".join(visible(HOSTILE).split()) in together
    for literal in ("[red]x[/]", "[link=http://evil.test]y[/link]", ":warning:", r"\u202e"):
        assert literal in together


def test_hostile_text_brings_no_escape_of_its_own_into_colour() -> None:
    text = render(hostile(failing_push()), width=100, color=True)
    assert "\x1b[31mred" not in text
    assert "\x1b]8" not in text
    assert "\x9b" not in text


def test_hostile_text_starts_no_line_of_the_report() -> None:
    report = failing_push()
    forged = finding(title="x\nOK  all is well", cause="x\nOK  all is well", fix=("x\nOK  y",))
    lines = draw(replace(report, findings=(forged,))).splitlines()
    assert not any(line.startswith("OK") for line in lines)


def test_a_flood_is_cut() -> None:
    assert len(draw(replace(failing_push(), findings=(finding(cause="x" * 10**6),)))) < 10_000


class BytesText(TextIOWrapper):
    """A text file in memory that knows its encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__(BytesIO(), encoding=encoding)


def written(console: Console) -> str:
    file = console.file
    file.flush()
    file.seek(0)
    return file.read()


def test_a_terminal_without_utf8_gets_ascii() -> None:
    console = Console(file=BytesText("ascii"), width=80, force_terminal=False)
    report = failing_push()
    print_report(replace(report, verdict=replace(report.verdict, sentence="größer")), console)
    text = written(console)
    assert text.startswith("FAILED  gr\\xf6\\xdfer\n")
    assert "HEAD 307 -> !! S3 HEAD 403" in text
    assert f"blob {LAYER[7:19]}..." in text
