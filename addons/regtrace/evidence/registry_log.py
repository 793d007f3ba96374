"""The registry's own log: why it answered as it did, where the answer itself does not say.

distribution writes one JSON object a line; those of failed requests carry ``err.code`` and
``err.detail`` (registry/handlers/app.go logError). A wrong S3 secret, an unknown key and a missing
bucket give the same 500 on the wire; only here they differ. Lines of other shapes are passed over.

The log is read as a stream; only lines that belong to one of the legs are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from regtrace.wire.dates import read_http_date, read_iso
from regtrace.wire.jsontext import parse_json
from regtrace.wire.leg import Leg

#: A line of distribution's log has a few kilobytes; a longer one is somebody else's.
MOST_LINE = 64 * 1024
#: Seconds by which a logged request may lie outside its leg: the ``Date`` header that gives the
#: clocks' difference counts whole seconds.
TOLERANCE = 2.0


@dataclass(frozen=True, slots=True)
class LogLine:
    """One failed request as its registry logged it."""

    time: float
    """Epoch seconds UTC, by the registry's clock."""
    method: str
    path: str
    code: str
    message: str
    detail: str
    request_id: str | None

    @property
    def said(self) -> str:
        return ": ".join(part for part in (self.code, self.message, self.detail) if part)


def join(lines: Iterable[bytes], legs: Iterable[Leg]) -> dict[str, LogLine]:
    """Leg id → what the registry logged of it. A line that fits two legs alike is left out."""
    waiting: dict[tuple[str, str], list[Leg]] = {}
    for leg in legs:
        if leg.endpoint is not None and leg.refused:
            path = leg.exchange.request.target.partition("?")[0]
            waiting.setdefault((leg.method, path), []).append(leg)
    joined: dict[str, LogLine] = {}
    for raw in lines:
        line = read_line(raw)
        if line is None:
            continue
        fitting = [leg for leg in waiting.get((line.method, line.path), ()) if _fits(line, leg)]
        if len(fitting) == 1:
            joined[fitting[0].id] = line
    return joined


def read_line(raw: bytes) -> LogLine | None:
    """A line about a request that failed, or None."""
    start = raw.find(b"{")
    if start < 0 or b'"err.code"' not in raw:
        return None
    content = parse_json(raw[start:].strip(), MOST_LINE)
    if not isinstance(content, dict):
        return None
    time = read_iso(str(content.get("time", "")))
    method, uri = content.get("http.request.method"), content.get("http.request.uri")
    if time is None or not isinstance(method, str) or not isinstance(uri, str):
        return None
    request_id = content.get("http.request.id")
    return LogLine(
        time=time,
        method=method,
        path=uri.partition("?")[0],
        code=_text(content.get("err.code")),
        message=_text(content.get("err.message")),
        detail=_text(content.get("err.detail")),
        request_id=request_id if isinstance(request_id, str) else None,
    )


def _fits(line: LogLine, leg: Leg) -> bool:
    """Whether the line was written while the leg was answered, by the registry's clock."""
    response = leg.exchange.response
    date = read_http_date(response.headers.get("Date")) if response else None
    offset = date - response.started if response and date is not None else 0.0
    begun, ended = leg.started + offset, leg.last_seen + offset
    return begun - TOLERANCE <= line.time <= ended + TOLERANCE


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
