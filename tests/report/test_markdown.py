"""The report as Markdown: what strangers wrote stays words, and it fits into a ticket."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from sample_reports import HOSTILE, failing_push, finding, good_push, hostile, leg

from regtrace.report.markdown import SUMMARY, TICKET, render
from regtrace.report.model import Damage, Report, Suppression

MARKUP = (
    "@team/all #12 !34 $5 ~bug %1 &amp; <img src=x onerror=alert(1)> [x](http://evil.test) *b* _i_"
    " ` `` ``` ~~~ | a | --- === https://evil.test www.evil.test me@evil.test :tada: \\ /close\n"
    "/assign @me\n# title\n- item\n1. one\n> quote\n```mermaid\nend\n$$x$$ {+a+} [[wiki]] ![i](u)"
)

INERT = re.compile(r"[\w\s.,;:!?…()'\"’→←·–—-]*")  # noqa: RUF001
"""Text in which neither CommonMark nor GitHub nor GitLab sees anything but text. A code span is not
looked into by any of them."""

DIAGRAM_LINE = re.compile(
    r"participant (?:C|A\d) as TEXT|C(?:-x|->>)A\d: TEXT|Note over C(?:,A\d)?: TEXT".replace(
        "TEXT", r"(?:[A-Za-z0-9 ./_-]|#\d+;)+"
    )
)


def inline(page: str) -> list[Token]:
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    return [child for token in tokens for child in token.children or []]


def check_inert(page: str) -> None:
    """Nothing but our own markup is in it."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    kinds = {token.type.rpartition("_")[0] for token in tokens}
    assert kinds <= {
        *("heading", "paragraph", "ordered_list", "bullet_list", "list_item", "html"),
        *("", "fence"),
    }
    html = {token.content.strip() for token in tokens if token.type == "html_block"}
    assert all(part.startswith(("<!-- regtrace/", "<details>", "</details>")) for part in html)
    linked = ""
    for token in inline(page):
        if token.type == "text":
            assert INERT.fullmatch(token.content) or token.content in {" = ", linked}
        elif token.type == "html_inline":
            assert token.content == "<br>"
        elif token.type == "link_open":
            linked = str(token.attrs["href"])
            assert linked.startswith("https://")
        else:
            assert token.type in {
                *("code_inline", "softbreak", "strong_open", "strong_close", "link_close"),
                *("em_open", "em_close"),
            }


def diagram(page: str) -> list[str]:
    (drawn,) = re.findall(
        r"^```mermaid\nsequenceDiagram\n(.*?)\n```$", page, re.MULTILINE | re.DOTALL
    )
    return str(drawn).split("\n")


def marked_up(text: str) -> Report:
    report = hostile(failing_push(), spare=("legs", "kind", "outcome", "root_findings", "severity"))
    (bad,) = failing_push().findings
    texts = {
        "title": text,
        "cause": text,
        "fix": (text, text),
        "check": (text,),
        "slug": text,
        "references": (text,),
        "suppression_ended": Suppression(text, text),
    }
    operation = replace(report.operations[0], repository=text, registry=text, reference=text)
    client = replace(operation.client, product=text, version=text)
    return replace(
        report,
        verdict=replace(report.verdict, sentence=text),
        capture=replace(report.capture, name=text, damaged=Damage(1, text)),
        operations=(replace(operation, client=client),),
        findings=(replace(bad, **texts),),
        legs={"l9": leg(9, "storage", text, 403, url=f"https://{text}", decoded={"vendor": text})},
    )


def test_the_failing_push_says_it_all() -> None:
    page = render(failing_push())
    assert page.startswith("<!-- regtrace/report/1 -->\n**FAILED** The push of `team/app:1.2` to ")
    for words in (
        "### `ERROR RT401 storage-403-on-head` The storage refused",
        "**Must act:** whoever runs the registry's storage",
        "1. Compare the bucket policy with the registry's documented S3 policy.",
        "<br>`storage:`<br>`redirect:`<br>`disable: true`",
        "```sh\ncurl -sSI https://registry.test:5050/v2/team/app/blobs/",
        "`PATCH 202`",
        "**`S3 HEAD 403`**",
        "**See:** <https://distribution.github.io/",
        "Redacted for vendor; 0 of 5 planted secrets came out.",
    ):
        assert words in page, words
    check_inert(page)


