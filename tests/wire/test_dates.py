"""Dates of headers, signed URLs and error bodies, read into epoch seconds."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.dates import read_epoch, read_http_date, read_iso

#: 2026-11-23 19:45:00 UTC.
QUARTER_TO_EIGHT = 1795463100.0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Mon, 23 Nov 2026 19:45:00 GMT", QUARTER_TO_EIGHT),
        ("  mon, 23 nov 2026 19:45:00 gmt ", QUARTER_TO_EIGHT),
        ("Monday, 23-Nov-26 19:45:00 GMT", QUARTER_TO_EIGHT),
        ("Mon Nov 23 19:45:00 2026", QUARTER_TO_EIGHT),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777.0),
        ("Sun Nov  6 08:49:37 1994", 784111777.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 1.0),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800.0),
    ],
)
def test_all_three_forms_of_an_http_date(text: str, moment: float) -> None:
    assert read_http_date(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0",
        "-1",
        "Mon, 31 Feb 2026 19:45:00 GMT",
        "Mon, 23 Nov 2026 25:45:00 GMT",
        "Mon, 23 Nov 2026 19:45:00 CET",
        "Mon, 23 Foo 2026 19:45:00 GMT",
        "Mon, \u0662\u0663 Nov 2026 19:45:00 GMT",
        "Mon, 23 Nov 2026 19:45:00 GMT" + " " * 1000,
    ],
)
def test_what_is_no_http_date(text: str | None) -> None:
    assert read_http_date(text) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20261123T194500Z", QUARTER_TO_EIGHT),
        ("2026-11-23T19:45:00Z", QUARTER_TO_EIGHT),
        ("2026-11-23T19:45:00.25Z", QUARTER_TO_EIGHT + 0.25),
        ("2026-11-23T19:45:00.500000000Z", QUARTER_TO_EIGHT + 0.5),
        ("2026-11-23T20:45:00+01:00", QUARTER_TO_EIGHT),
        ("2026-11-23T14:15:00-05:30", QUARTER_TO_EIGHT),
        ("2026-11-23t19:45:00z", QUARTER_TO_EIGHT),
        ("2026-11-23 19:45:00Z", QUARTER_TO_EIGHT),
        ("2026-11-23T19:45Z", QUARTER_TO_EIGHT),
        ("2026-11-23", QUARTER_TO_EIGHT - 19.75 * 3600),
        ("2016-12-31T23:59:60Z", 1483228800.0),
    ],
)
def test_iso_dates_of_registries_s3_and_azure(text: str, moment: float) -> None:
    assert read_iso(text) == moment


@pytest.mark.parametrize("text", [None, "", "2026-13-01", "0000-01-01", "2026-11-23T19:45:00", "x"])
def test_what_is_no_iso_date(text: str | None) -> None:
    assert read_iso(text) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1795463100", QUARTER_TO_EIGHT),
        ("0", 0.0),
        ("253402300800", None),
        ("-1", None),
        ("1.5", None),
        ("1795463100" * 20, None),
        (None, None),
    ],
)
def test_epoch_seconds(text: str | None, moment: float | None) -> None:
    assert read_epoch(text) == moment


@given(st.text() | st.from_regex(r"[0-9TZ:+. -]{1,40}"))
def test_any_text_is_a_date_or_none(text: str) -> None:
    for read in (read_http_date, read_iso, read_epoch):
        assert isinstance(read(text), float | None)


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_every_moment_is_read_as_it_was_written(moment: datetime) -> None:
    assert read_iso(moment.isoformat()) == pytest.approx(moment.timestamp(), abs=1e-4)
    whole = moment.replace(microsecond=0)
    assert read_iso(f"{whole:%Y%m%dT%H%M%SZ}".zfill(16)) == whole.timestamp()
