"""Addon: with the option registry_hosts, only these hosts are looked into; all others pass sealed.

A sealed connection is tunnelled byte for byte: the client sees the server's own certificate, and
nothing of it is seen or saved. The token server and the storage need not be named: whatever an
allowed host sends a client to is allowed from then on.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from mitmproxy import ctx, http

from regtrace.follow.joins import realms_in
from regtrace.proxy.flows import exchange_of
from regtrace.proxy.guard import guarded
from regtrace.wire.decode import decode

#: Hosts that are learned at most; the oldest is forgotten.
_MOST = 1_000


class Hosts:
    name = "regtrace-hosts"

    def __init__(self) -> None:
        self._learned: dict[str, None] = {}

    def looks_into(self, host: str, port: int) -> bool:
        return not ctx.options.registry_hosts or self._is_allowed(host, port)

    @guarded
    def tls_clienthello(self, data: Any) -> None:
        address = data.context.server.address
        names = [data.client_hello.sni or "", address[0] if address else ""]
        port = address[1] if address else 443
        if not any(self.looks_into(name, port) for name in names if name):
            data.ignore_connection = True

    @guarded
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if not ctx.options.registry_hosts:
            return
        exchange = exchange_of(flow)
        if self._is_allowed(exchange.request.host, exchange.request.port):
            leg = decode(exchange)
            for url in (leg.location, *realms_in(leg)):
                if url is not None:
                    self._learned[url.host] = None
            while len(self._learned) > _MOST:
                del self._learned[next(iter(self._learned))]

    def _is_allowed(self, host: str, port: int) -> bool:
        host = host.lower()
        named = (pattern.lower() for pattern in ctx.options.registry_hosts)
        return host in self._learned or any(
            fnmatchcase(host, pattern) or fnmatchcase(f"{host}:{port}", pattern)
            for pattern in named
        )
