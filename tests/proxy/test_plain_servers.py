"""A server that speaks no TLS looks through the proxy as it does without: a client that may go on
with http does, and one that may not is told so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxying import (
    PING,
    Proxied,
    agrees,
    answer,
    client,
    client_hello,
    connect,
    proxy,
    run,
    server,
    through,
)


async def speaks_http(reader: Any, writer: Any) -> None:
    """Go's net/http answers a ClientHello so."""
    said = await reader.read(4096)
    writer.write(PING if said.startswith(b"GET /v2/") else answer("400 Bad Request"))
    await writer.drain()


def hello(port: int, target: str) -> bytes:
    """What comes upon a ClientHello in a tunnel."""
    sock, head = connect(port, target)
    assert b" 200 " in head.splitlines()[0]
    with sock:
        sock.sendall(client_hello())
        return sock.recv(4096)


async def _tells(proxied: Proxied, confdir: Path, *slugs: str) -> None:
    await agrees(proxied, confdir)
    assert [finding["slug"] for finding in proxied.report["findings"]] == list(slugs)


def test_a_client_that_may_do_without_tls_goes_on(tmp_path: Path, confdir: Path) -> None:
    async def story() -> None:
        async with server(speaks_http) as port, proxy(tmp_path, confdir) as proxied:
            target = f"127.0.0.1:{port}"
            # By these five bytes Go knows such a server (net/http transport.go, RecordHeaderError).
            assert (await client(hello, proxied.port, target))[:5] == b"HTTP/"
            status, _ = await client(through, proxied.port, f"http://{target}/v2/")
            assert status == 200
        await _tells(proxied, confdir)
        assert proxied.report["verdict"]["outcome"] == "ok"
        assert proxied.leg("connect")["decoded"]["tunnel"] == "server-tls"

    run(story())


def test_a_client_that_may_not_is_told(tmp_path: Path, confdir: Path) -> None:
    async def story() -> None:
        async with server(speaks_http) as port, proxy(tmp_path, confdir) as proxied:
            await client(hello, proxied.port, f"127.0.0.1:{port}")
        await _tells(proxied, confdir, "server-speaks-http-on-tls-port")
        assert len(proxied.flows()) == 1

    run(story())
