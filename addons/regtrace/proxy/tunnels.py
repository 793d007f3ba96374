"""Addon: tunnels that failed before any request become flows, so that a capture keeps them.

mitmproxy saves no flow for a refused or unresolvable CONNECT, nor for a client that does not trust
the proxy's certificate: the user reads "Bad Gateway" and the capture is empty. Each such failure
is written as a CONNECT flow with the error, which replays and reads like any other.
"""

from __future__ import annotations

import time
from typing import Any

from mitmproxy import addonmanager, certs, connection, ctx, eventsequence, flow, http
from mitmproxy.proxy.mode_specs import (
    LocalMode,
    ProxyMode,
    ReverseMode,
    Socks5Mode,
    TransparentMode,
)

from regtrace.proxy.flows import NOTES
from regtrace.proxy.guard import guarded
from regtrace.proxy.hosts import Hosts
from regtrace.proxy.plain_answer import PlainAnswer
from regtrace.wire.hosts import is_address

#: Connections that failed, remembered until a flow tells of them.
_MOST = 1_000


class Tunnels:
    name = "regtrace-tunnels"

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._errors: dict[tuple[str, Any], str] = {}
        """Of a client's connection and the server's address: why that could not be reached."""
        self._rejected: dict[tuple[str, Any], list[certs.Cert]] = {}
        """Of the same: the certificates that were not accepted."""
        self._speaking: dict[str, None] = {}
        """Clients' connections on which something was said."""

    @guarded
    def tls_clienthello(self, data: Any) -> None:
        self._speaks(data.context.client)

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self._speaks(flow.client_conn)

    @guarded
    def client_disconnected(self, client: connection.Client) -> None:
        self._speaking.pop(client.id, None)

    def _speaks(self, client: connection.Client) -> None:
        self._speaking[client.id] = None
        forget_oldest(self._speaking)

    @guarded
    async def server_connect_error(self, data: Any) -> None:
        """The reason stands here; the CONNECT that it ends comes next, without it. Without a
        CONNECT, mitmproxy connects before the client has spoken, and then hangs up on it."""
        client, server, reason = data.client, data.server, data.server.error or ""
        self._errors[client.id, server.address] = reason
        forget_oldest(self._errors)
        if (
            client.id not in self._speaking
            and _is_sent_to_one_place(client.proxy_mode)
            and self._hosts.looks_into(*server.address[:2])
        ):
            failed = failed_tunnel(
                client,
                server,
                server.address[:2],
                reason=reason or "the connection failed",
                tunnel="server-connect",
                started=client.timestamp_start,
            )
            await pass_on(failed)

    @guarded
    async def http_connect_error(self, flow: http.HTTPFlow) -> None:
        asked = flow.request
        if not self._hosts.looks_into(asked.host, asked.port):
            return
        reason = self._errors.pop((flow.client_conn.id, (asked.host, asked.port)), "")
        if not reason and flow.response is not None:
            reason = f"CONNECT was answered {flow.response.status_code}"
        failed = failed_tunnel(
            flow.client_conn,
            flow.server_conn,
            (asked.host, asked.port),
            reason=reason or "CONNECT failed",
            tunnel="server-connect",
            started=asked.timestamp_start,
        )
        agent = asked.headers.get("user-agent")
        if agent is not None:
            failed.request.headers["User-Agent"] = agent
        dumper = ctx.master.addons.get("dumper")
        # From 12.2.2 on, mitmdump prints the CONNECT itself; once is enough.
        await pass_on(failed, but=dumper if hasattr(dumper, "http_connect_error") else None)

    @guarded
    async def tls_failed_client(self, data: Any) -> None:
        if isinstance(data.ssl_conn, PlainAnswer):
            return  # that was no handshake, and is told (plain_servers.py)
        host, port = (data.context.server.address or ("unknown", 443))[:2]
        if data.conn.sni and (host == "unknown" or is_address(host)):
            host = data.conn.sni  # a transparent proxy knows no other name
        failed = failed_tunnel(
            data.conn,
            data.context.server,
            (host, port),
            reason=data.conn.error or "the TLS handshake failed",
            tunnel="client-tls",
            started=data.conn.timestamp_start,
        )
        await pass_on(failed)

    @guarded
    def tls_failed_server(self, data: Any) -> None:
        """The rejected certificates become part of the flow that is saved for the failure."""
        chain = data.ssl_conn.get_peer_cert_chain() or []
        data.conn.certificate_list = [certs.Cert.from_pyopenssl(cert) for cert in chain]
        where = data.context.client.id, data.conn.address
        self._rejected[where] = data.conn.certificate_list
        forget_oldest(self._rejected)

    @guarded
    def error(self, flow: http.HTTPFlow) -> None:
        """With ``connection_strategy=lazy``, the flow knows nothing of the failed connection."""
        if not flow.server_conn.certificate_list:
            where = flow.client_conn.id, (flow.request.host, flow.request.port)
            flow.server_conn.certificate_list = self._rejected.get(where, [])


def _is_sent_to_one_place(mode: ProxyMode) -> bool:
    """Whether somebody chose what comes here: no whole machine's traffic, of which anything may
    fail."""
    if isinstance(mode, ReverseMode):
        return mode.scheme in {"http", "https"}
    return isinstance(mode, (TransparentMode, Socks5Mode)) or (
        isinstance(mode, LocalMode) and bool(mode.data)
    )


def forget_oldest(remembered: dict[Any, Any]) -> None:
    while len(remembered) > _MOST:
        del remembered[next(iter(remembered))]


def failed_tunnel(
    client: connection.Client,
    server: connection.Server,
    address: tuple[str, int],
    *,
    reason: str,
    tunnel: str,
    started: float | None,
) -> http.HTTPFlow:
    """The CONNECT that came to nothing, as a flow. ``started``: epoch seconds."""
    failed = http.HTTPFlow(client, server)
    now = time.time()
    failed.request = http.Request(
        host=address[0],
        port=address[1],
        method=b"CONNECT",
        scheme=b"",
        authority=f"{address[0]}:{address[1]}".encode("utf-8", "backslashreplace"),
        path=b"",
        http_version=b"HTTP/1.1",
        headers=http.Headers(),
        content=b"",
        trailers=None,
        timestamp_start=started or now,
        timestamp_end=now,
    )
    failed.error = flow.Error(reason.encode("utf-8", "backslashreplace").decode(), now)
    failed.metadata[NOTES] = {"tunnel": tunnel}
    return failed


async def pass_on(failed: http.HTTPFlow, but: Any = None) -> None:
    """To every addon but one, as Master.load_flow does; that would also turn the address into the
    target of a reverse proxy."""
    for event in eventsequence.iterate(failed):
        for addon in ctx.master.addons.chain:
            if addon is not but:
                with addonmanager.safecall():
                    await ctx.master.addons.invoke_addon(addon, event)
