"""A leg in the words of the page: what it asked, what came back, and all that was read from it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Set
from http import HTTPStatus
from itertools import islice
from typing import Any

from regtrace.report.model import Leg
from regtrace.report.visible import clock, date, duration, short_digest
from regtrace.report.words import VENDORS

_HOST = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#@\s]{1,260})", re.IGNORECASE)

_ASKED = {
    "token": "token",
    "blob-head": "blob",
    "blob-get": "blob",
    "blob-delete": "blob",
    "mount": "mount",
    "upload-start": "new upload",
    "upload-chunk": "data",
    "upload-commit": "commit",
    "upload-status": "upload status",
    "upload-cancel": "cancel upload",
    "manifest-head": "manifest",
    "manifest-get": "manifest",
    "manifest-put": "manifest",
    "manifest-delete": "manifest",
    "tags": "list of tags",
    "catalog": "catalog",
    "referrers": "referrers",
    "storage": "object",
}
"""What the method is about; a leg of any other kind is known by its path."""

_NAMES = {
    "answered_by": "answered by",
    "asked": "scope asked for",
    "challenges": "sign-in asked for",
    "credentials": "credentials sent",
    "granted": "scope granted",
    "issued_token": "token issued",
    "location": "answer points to",
    "reference": "tag",
    "session": "upload session",
    "signature": "signed URL",
    "signed_at": "signed",
    "expires_at": "expires",
    "not_before": "valid from",
    "token": "token sent",
    "tunnel": "broke at",
    "vendor": "storage",
}
"""Keys of ``decoded`` that need other words than their own."""

_MOMENTS = frozenset({"not_before", "expires", "signed_at", "expires_at", "started"})
_DIGESTS = frozenset({"upload-commit", "blob-head", "blob-get", "mount", "storage"})

_USUAL = {("blob-head", 404), ("manifest-head", 404)}
"""Answers that say: it is not there yet. So does every 401 that asks to sign in."""

_DEEPEST = 4
_MOST_ROWS = 60


def host(url: str) -> str | None:
    """``registry.test:5000`` of its URL."""
    found = _HOST.match(url)
    return found[1] if found else None


def place(leg: Leg) -> str:
    """The host that the leg went to; empty where it is not known."""
    return host(leg.url) or (leg.url if leg.kind == "connect" else "")


def path(url: str) -> str:
    """The URL without scheme, host and query, digests shortened as docker does."""
    rest = _HOST.sub("", url, count=1).partition("?")[0]
    return "/".join(map(short_digest, rest.split("/"))) or "/"


def asked(leg: Leg) -> str:
    """``HEAD blob ab12cd34ef56…``, ``PATCH data``, ``connect to registry.test``."""
    if leg.kind == "connect":
        return f"connect to {place(leg)}"
    what = _ASKED.get(leg.kind)
    if what is None:
        return f"{leg.method} {path(leg.url)}"
    digest = leg.decoded.get("digest") if leg.kind in _DIGESTS else None
    named = short_digest(str(digest)).partition(":")[2] if digest else ""
    return " ".join(word for word in (leg.method, what, named) if word)


def answered(leg: Leg) -> str:
    """``403 DENIED``, ``307 to s3.test``, ``201 Created``, or how it broke."""
    if leg.status is None:
        return leg.error or "no answer seen"
    said = _error_code(leg) or _phrase(leg.status)
    location = leg.decoded.get("location")
    if 300 <= leg.status < 400 and location:
        said = f"go to {host(str(location)) or location}"
    broke = f", then {leg.error}" if leg.error else ""
    return f"{leg.status} {said}".rstrip() + broke


def outcome(leg: Leg) -> str:
    """``403``, ``broke``, ``no answer``: the answer in a word."""
    if leg.status is not None:
        return str(leg.status)
    return "broke" if leg.error else "no answer"


def state(leg: Leg, failed: Set[str]) -> str:
    """``bad``: a failure; ``open``: worth a look; ``plain``: as is usual; ``good``."""
    if leg.id in failed:
        return "bad"
    if leg.error is not None or leg.status is None:
        return "open"
    fallen_back = leg.kind == "mount" and leg.status == 202
    if 300 <= leg.status < 400 or fallen_back:
        return "plain"
    if leg.status < 300:
        return "good"
    return "plain" if (leg.kind, leg.status) in _USUAL or leg.status == 401 else "open"


def moment(epoch: float) -> str:
    """Date and time of day, UTC."""
    return f"{date(epoch)} {clock(epoch)} UTC"


def after(epoch: float, since: float) -> str:
    """``+0.14 s``: seconds since something else, before it with a minus."""
    gap = epoch - since
    return f"\N{MINUS SIGN}{duration(-gap)}" if gap < 0 else f"+{duration(gap)}"


def lasted(leg: Leg) -> float | None:
    """Seconds, where the end was seen."""
    return None if leg.ended is None else max(leg.ended - leg.started, 0.0)


def read(leg: Leg) -> list[tuple[str, str]]:
    """All that was read from the leg, each with its name."""
    return list(islice(_rows(leg.decoded, "", leg.started, _DEEPEST), _MOST_ROWS))


def _rows(
    values: Mapping[str, Any], before: str, began: float, left: int
) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{before}{_NAMES.get(key, key.replace('_', ' '))}"
        if isinstance(value, Mapping) and left:
            yield from _rows(value, f"{name}: ", began, left - 1)
        elif isinstance(value, (list, tuple)) and left:
            yield from ((name, _plain(key, item, began)) for item in value)
        elif value not in (None, ""):
            yield name, _plain(key, value, began)


def _plain(key: str, value: Any, began: float) -> str:
    if key in _MOMENTS and isinstance(value, (int, float)) and math.isfinite(value):
        gap = value - began
        side = "after" if gap >= 0 else "before"
        return f"{moment(value)}, {duration(abs(gap))} {side} this leg began"
    if isinstance(value, (Mapping, list, tuple)):
        return f"({len(value)} values)"
    return VENDORS.get(str(value), str(value)) if key == "vendor" else str(value)


def _error_code(leg: Leg) -> str:
    error = leg.decoded.get("error")
    return str(error.get("code") or "") if isinstance(error, Mapping) else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
