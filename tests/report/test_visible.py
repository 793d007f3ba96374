"""``visible``: no character of a stranger acts on the terminal; and the numbers read well."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from sample_reports import HOSTILE

from regtrace.report.visible import clock, date, duration, rate, short_digest, size, visible


@given(st.text(st.characters()))
def test_nothing_unprintable_is_left(text: str) -> None:
    assert visible(text).isprintable()


@given(st.text(st.characters()))
def test_the_result_is_stable(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.text(st.characters()), st.integers(min_value=1, max_value=40))
def test_a_limit_is_kept_and_escapes_stay_whole(text: str, limit: int) -> None:
    whole, cut = visible(text), visible(text, limit=limit)
    assert len(cut) <= limit
    if cut != whole:
        assert cut.endswith("…")
        assert whole.startswith(cut[:-1])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("team/app:1.2", "team/app:1.2"),
        ("größe 大小", "größe 大小"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x00\x07\x7f\x9b", r"\x00\x07\x7f\x9b"),
        ("a\tb\r\nc", r"a\tb\r\nc"),
        ("\u202ecod\u2069", r"\u202ecod\u2069"),
        ("a\u200bb\u200d\ufeff\xad", r"a\u200bb\u200d\ufeff\xad"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("a\xa0b\u3000c", r"a\xa0b\u3000c"),
        ("\udc80\ue000", r"\udc80\ue000"),
        ("\u3164\u2800\ufe0f\u034f", r"\u3164\u2800\ufe0f\u034f"),
        ("\U000e0041", r"\U000e0041"),
        ("[red]x[/] :warning:", "[red]x[/] :warning:"),
    ],
)
def test_what_becomes_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_only_the_characters_asked_for_are_kept() -> None:
    assert visible("a\n\tb\x1b", keep="\n") == "a\n\\tb\\x1b"


def test_a_cut_falls_before_an_escape_not_inside() -> None:
    assert visible("ab\x1bcdef", limit=5) == "ab…"
    assert visible("abcde", limit=5) == "abcde"


def test_every_hostile_character_keeps_its_place() -> None:
    assert cell_len(visible(HOSTILE)) == len(visible(HOSTILE))


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (3_200, "3.2 kB"),
        (999_499, "999 kB"),
        (999_999, "1 MB"),
        (1_070_000_000, "1.07 GB"),
        (5 * 10**18, "5 EB"),
    ],
)
def test_size(count: int, shown: str) -> None:
    assert size(count) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.00 s"),
        (0.004, "<0.01 s"),
        (0.04, "0.04 s"),
        (9.996, "10.0 s"),
        (12.3, "12.3 s"),
        (59.97, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.9, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (-12.3, "-12.3 s"),
        (math.nan, "?"),
        (math.inf, "?"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_rate() -> None:
    assert rate(8_100_000, 1.0) == "8.1 MB/s"
    assert rate(8_100_000, 0) == rate(0, 1) == rate(1, math.nan) == ""


def test_times_are_utc() -> None:
    assert clock(1_700_000_000.5) == "22:13:20.500"
    assert date(1_700_000_000.5) == "2023-11-14"
    assert clock(math.nan) == clock(1e300) == date(math.inf) == "?"


def test_short_digest() -> None:
    assert short_digest("sha256:ab12cd34ef56" + "0" * 52) == "sha256:ab12cd34ef56…"
    assert short_digest("sha512:" + "f" * 128) == "sha512:ffffffffffff…"
    assert short_digest("digest-3") == "digest-3"
