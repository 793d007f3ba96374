"""Addon: where a server speaks no TLS, its client sees just that.

mitmproxy speaks TLS with the client all the same, and then answers 502. Docker and containerd take
that for a registry with TLS, and don't go on with http where they are told to (moby
daemon/internal/distribution/pull.go, containerd core/remotes/docker/resolver.go HTTPFallback). So
the client gets what such a server itself answers to a TLS handshake: plain HTTP.
"""

from __future__ import annotations

from typing import Any

from mitmproxy import connection
from mitmproxy.proxy.mode_specs import ReverseMode

from regtrace.proxy.guard import guarded
from regtrace.proxy.plain_answer import PlainAnswer
from regtrace.proxy.tunnels import failed_tunnel, forget_oldest, pass_on
from regtrace.wire.transport import Failure, read_failure


class PlainServers:
    name = "regtrace-plain-servers"

    def __init__(self) -> None:
        self._plain: dict[str, connection.Server] = {}
        """By the client connection's id: the server that it asked for."""

    @guarded
    def tls_failed_server(self, data: Any) -> None:
        client, server = data.context.client, data.conn
        # It may be another proxy on the way out that speaks no TLS; and in mode reverse the client
        # speaks TLS with this one, not with the server.
        meant = server is data.context.server and not isinstance(client.proxy_mode, ReverseMode)
        if meant and read_failure(server.error or "") is Failure.NOT_TLS:
            self._plain[client.id] = server
            forget_oldest(self._plain)

    @guarded
    async def tls_start_client(self, data: Any) -> None:
        """Comes next, with nothing said to the client yet, unless the options say otherwise."""
        client = data.context.client
        server = self._plain.pop(client.id, None)
        if server is None or server.address is None:
            return
        data.ssl_conn = PlainAnswer()
        failed = failed_tunnel(
            client,
            server,
            server.address,
            reason=server.error or "",
            tunnel="server-tls",
            started=client.timestamp_start,
        )
        await pass_on(failed)

    @guarded
    def client_disconnected(self, client: connection.Client) -> None:
        self._plain.pop(client.id, None)
