"""Whether the bytes of a body are those that a digest names."""

from __future__ import annotations

import re

from regtrace.wire.coding import MOST_DECODED, decoded
from regtrace.wire.endpoint import is_digest
from regtrace.wire.exchange import Body, Request, Response
from regtrace.wire.manifest import digest_of

#: A part that is the whole (RFC 9110 14.4): clients that can go on ask for ``bytes=0-`` at first.
_FROM_START = re.compile(r"bytes 0-([0-9]{1,19})/([0-9]{1,19})")


def is_sent_intact(named: str, request: Request) -> bool | None:
    """Whether what the client sent has this digest; None: it was not hashed, or not whole."""
    if "Content-Encoding" in request.headers:
        return None
    return _is_named(named, request.body)


def is_received_intact(named: str, request: Request, response: Response) -> bool | None:
    """Whether what the client got has this digest, as it sees it; None: not known.

    A client undoes a Content-Encoding that it asked for (Go net/http transport.go, containerd
    fetcher.go) and no other. One that named no coding may do either.
    """
    if request.method != "GET" or not _is_whole(response):
        return None
    passed = _is_named(named, response.body)
    coding = (response.headers.get("Content-Encoding") or "").strip().lower()
    if coding in {"", "identity"}:
        return passed
    accepts = request.headers.get("Accept-Encoding")
    if accepts is None:
        return None
    if not asks_for(coding, accepts):
        return passed
    if passed:
        return False  # it is unpacked once more than it was packed
    return _is_unpacked(named, response)


def asks_for(coding: str, accepts: str) -> bool:
    """Whether an ``Accept-Encoding`` names this coding (RFC 9110 12.5.3)."""
    named = {part.partition(";")[0].strip() for part in accepts.lower()[:1000].split(",")}
    return bool({coding, coding.removeprefix("x-"), "*"} & named)


def _is_named(named: str, body: Body) -> bool | None:
    algorithm = named.partition(":")[0]
    if body.digest is None or not body.complete or not is_digest(named):
        return None
    return body.digest == named if body.digest.startswith(f"{algorithm}:") else None


def _is_whole(response: Response) -> bool:
    if response.status == 206:
        part = _FROM_START.fullmatch((response.headers.get("Content-Range") or "").strip())
        return part is not None and int(part[1]) + 1 == int(part[2]) == response.body.size
    return response.status == 200


def _is_unpacked(named: str, response: Response) -> bool | None:
    kept = response.body.kept
    if not kept or not response.body.complete or not is_digest(named):
        return None
    unpacked = decoded(response.headers, kept)
    if unpacked == kept or len(unpacked) >= MOST_DECODED:
        return None
    digest = digest_of(unpacked, named.partition(":")[0])
    return digest == named if digest else None
