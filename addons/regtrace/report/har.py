"""The report as a HAR 1.2 file, for viewers that draw a waterfall: each leg with its comment.

It holds what the report holds and no more: no header and no body. An operation is a page; what
HAR has no field for stands in ``_regtrace``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from regtrace.report.json import indented
from regtrace.report.model import SCHEMA, Finding, Leg, Operation, Report, Transfer
from regtrace.report.visible import moment, seconds_between, visible
from regtrace.report.words import client_name, operation_name, rival_lines, transfer_name

_URL = ":/?#[]@!$&'()*+,;=%"
"""Characters of a URL besides letters, digits and ``_.-~`` (RFC 3986)."""
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|[0-9a-f:.]+", re.IGNORECASE)
_UNKNOWN = -1


def render(report: Report) -> str:
    log = {
        "_report": SCHEMA,
        "version": "1.2",
        "creator": {"name": "regtrace", "version": report.tool.version},
        "comment": visible(report.verdict.sentence),
        "pages": [_page(operation, report.findings) for operation in report.operations],
        "entries": _entries(report),
    }
    return indented({"log": log})


def _page(operation: Operation, findings: Iterable[Finding]) -> dict[str, Any]:
    roots = [finding for finding in findings if finding.id in operation.root_findings]
    return {
        "startedDateTime": moment(operation.started),
        "id": operation.id,
        "title": visible(f"{operation_name(operation)}: {operation.outcome}"),
        "pageTimings": {},
        "comment": "\n".join(
            [
                visible(f"by {client_name(operation)}"),
                *map(_told, roots),
                *(visible(line) for root in roots for line in rival_lines(root, roots)),
            ]
        ),
    }


def _entries(report: Report) -> list[dict[str, Any]]:
    names = {operation.id: operation_name(operation) for operation in report.operations}
    transfers = {t.id: t for operation in report.operations for t in operation.transfers}
    findings: dict[str, list[Finding]] = {}
    for finding in report.findings:
        for leg in dict.fromkeys(finding.legs):
            findings.setdefault(leg, []).append(finding)
    return [
        _entry(leg, names, transfers.get(leg.transfer or ""), findings.get(leg.id, []))
        for leg in report.legs.values()
    ]


def _entry(
    leg: Leg, operations: Mapping[str, str], transfer: Transfer | None, findings: list[Finding]
) -> dict[str, Any]:
    milliseconds = round(seconds_between(leg.started, leg.ended) * 1000, 3)
    url = _url(leg)
    place = [
        operations.get(leg.operation or "", ""),
        transfer_name(transfer) if transfer else "",
        leg.kind,
    ]
    lines = [visible(" · ".join(word for word in place if word))]
    if leg.error is not None:
        lines.append(visible(f"broke: {leg.error}"))
    entry = {
        "startedDateTime": moment(leg.started),
        "time": milliseconds,
        "request": {
            "method": visible(leg.method),
            "url": url,
            "httpVersion": "",
            "cookies": [],
            "headers": [],
            "queryString": _query(url),
            "headersSize": _UNKNOWN,
            "bodySize": _size(leg.request_bytes),
        },
        "response": {
            "status": leg.status or 0,
            "statusText": "",
            "httpVersion": "",
            "cookies": [],
            "headers": [],
            "content": {"size": _size(leg.response_bytes), "mimeType": "x-unknown"},
            "redirectURL": _redirect(leg),
            "headersSize": _UNKNOWN,
            "bodySize": _size(leg.response_bytes),
        },
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "comment": "\n".join([*lines, *map(_told, findings)]),
        "_regtrace": {
            "leg": leg.id,
            "kind": leg.kind,
            "operation": leg.operation,
            "transfer": leg.transfer,
            "error": leg.error,
            "redirected_from": leg.redirected_from,
            "retry_of": leg.retry_of,
            "findings": [finding.id for finding in findings],
            "decoded": leg.decoded,
        },
    }
    if leg.operation in operations:
        entry["pageref"] = leg.operation
    if leg.connection:
        entry["connection"] = leg.connection
    return entry


def _url(leg: Leg) -> str:
    """One that every reader takes: a tunnel has only a place, and a stranger may have written what
    is none."""
    url = quote(leg.url, safe=_URL)
    known = url if "/" in url else f"https://{url}/"
    if _is_readable(known):
        return known
    return f"https://unreadable.invalid/{quote(leg.url, safe='')}"


def _is_readable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        known = parts.port is None or parts.port > 0
    except ValueError:
        return False
    host = parts.hostname or ""
    return known and parts.scheme in {"http", "https"} and _HOST.fullmatch(host) is not None


def _told(finding: Finding) -> str:
    fix = f"\nFix: {finding.fix[0]}" if finding.fix else ""
    said = f"{finding.severity.upper()} {finding.rule} {finding.slug}: {finding.title}{fix}"
    return visible(said, keep="\n")


def _query(url: str) -> list[dict[str, str]]:
    try:
        pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:
        return []
    return [{"name": visible(name), "value": visible(value)} for name, value in pairs]


def _redirect(leg: Leg) -> str:
    location = leg.decoded.get("location")
    is_redirect = leg.status is not None and 300 <= leg.status < 400
    return quote(location, safe=_URL) if is_redirect and isinstance(location, str) else ""


def _size(count: int | None) -> int:
    return _UNKNOWN if count is None else count
