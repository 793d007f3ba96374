"""mitmproxy's modes in which no client names to it whom it asks (reverse, transparent), and SOCKS5:
it connects before there is a request, and the request alone has the name."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http, platform
from mitmproxy.test import tflow
from proxying import (
    PATIENCE,
    PING,
    Proxied,
    agrees,
    client,
    free_port,
    hears,
    proxy,
    request_head,
    run,
    server,
)

from regtrace.proxy.flows import exchange_of
from regtrace.proxy.saved import flow_of
from site_authority import Authority

NAME = "registry.example.com"


async def is_registry(reader: Any, writer: Any) -> None:
    await request_head(reader)
    writer.write(PING)
    await writer.drain()


def ask(port: int, host: str = NAME) -> int:
    """Straight to the proxy, as if it were the registry; 0: it hung up."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/v2/", headers={"Host": host, "User-Agent": "docker/20.10.24"})
        return connection.getresponse().status
    except (ConnectionError, OSError):
        return 0
    finally:
        connection.close()


def refuse_the_certificate(port: int) -> None:
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
    with sock, pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(sock, server_hostname=NAME)


def ask_by_socks(port: int, there: int) -> int:
    """How SOCKS answers the wish to be connected to a port of 127.0.0.1 (RFC 1928)."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(b"\x05\x01\x00")
        assert sock.recv(2) == b"\x05\x00"
        sock.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + there.to_bytes(2, "big"))
        return sock.recv(10)[1]


@pytest.fixture
def redirected(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """What the system's firewall tells a transparent proxy: whom the client connected to."""

    def to(port: int) -> None:
        monkeypatch.setattr(platform, "original_addr", lambda _: ("127.0.0.1", port))

    return to


# --- nobody is there


async def _tells_of_nobody(proxied: Proxied, confdir: Path, port: int) -> None:
    await agrees(proxied, confdir)
    (finding,) = proxied.report["findings"]
    assert finding["slug"] == "tcp-refused-or-timeout"
    assert len(proxied.flows()) == len(proxied.report["legs"]) == 1
    assert str(port) in finding["title"]


@pytest.mark.parametrize("strategy", ["eager", "lazy"])
@pytest.mark.parametrize("mode", ["reverse", "transparent"])
def test_a_registry_that_is_down(
    tmp_path: Path,
    confdir: Path,
    redirected: Callable[[int], None],
    mode: str,
    strategy: str,
) -> None:
    async def story() -> None:
        port = free_port()
        redirected(port)
        spec = f"reverse:http://127.0.0.1:{port}" if mode == "reverse" else mode
        options = {"connection_strategy": strategy, "mode": [spec]}
        async with proxy(tmp_path, confdir, **options) as proxied:
            await client(ask, proxied.port, f"127.0.0.1:{port}")
        await _tells_of_nobody(proxied, confdir, port)

    run(story())


def test_a_registry_that_is_down_behind_socks(tmp_path: Path, confdir: Path) -> None:
    async def story() -> None:
        port = free_port()
        async with proxy(tmp_path, confdir, mode=["socks5"]) as proxied:
            assert await client(ask_by_socks, proxied.port, port) == 4  # host unreachable
        await _tells_of_nobody(proxied, confdir, port)

    run(story())


# --- whom the client asked


def test_a_transparent_proxy_takes_the_name_from_the_request(
    tmp_path: Path, confdir: Path, redirected: Callable[[int], None]
) -> None:
    async def story() -> None:
        async with (
            server(is_registry) as port,
            proxy(tmp_path, confdir, mode=["transparent"]) as proxied,
        ):
            redirected(port)
            assert await client(ask, proxied.port, f"{NAME}:{port}") == 200
        await agrees(proxied, confdir)
        assert proxied.leg("ping")["url"] == f"http://{NAME}:{port}/v2/"

    run(story())


def test_a_transparent_proxy_that_is_not_trusted_names_whom_the_client_meant(
    tmp_path: Path, confdir: Path, authority: Authority, redirected: Callable[[int], None]
) -> None:
    async def story() -> None:
        options = {"mode": ["transparent"], "ssl_verify_upstream_trusted_ca": str(authority.path)}
        async with (
            server(is_registry, authority.server()) as port,
            proxy(tmp_path, confdir, **options) as proxied,
        ):
            redirected(port)
            refused = hears(proxied, "tls_failed_client")
            await client(refuse_the_certificate, proxied.port)
            await asyncio.wait_for(refused.wait(), PATIENCE)
        await agrees(proxied, confdir)
        assert proxied.leg("connect")["url"] == f"{NAME}:{port}"

    run(story())


@pytest.mark.parametrize(
    ("host", "said", "asked"),
    [
        ("192.0.2.7", f"{NAME}", (NAME, 443)),
        ("192.0.2.7", f"{NAME}:5443", (NAME, 5443)),
        ("2001:db8::7", NAME, (NAME, 443)),
        ("192.0.2.7", "192.0.2.8:5443", ("192.0.2.7", 5443)),
        ("192.0.2.7", "", ("192.0.2.7", 5443)),
        ("192.0.2.7", "not a host/", ("192.0.2.7", 5443)),
        # Where the client named a host to the proxy, that is the one.
        ("mirror.example.com", NAME, ("mirror.example.com", 5443)),
    ],
)
@pytest.mark.parametrize("field", ["Host", ":authority"])
def test_whom_the_client_asked(host: str, said: str, asked: tuple[str, int], field: str) -> None:
    flow = tflow.tflow()
    flow.request = http.Request.make("GET", "https://x.test/v2/")
    flow.request.host, flow.request.port = host, 5443
    flow.request.headers.clear()
    if field == "Host":
        flow.request.authority = ""
        flow.request.headers["Host"] = said
    else:
        flow.request.authority = said
    for each in (flow, flow_of(flow.get_state())):
        request = exchange_of(each).request
        assert (request.host, request.port) == asked