def test_the_diagram_is_drawn_and_marks_the_failed_arrow() -> None:
    lines = diagram(render(failing_push()))
    assert lines[0] == "participant C as docker 20.10.24 from client-1"
    assert "C->>A1: HEAD 307" in lines
    (failed,) = [line for line in lines if line.startswith("C-x")]
    assert failed.endswith(": S3 HEAD 403")
    assert lines[-1].startswith("Note over C,A2: RT401 ") or lines[-1].startswith("Note over C,A3")
    assert all(DIAGRAM_LINE.fullmatch(line) for line in lines)


def test_a_good_push_is_short() -> None:
    page = render(good_push())
    assert page.startswith("<!-- regtrace/report/1 -->\n**OK** ")
    assert "###" in page
    assert "Must act" not in page
    check_inert(page)


@pytest.mark.parametrize("text", [MARKUP, *MARKUP.split(), "a|`b`|c", "end", "x\n\n---\n\n# y"])
def test_markup_of_strangers_is_inert(text: str) -> None:
    page = render(marked_up(text))
    check_inert(page)
    assert all(DIAGRAM_LINE.fullmatch(line) for line in diagram(page))
    assert not re.search(r": .*\bend\b", "\n".join(diagram(page)), re.IGNORECASE)


@pytest.mark.parametrize(
    "spare", [(), ("legs", "id", "outcome", "kind", "root_findings", "severity")]
)
@pytest.mark.parametrize("text", [MARKUP, HOSTILE])
def test_markup_in_every_field_is_inert(
    text: str, spare: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sample_reports.HOSTILE", text)
    for report in (failing_push(), replace(good_push(), findings=failing_push().findings)):
        page = render(hostile(report, spare=spare))
        check_inert(page)
        assert all(character == "\n" or character.isprintable() for character in page)
        assert all(DIAGRAM_LINE.fullmatch(line) for line in diagram(page))


@settings(deadline=None)  # the machine may be busy
@given(st.text(st.sampled_from("`|\\<>[]()!@#*_-~$:/.&;end 1\n\t\u202e\ud83d"), max_size=40))
def test_any_text_is_inert(text: str) -> None:
    page = render(marked_up(text))
    check_inert(page)
    assert all(DIAGRAM_LINE.fullmatch(line) for line in diagram(page))


def test_it_fits_into_a_ticket_and_says_what_it_left_out() -> None:
    report = failing_push()
    many = tuple(
        finding(id=f"f{n}", cause=f"{n} " + "`é " * 1000, title=f"title {n}") for n in range(200)
    )
    page = render(replace(report, findings=many))
    assert len(page.encode()) <= TICKET
    assert page.startswith("<!-- regtrace/report/1 -->\n**FAILED**")
    assert "the rest is in the whole report" in page
    assert page.rstrip().endswith("came out.")
    check_inert(page)
    summary = render(replace(report, findings=many), SUMMARY)
    assert TICKET < len(summary.encode()) <= SUMMARY


def test_a_long_story_is_drawn_by_its_ends() -> None:
    report = failing_push()
    legs = {f"l{n}": leg(n, "upload-chunk", ("PATCH", "GET")[n % 2], 202) for n in range(1, 1000)}
    operation = replace(report.operations[0], transfers=(), legs=tuple(legs))
    lines = diagram(render(replace(report, operations=(operation,), legs=legs, findings=())))
    assert len(lines) < 50
    assert "Note over C: 964 more steps" in lines


def test_rivals_are_named_with_what_tells_them_apart() -> None:
    other = finding(id="f2", title="A proxy refused it", check=("curl -v x",), rivals=("f1",))
    page = render(replace(failing_push(), findings=(finding(rivals=("f2",)), other)))
    assert "**Or:** A proxy refused it. Tell them apart with: `curl -v x`" in page
