"""The page: what stands in it, that its links lead somewhere, that it stays small and harmless."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from sample_pages import (
    MARKUP,
    ends_in_mid_upload,
    hostile,
    long_push,
    many_pushes,
    not_seen,
    rich,
)
from sample_reports import START, failing_push, finding, good_push
from test_forms import nothing_seen, odd_times

from regtrace.report import html
from regtrace.report.html.ladder import ladder
from regtrace.report.html.timeline import Timeline, timeline
from regtrace.report.model import Damage, Evidence, Report, Verdict
from regtrace.report.words import failed_legs

VOID = {"meta", "link", "br", "input", "hr", "img"}
SELF_CLOSING = {"line", "rect", "path"}


class Page(HTMLParser):
    """A page as a parser that is not ours reads it: elements with their attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.raw: dict[str, str] = {}
        self.open: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag} has an attribute twice"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SELF_CLOSING
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"style", "script"}:
            self.raw[self.open[-1]] = data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]

    def attribute(self, tag: str, name: str) -> Iterator[str]:
        return (found[name] for each, found in self.tags if each == tag and name in found)


def page(report: Report) -> Page:
    return Page(html.render(report))


REPORTS = {
    "failing": failing_push,
    "good": good_push,
    "rich": rich,
    "nothing seen": nothing_seen,
    "odd times": odd_times,
    "mid-upload": ends_in_mid_upload,
    "hostile": lambda: hostile(rich(), spare=("id", "legs", "outcome", "kind")),
    "all hostile": lambda: hostile(rich()),
    "300 legs": lambda: long_push(300),
    "50 pushes": lambda: many_pushes(50),
    "much not seen": lambda: replace(rich(), not_seen=not_seen(100)),
}
each_report = pytest.mark.parametrize("made", REPORTS.values(), ids=REPORTS)
Made = Callable[[], Report]


# --- what every page keeps to


@each_report
def test_every_element_is_closed_and_every_link_leads_somewhere(made: Made) -> None:
    seen = page(made())
    assert seen.open == []
    ids = seen.values("id")
    assert len(ids) == len(set(ids))
    assert all(ids)
    for href in seen.values("href"):
        assert href.removeprefix("#") in ids if href[0] == "#" else href.startswith("https://")
    for names in [*seen.values("aria-labelledby"), *seen.values("data-tools")]:
        assert set(names.split()) <= set(ids)


@each_report
def test_the_policy_allows_this_style_and_this_script_alone(made: Made) -> None:
    seen = page(made())
    (policy,) = (tag["content"] for _, tag in seen.tags if "http-equiv" in tag)
    hashes = {
        kind: "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for kind, text in seen.raw.items()
    }
    assert policy == (
        f"default-src 'none'; style-src '{hashes['style']}'; script-src '{hashes['script']}';"
        " base-uri 'none'; form-action 'none'"
    )
    names = {name for _, attributes in seen.tags for name in attributes}
    assert not {name for name in names if name.startswith("on")}
    assert not names & {"style", "src", "srcset", "action", "ping"}
    assert [tag for tag, _ in seen.tags if tag in {"script", "style"}] == ["style", "script"]


@each_report
def test_it_fits(made: Made) -> None:
    assert len(html.render(made()).encode()) < html.MOST


@each_report
def test_every_picture_is_told_in_words(made: Made) -> None:
    seen = page(made())
    pictures = [tag for name, tag in seen.tags if name == "svg" and "height" in tag]
    ids = {tag["id"] for name, tag in seen.tags if name in {"title", "desc"} and "id" in tag}
    assert sum(len(tag["aria-labelledby"].split()) for tag in pictures) == len(ids)
    assert {id_ for tag in pictures for id_ in tag["aria-labelledby"].split()} == ids


def test_it_begins_as_a_file_of_ours() -> None:
    assert html.render(hostile(rich())).startswith(
        "<!doctype html>\n<!-- regtrace/report/1 -->\n<html"
    )


# --- what is said


def test_the_verdict_says_it_all() -> None:
    seen = page(failing_push())
    for said in (
        "FAILED push team/app:1.2 → registry.test:5050",
        "The storage refused the check of a layer that was just pushed",
        "Leg 9 of 9 failed: HEAD object at registry.test:5050 → 403 Forbidden",
        "Who must act whoever runs the registry's storage",
        "Compare the bucket policy with the registry's documented S3 policy.",
        "After the commit the client asks HEAD for the layer.",
        "Confidence likely",
        "Not seen the storage's error text",
    ):
        assert said in seen.text


