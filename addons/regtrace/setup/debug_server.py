"""Asks a registry's debug server: three requests, each bounded in time and size, nowhere else."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, TypeVar

from regtrace.wire.debug_server import (
    MOST,
    DebugServer,
    parse_health,
    parse_metrics,
    parse_variables,
)
from regtrace.wire.url import Url

_T = TypeVar("_T")

#: Seconds for one answer.
PATIENCE = 10.0
_PIECE = 64 * 1024


class Unanswered(Exception):
    """No answer that can be used; the message says why."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A debug server sends nobody elsewhere, so who does is none."""

    def redirect_request(self, *_: Any) -> None:
        return None


def ask(url: Url, metrics_path: str) -> DebugServer:
    """What the debug server at this URL says. Raises Unanswered when it says nothing at all."""
    base = f"{url.origin}{url.path.rstrip('/')}"
    unanswered: dict[str, str] = {}

    def read(path: str, parse: Callable[[bytes], _T], *, failing: int | None = None) -> _T | None:
        try:
            return parse(_get(base + path, failing))
        except (Unanswered, ValueError) as fault:
            unanswered[path] = str(fault)
            return None

    health = read("/debug/health", parse_health, failing=503)
    endpoints = read("/debug/vars", parse_variables)
    metrics = read(metrics_path, parse_metrics)
    if health is None and endpoints is None and metrics is None:
        raise Unanswered("; ".join(f"{path}: {why}" for path, why in unanswered.items()))
    return DebugServer(url.host, health, endpoints, metrics, unanswered)


def _get(url: str, failing: int | None) -> bytes:
    """The body of a 200, or of the status that also has one. Raises Unanswered."""
    # Never through a proxy: the debug server is asked where it is.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    ends = time.monotonic() + PATIENCE
    try:
        with opener.open(url, timeout=PATIENCE) as answer:
            return _body(answer, ends)
    except urllib.error.HTTPError as refusal:
        with refusal:
            if refusal.code != failing:
                raise Unanswered(f"answered {refusal.code}") from None
            return _body(refusal, ends)
    except urllib.error.URLError as fault:
        raise Unanswered(_reason(fault.reason)) from None
    except (OSError, http.client.HTTPException) as fault:
        raise Unanswered(_reason(fault)) from None


def _body(answer: Any, ends: float) -> bytes:
    """Piece by piece, so that a slow drip ends, too."""
    pieces: list[bytes] = []
    size = 0
    while piece := answer.read1(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > MOST:
            raise Unanswered(f"the answer has more than {MOST} bytes")
        if time.monotonic() > ends:
            raise Unanswered(f"the answer took more than {PATIENCE:g} s")
    return b"".join(pieces)


def _reason(fault: object) -> str:
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    return str(fault) or type(fault).__name__
