"""Addon: a server that takes a connection and then never answers the TLS handshake becomes a flow.

mitmproxy says nothing of it: it waits for ten minutes, and does not notice that the client left.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from mitmproxy import http

from regtrace.proxy.guard import guarded
from regtrace.proxy.tunnels import failed_tunnel, pass_on
from regtrace.proxy.unfinished import Unfinished

#: Seconds after which a handshake has failed; Go's clients give up after 10 (net/http
#: DefaultTransport TLSHandshakeTimeout).
_PATIENCE = 12.0
#: Seconds that it must have taken when mitmproxy ends, to be told of.
_TOLD = 3.0


class Handshakes:
    name = "regtrace-handshakes"

    def __init__(self, unfinished: Unfinished) -> None:
        self._unfinished = unfinished
        self._open: dict[str, tuple[float, Any, asyncio.TimerHandle]] = {}
        """By the server connection's id: since when, mitmproxy's data, when it has failed."""
        self._telling: set[asyncio.Task[None]] = set()

    @guarded
    def tls_start_server(self, data: Any) -> None:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(_PATIENCE, self._give_up, data)
        self._open[data.conn.id] = (time.time(), data, timer)

    @guarded
    def tls_established_server(self, data: Any) -> None:
        self._forget(data.conn.id)

    @guarded
    def tls_failed_server(self, data: Any) -> None:
        self._forget(data.conn.id)

    @guarded
    def server_disconnected(self, data: Any) -> None:
        self._forget(data.server.id)

    @guarded
    def done(self) -> None:
        now = time.time()
        for began, data, timer in self._open.values():
            timer.cancel()
            if now - began >= _TOLD:
                self._unfinished.add(_hung(data, began, now - began))
        self._open.clear()

    def _forget(self, server: str) -> None:
        if server in self._open:
            self._open.pop(server)[2].cancel()

    @guarded
    def _give_up(self, data: Any) -> None:
        began, _, _ = self._open.pop(data.conn.id)
        telling = asyncio.ensure_future(pass_on(_hung(data, began, _PATIENCE)))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)


def _hung(data: Any, began: float, seconds: float) -> http.HTTPFlow:
    return failed_tunnel(
        data.context.client,
        data.conn,
        data.conn.address,
        reason=f"the TLS handshake timed out: no answer for {seconds:.0f} s",
        tunnel="server-tls",
        started=began,
    )