def test_a_good_push_says_what_went_well() -> None:
    seen = page(good_push())
    assert "OK push team/app:1.2 → registry.test:5050" in seen.text
    assert "1 blob existed." in seen.text
    assert "Digests that match the bytes on the wire: 1." in seen.text
    assert "Findings" not in seen.text


def test_several_failures_stand_on_the_cover() -> None:
    seen = page(many_pushes(30))
    first, _, rest = seen.text.partition("Layers and steps")
    assert "push team/app0:1.2" in first
    assert all(f"push team/app{number}:1.2" in first for number in (10, 20))
    assert "push team/app1:1.2" not in first
    assert "push team/app1:1.2" in rest


def test_equal_failures_are_one_line_of_the_cover() -> None:
    report = many_pushes(30)
    operations = tuple(replace(one, repository="team/app") for one in report.operations)
    first, _, _ = page(replace(report, operations=operations)).text.partition("Layers and steps")
    assert "push team/app:1.2 → registry.test:5050 , 2 times" in first


def test_a_push_that_did_not_end_says_where_it_stopped() -> None:
    report = failing_push()
    operation = replace(report.operations[0], outcome="incomplete")
    told = finding(severity="warning", title="The client went away")
    stopped = replace(
        report,
        verdict=Verdict("incomplete", "The push did not end in this capture."),
        operations=(operation,),
        findings=(told,),
    )
    text = page(stopped).text
    assert "INCOMPLETE push team/app:1.2 → registry.test:5050 The client went away" in text
    assert "Leg 9 of 9 failed: HEAD object" in text


def test_the_same_cause_is_told_once() -> None:
    seen = page(many_pushes(30))
    assert len([tag for tag, _ in seen.tags if tag == "article"]) == 1
    assert {"finding-0", "finding-10", "finding-20"} <= set(seen.values("id"))


def test_a_finding_has_its_rival_its_symptoms_and_its_suppression() -> None:
    seen = page(rich())
    assert "Or it is The storage's proxy refuses HEAD . Tell them apart with:" in seen.text
    assert "It explains RT401 The layer is not there" in seen.text
    assert "until 2026-12-31 (The storage team changes the policy, ticket STO-7.);" in seen.text
    assert "Accepted until 2026-12-31: The storage team" in seen.text


def test_what_the_client_said_stands_beside_its_leg() -> None:
    page = Page(html.render(rich()))
    assert "l9 error parsing HTTP 403 response body" in page.text
    assert "push.log, line 3; known by its status" in page.text
    assert "no leg denied push.log, line 4; not joined: two legs fit" in page.text


def test_a_step_with_lines_of_configuration_keeps_them() -> None:
    text = html.render(failing_push())
    assert "<pre>storage:\n  redirect:\n    disable: true\n</pre>" in text


def test_a_leg_has_its_time_its_offset_and_what_was_read() -> None:
    seen = page(rich())
    assert "2023-11-14 22:13:20.900 UTC, +0.90 s" in seen.text
    assert "scope granted repository:team/app:pull,push" in seen.text
    assert "signed URL: expires 2023-11-14 22:33:20.800 UTC" in seen.text


def test_legs_have_the_anchors_that_people_write() -> None:
    assert {"leg-1", "leg-9"} <= set(page(many_pushes(1)).values("id"))


def test_a_damaged_capture_is_said_to_be() -> None:
    report = failing_push()
    damaged = replace(report.capture, damaged=Damage(1234, "no flow begins here"))
    assert (
        "unreadable from byte 1234 on (no flow begins here)"
        in page(replace(report, capture=damaged)).text
    )


def test_the_redaction_box_counts_and_proves() -> None:
    text = page(failing_push()).text
    assert "Redacted for vendor ." in text
    assert "2 token" in text
    assert "0 of 5 secrets that were planted in a copy of this capture came out" in text


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://docs.test/a?b=c#d", True),
        ("javascript:alert(1)", False),
        ("https://docs.test/\"onclick='x'", False),
        ("https://user:pass@docs.test/", False),
        ("http://docs.test/", False),
    ],
)
def test_only_a_plain_web_address_becomes_a_link(url: str, linked: bool) -> None:
    report = replace(failing_push(), findings=(finding(references=(url,)),))
    seen = page(report)
    assert (url in seen.values("href")) == linked
    assert url in seen.text


# --- the pictures


def drawn(report: Report) -> Timeline:
    (operation,) = report.operations
    picture = timeline(operation, report.legs, failed_legs(report), report.findings)
    assert picture is not None
    return picture


