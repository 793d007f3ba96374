"""Dates as registries, clouds and proxies write them, read into epoch seconds UTC (float).

Nothing here knows the present: whether a date has passed is judged elsewhere, against the clock
of the server that answered. What can't be read is None.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

#: The longest real date ("Wednesday, 06-Nov-94 08:49:37 GMT") has 33 characters.
_LONGEST_DATE = 64

#: The last second of the year 9999, where ``datetime`` and RFC 3339 both end.
_LAST_EPOCH = 253_402_300_799

#: RFC 9110 5.6.7: the form that is sent, and the two old ones that must still be understood.
_HTTP_FORMS = (
    re.compile(
        r"[a-z]{3}, (?P<day>[0-9]{1,2}) (?P<month>[a-z]{3}) (?P<year>[0-9]{4})"
        r" (?P<clock>[0-9:]{8}) (?:gmt|utc)"
    ),
    re.compile(
        r"[a-z]{6,9}, (?P<day>[0-9]{2})-(?P<month>[a-z]{3})-(?P<year>[0-9]{2})"
        r" (?P<clock>[0-9:]{8}) gmt"
    ),
    re.compile(
        r"[a-z]{3} (?P<month>[a-z]{3}) (?P<day>[ 0-9][0-9]) (?P<clock>[0-9:]{8}) (?P<year>[0-9]{4})"
    ),
)
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})")

#: RFC 3339; the compact form of S3 (``20261123T194500Z``); and the shorter ones that an Azure SAS
#: may use (learn.microsoft.com, "Create a service SAS": date alone, or without seconds).
_ISO = re.compile(
    r"(?P<year>[0-9]{4})-?(?P<month>[0-9]{2})-?(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2}):?(?P<minute>[0-9]{2})"
    r"(?::?(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone>[Zz]|[+-][0-9]{2}:?[0-9]{2}))?"
)


def read_http_date(text: str | None) -> float | None:
    """An HTTP date (RFC 9110 5.6.7) in any of its three forms.

    A two-digit year is read as POSIX does it (69 to 99 are 19xx): the rule of the RFC needs to
    know the present.
    """
    wanted = _short(text).lower()
    match = next((m for form in _HTTP_FORMS if (m := form.fullmatch(wanted))), None)
    clock = _CLOCK.fullmatch(match["clock"]) if match else None
    if match is None or clock is None or match["month"] not in _MONTHS:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year += 1900 if year >= 69 else 2000
    hour, minute, second = (int(part) for part in clock.groups())
    return _epoch(year, _MONTHS.index(match["month"]) + 1, int(match["day"]), hour, minute, second)


def read_iso(text: str | None) -> float | None:
    """An RFC 3339 date with up to nine fraction digits, or a form of S3 or Azure (UTC)."""
    match = _ISO.fullmatch(_short(text))
    if match is None:
        return None
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    whole = _epoch(year, month, day, hour, minute, second)
    if whole is None:
        return None
    return whole + float(f"0.{match['fraction'] or 0}") - _offset(match["zone"])


def read_epoch(text: str | None) -> float | None:
    """Seconds since 1970 in decimal digits, as ``Expires`` of a signed URL has them."""
    wanted = _short(text)
    if not re.fullmatch(r"[0-9]{1,12}", wanted):
        return None
    return float(wanted) if int(wanted) <= _LAST_EPOCH else None


def _short(text: str | None) -> str:
    return text.strip() if text is not None and len(text) <= _LONGEST_DATE else ""


def _epoch(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float | None:
    leap = second == 60  # a leap second is legal in both grammars, not in datetime
    try:
        moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=_UTC)
    except ValueError:
        return None
    return (moment - _START) / timedelta(seconds=1) + leap


def _offset(zone: str | None) -> int:
    """Seconds that a zone such as ``+02:00`` is ahead of UTC."""
    if zone is None or zone in "Zz":
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return -seconds if zone[0] == "-" else seconds


_UTC = timezone.utc
_START = datetime(1970, 1, 1, tzinfo=_UTC)
