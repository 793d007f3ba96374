"""Addon: blobs pass through as they come, hashed and counted; nothing of them is held.

mitmproxy by itself takes a whole layer into memory before it sends the first byte on: docker's
bar stands at 100 % while nothing has reached the registry, and a 1 GB layer costs 3 GB. Small
bodies that the diagnosis reads (manifests, tokens, error pages) stay with mitmproxy's own way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mitmproxy import ctx, http

from regtrace.proxy.flows import NOTES, algorithm_of, is_readable
from regtrace.proxy.guard import guarded, note
from regtrace.proxy.hashing import Hashing


class Stream:
    name = "regtrace-stream"

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if not flow.live:
            return
        if "expect" in flow.request.headers:
            _notes(flow)["expect"] = True
        # mitmproxy can't stream a request that another script has answered already.
        if flow.response is None:
            _tee(flow, flow.request, "request_body", is_blob=_carries_blob(flow.request))

    @guarded
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        response = flow.response
        if flow.live and response is not None and flow.request.method != "HEAD":
            is_blob = response.status_code < 300 and not is_readable(response)
            _tee(flow, response, "response_body", is_blob=is_blob)


def _carries_blob(request: http.Request) -> bool:
    """Uploads: every PATCH, and what is sent as plain bytes (distribution-spec end-4b, 5, 6)."""
    if request.method == "PATCH":
        return True
    return request.method in {"PUT", "POST"} and not is_readable(request)


def _tee(flow: http.HTTPFlow, message: http.Message, which: str, *, is_blob: bool) -> None:
    """Stream this body past a tally, unless it is small enough to be left with mitmproxy."""
    length = message.headers.get("content-length", "")
    limit = ctx.options.registry_body_limit
    fits = length.isascii() and length.isdigit() and int(length) <= limit
    # What stream_large_bodies or another script streams although it is small is read as well.
    if length == "0" or (fits and not is_blob and not message.stream):
        return
    notes = _notes(flow)[which] = {"size": 0, "digest": None, "complete": False}
    # A readable body of unknown length is kept as long as it is small, and belongs to the capture.
    keeps = not is_blob and (fits or not length)
    tally = Tally(notes, algorithm_of(flow.request), keep=limit if keeps else 0)
    message.stream = _passing(message, tally, message.stream)


def _notes(flow: http.HTTPFlow) -> dict[str, Any]:
    notes: dict[str, Any] = flow.metadata.setdefault(NOTES, {})
    return notes


class Tally:
    """Counts and hashes the chunks of one body; ``kept`` is all of it while that is little."""

    def __init__(self, notes: dict[str, Any], algorithm: str, *, keep: int) -> None:
        self._notes = notes
        self._keep = keep
        self._hashing = Hashing(algorithm)
        self.kept: list[bytes] | None = [] if keep else None

    def take(self, chunk: bytes) -> None:
        self._notes["size"] += len(chunk)
        self._hashing.take(chunk)
        if self.kept is not None:
            self.kept.append(chunk)
            if self._notes["size"] > self._keep:
                self.kept = None

    def end(self) -> None:
        self._notes.update(digest=self._hashing.digest(), complete=True)


def _passing(
    message: http.Message, tally: Tally, other: Callable[[bytes], Any] | bool
) -> Callable[[bytes], bytes | Iterable[bytes]]:
    """A stream function that always gives back what it got, or what another script makes of it."""
    awaits_end = True

    def passing(chunk: bytes) -> bytes | Iterable[bytes]:
        nonlocal awaits_end
        try:
            if chunk:
                tally.take(chunk)
            elif awaits_end:
                # mitmproxy 11 ends twice when HTTP/2 ends with an empty frame.
                awaits_end = False
                tally.end()
                if tally.kept is not None:
                    message.raw_content = b"".join(tally.kept)
        except Exception as fault:
            # A sum with a gap is worse than none.
            awaits_end = False
            note("stream", fault)
        return other(chunk) if callable(other) else chunk

    return passing