def test_a_token_that_ends_in_mid_upload_is_seen_to() -> None:
    picture = drawn(ends_in_mid_upload())
    (life,) = picture.lives
    session, upload = picture.rows
    assert session.text == "session"
    assert life.early
    assert life.cut == pytest.approx(50)
    (bar,) = upload.bars
    assert bar.state == "bad"
    assert bar.x < life.cut < bar.x + bar.width
    assert life.ends == "ends 5.00 s before the last leg does"
    assert upload.facts == "3.21 MB, 9.90 s, 324 kB/s"


def test_a_lifetime_by_another_clock_is_said() -> None:
    report = rich()
    date = Evidence("l9", "response.header.Date", "Tue, 14 Nov 2023 22:43:21 GMT", "its clock")
    told = replace(report, findings=(finding(evidence=(date,)),))
    said = [life.ends for life in drawn(told).lives if life.name == "signed URL"]
    assert said == ["over since 10 min 00 s by the clock of s3.test:9000"]


def test_an_axis_of_round_steps() -> None:
    report = ends_in_mid_upload()
    legs = dict(report.legs)
    legs["l1"] = replace(legs["l1"], ended=START + 7 * 60)
    assert [tick.text for tick in drawn(replace(report, legs=legs)).ticks] == [
        *("0", "+2 min 00 s", "+4 min 00 s", "+6 min 00 s"),
    ]


def test_the_sequence_marks_the_failing_arrow_and_folds_repeats() -> None:
    report = long_push(300)
    (operation,) = report.operations
    picture = ladder(operation, report.legs, failed_legs(report), report.findings)
    arrows = [row for row in picture.rows if row.actor]
    assert [row.answer for row in arrows if row.state == "bad"] == ["500"]
    texts = [row.text for row in picture.rows]
    times = "\N{MULTIPLICATION SIGN}"
    folded = [f"PATCH data {times}10", f"PATCH data {times}9", "PATCH data"]
    assert [arrow.text for arrow in arrows] == folded
    assert texts[0] == "blob 000000000000…, and 28 more that went the same way"
    assert "RT401 storage-403-on-head" in texts


def test_a_token_that_was_fetched_in_between_stands_in_between() -> None:
    report = failing_push()
    legs = dict(report.legs)
    legs["l6"] = replace(legs["l6"], kind="token", transfer=None, status=200)
    (operation,) = report.operations
    layer, config = operation.transfers
    kept = tuple(id_ for id_ in layer.legs if id_ != "l6")
    operation = replace(operation, transfers=(replace(layer, legs=kept), config))
    picture = ladder(operation, legs, failed_legs(report), report.findings)
    asked = [row.text for row in picture.rows if row.actor]
    assert [asked.index(text) for text in ("POST new upload", "PATCH token", "PUT commit")] == [
        *(4, 5, 6),
    ]


def test_the_sequence_names_who_was_asked() -> None:
    report = rich()
    (operation,) = report.operations
    picture = ladder(operation, report.legs, failed_legs(report), report.findings)
    assert [(actor.role, actor.host) for actor in picture.actors] == [
        ("client", "docker"),
        ("registry", "registry.test:5050"),
        ("token server", "auth.test"),
        ("S3", "s3.test:9000"),
    ]
    assert picture.rows[-1].finding == "f1"


# --- long and hostile


def test_a_large_capture_keeps_failures_in_full_and_says_so() -> None:
    report = many_pushes(3_000)
    text = html.render(report)
    assert len(text.encode()) < html.MOST
    seen = Page(text)
    assert "operations that failed are drawn above, these are a line each" in seen.text
    assert re.search(r"[\d]+ legs are left out here", seen.text)
    ids = set(seen.values("id"))
    assert {f"leg-{number * 10 + 9}" for number in range(0, 100, 10)} <= ids


def test_300_legs_are_all_there() -> None:
    seen = page(long_push(300))
    assert sum(tag == "details" and "leg" in has["class"] for tag, has in seen.tags) == 300


def test_markup_of_strangers_is_text_and_nothing_of_theirs_is_invisible() -> None:
    report = hostile(rich(), spare=("id", "legs", "outcome", "kind", "severity"))
    text = html.render(report)
    seen = Page(text)
    assert MARKUP[:40] in " ".join(seen.texts)
    assert "{{7*7}}" in seen.text
    assert seen.comments == [" regtrace/report/1 "]
    assert all(character == "\n" or character.isprintable() for character in text)
    assert {tag for tag, _ in seen.tags} <= {tag for tag, _ in page(rich()).tags}
    assert not any("pwned" in href for href in seen.values("href"))
