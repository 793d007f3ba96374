"""Whatever goes wrong on the wire, the live report and two kinds of replay tell the same story."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
from proxying import (
    PATIENCE,
    UPLOAD,
    Handler,
    agrees,
    answer,
    client,
    client_hello,
    connect,
    digest,
    free_port,
    get_over_tls,
    hears,
    proxy,
    request_body,
    request_head,
    run,
    server,
    through,
    trusting,
)

from regtrace.proxy import handshakes
from regtrace.proxy.capture import Reader
from regtrace.proxy.flows import exchange_of
from regtrace.wire.exchange import ServerCertificate
from site_authority import Authority

LAYER = bytes(range(256)) * 4096  # 1 MiB


def reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def accepts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await request_head(reader)
    await request_body(reader, head)
    writer.write(answer("202 Accepted", f"Location: {UPLOAD}u-1?_state=x", "Range: 0-9"))
    await writer.drain()


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_head(reader)
    await reader.readexactly(1000)
    reset(writer)


async def truncates(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_head(reader)
    writer.write(answer("200 OK", body=LAYER)[:200_000])
    await writer.drain()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_head(reader)
    writer.write(b"\x00\x01 no http at all\r\n\r\n")
    await writer.drain()


async def hostile(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request_head(reader)
    writer.write(
        b'HTTP/1.1 401 \xff\x1b[2J\r\nWWW-Authenticate: Bearer realm="\xff\xfe://"\r\n'
        b"Location: http://\xff\xff/\xed\xa0\x80\r\nContent-Length: 3\r\n\r\n\xff{["
    )
    await writer.drain()


@pytest.mark.parametrize(
    ("handler", "method", "path"),
    [
        (accepts, "PATCH", UPLOAD + "u-1"),
        (resets, "PATCH", UPLOAD + "u-1"),
        (truncates, "GET", "/v2/team/app/blobs/" + digest(LAYER)),
        (garbage, "GET", "/v2/"),
        (hostile, "GET", "/v2/team/app/manifests/%ff%00?n=%80"),
    ],
)
def test_server(tmp_path: Path, confdir: Path, handler: Handler, method: str, path: str) -> None:
    async def story() -> None:
        async with server(handler) as port, proxy(tmp_path, confdir) as proxied:
            await client(_attempt, proxied.port, f"http://127.0.0.1:{port}{path}", method)
        await agrees(proxied, confdir)
        assert len(proxied.report["legs"]) == 1

    run(story())


def _attempt(port: int, url: str, method: str) -> None:
    """Whatever the proxy makes of it, the client lives."""
    with suppress(OSError, HTTPException):
        through(port, url, method, body=LAYER if method == "PATCH" else None)


def test_nobody_listens(tmp_path: Path, confdir: Path) -> None:
    async def story() -> None:
        async with proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{free_port()}/v2/"
            status, _ = await client(through, proxied.port, url)
        assert status == 502
        await agrees(proxied, confdir)
        assert "Connect call failed" in proxied.leg("ping")["error"]

    run(story())


@pytest.mark.parametrize("strategy", ["eager", "lazy"])
def test_refused_tunnel(tmp_path: Path, confdir: Path, strategy: str) -> None:
    async def story() -> None:
        async with proxy(tmp_path, confdir, connection_strategy=strategy) as proxied:
            target = f"127.0.0.1:{free_port()}"
            sock, head = await client(connect, proxied.port, target)
            sock.close()
        if strategy == "lazy":
            assert b" 200 " in head.splitlines()[0]  # and nothing was asked for
            return
        assert b" 502 " in head.splitlines()[0]
        await agrees(proxied, confdir)
        assert proxied.report["capture"]["flows"] == 1
        leg = proxied.leg("connect")
        assert "Connect call failed" in leg["error"]
        assert leg["decoded"]["tunnel"] == "server-connect"

    run(story())


def test_name_that_nobody_has(
    tmp_path: Path, confdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_name(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def story() -> None:
        async with proxy(tmp_path, confdir) as proxied:
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_name)
            sock, _ = await client(connect, proxied.port, "registry.invalid:443")
            sock.close()
            monkeypatch.undo()
        await agrees(proxied, confdir)
        assert "Name or service not known" in proxied.leg("connect")["error"]

    run(story())


def test_early_refusal(tmp_path: Path, confdir: Path) -> None:
    """413 after the first bytes; the client sends the rest all the same."""
    answered = threading.Event()

    async def refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        await reader.readexactly(1000)
        writer.write(answer("413 Request Entity Too Large").replace(b"Connection: close\r\n", b""))
        await writer.drain()
        await asyncio.to_thread(answered.wait, PATIENCE)
        await reader.readexactly(len(LAYER) - 1000)
        assert head

    def uploads(port: int, url: str) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            head = f"PATCH {url} HTTP/1.1\r\nHost: r\r\nContent-Length: {len(LAYER)}\r\n\r\n"
            sock.sendall(head.encode() + LAYER[:2000])
            status = sock.recv(1000)
            answered.set()
            sock.sendall(LAYER[2000:])
            return status

    async def story() -> None:
        async with server(refuses) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}{UPLOAD}u-1"
            status = await client(uploads, proxied.port, url)
        assert b" 413 " in status
        await agrees(proxied, confdir)
        assert [leg["status"] for leg in proxied.report["legs"]] == [413]
        assert proxied.report["capture"]["flows"] == 1

    run(story())


def test_client_that_vanishes(tmp_path: Path, confdir: Path) -> None:
    arrived = threading.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        await reader.readexactly(2000)
        arrived.set()
        await reader.read()

    def vanishes(port: int, url: str) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            head = f"PATCH {url} HTTP/1.1\r\nHost: r\r\nContent-Length: 9999\r\n\r\n"
            sock.sendall(head.encode() + bytes(2000))
            arrived.wait(PATIENCE)

    async def story() -> None:
        async with server(waits) as port, proxy(tmp_path, confdir) as proxied:
            broken = hears(proxied, "error")
            await client(vanishes, proxied.port, f"http://127.0.0.1:{port}{UPLOAD}u-1")
            await asyncio.wait_for(broken.wait(), PATIENCE)
        await agrees(proxied, confdir)
        leg = proxied.leg("upload-chunk")
        assert leg["error"]
        assert leg["request_bytes"] == 2000

    run(story())


def test_upload_cut_by_ctrl_c(tmp_path: Path, confdir: Path) -> None:
    """Also an answer that is on its way is in the capture, as far as it came."""
    arrived = threading.Event()
    over = threading.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        if head.startswith(b"GET"):
            writer.write(answer("200 OK", body=LAYER)[:300_000])
            await writer.drain()
        else:
            await reader.readexactly(2000)
            arrived.set()
        await reader.read()

    def uploads(port: int, url: str) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            head = f"PATCH {url}{UPLOAD}u-1 HTTP/1.1\r\nHost: r\r\nContent-Length: 9999\r\n\r\n"
            sock.sendall(head.encode() + bytes(2000))
            over.wait(PATIENCE)

    def downloads(port: int, url: str) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", f"{url}/v2/team/app/blobs/{digest(LAYER)}")
        connection.getresponse().read(200_000)
        over.wait(PATIENCE)

    async def story() -> None:
        async with server(waits) as port:
            async with proxy(tmp_path, confdir) as proxied:
                url = f"http://127.0.0.1:{port}"
                up = asyncio.ensure_future(client(uploads, proxied.port, url))
                await asyncio.to_thread(arrived.wait, PATIENCE)
                down = asyncio.ensure_future(client(downloads, proxied.port, url))
                answered = hears(proxied, "responseheaders")
                await asyncio.wait_for(answered.wait(), PATIENCE)
            over.set()
            await asyncio.gather(up, down)
        await agrees(proxied, confdir)
        sent = proxied.leg("upload-chunk")
        assert (sent["request_bytes"], sent["status"], sent["ended"]) == (2000, None, None)
        assert proxied.leg("blob-get")["status"] == 200

    run(story())


# --- TLS


def test_tls(tmp_path: Path, confdir: Path, authority: Authority) -> None:
    async def story() -> None:
        trusted = str(authority.path)
        async with (
            server(accepts, authority.server()) as port,
            proxy(tmp_path, confdir, ssl_verify_upstream_trusted_ca=trusted) as proxied,
        ):
            target = f"127.0.0.1:{port}"
            said = await client(get_over_tls, proxied.port, target, trusting(confdir))
        assert b" 202 " in said.splitlines()[0]
        await agrees(proxied, confdir)
        assert proxied.leg("ping")["url"] == f"https://{target}/v2/"

    run(story())


@pytest.mark.parametrize("strategy", ["eager", "lazy"])
def test_server_that_the_proxy_does_not_trust(
    tmp_path: Path, confdir: Path, authority: Authority, strategy: str
) -> None:
    async def story() -> None:
        async with (
            server(accepts, authority.server()) as port,
            proxy(tmp_path, confdir, connection_strategy=strategy) as proxied,
        ):
            target = f"127.0.0.1:{port}"
            said = await client(get_over_tls, proxied.port, target, trusting(confdir))
        assert b" 502 " in said.splitlines()[0]
        await agrees(proxied, confdir)
        assert "ertificate verify failed" in proxied.leg("ping")["error"]
        (flow,) = proxied.flows()
        certificate = exchange_of(flow).connection.certificate
        assert certificate is not None
        assert (certificate.subject, certificate.issuer) == ("CN=127.0.0.1", "CN=Test CA")
        assert (certificate.names, certificate.self_signed) == (("127.0.0.1",), False)
        assert certificate.not_before < flow.request.timestamp_start < certificate.not_after
        assert _certificates(proxied.capture) == [certificate]

    run(story())


def _certificates(capture: Path) -> list[ServerCertificate | None]:
    """As ``regtrace report`` reads them."""
    with capture.open("rb") as stream:
        return [exchange.connection.certificate for exchange in Reader(str(capture), stream)]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def leaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Before anything was said."""


@pytest.mark.parametrize("handler", [silent, leaves])
def test_server_that_never_answers_the_handshake(
    tmp_path: Path, confdir: Path, monkeypatch: pytest.MonkeyPatch, handler: Handler
) -> None:
    """mitmproxy itself tells nothing of it, not even that the client leaves."""
    monkeypatch.setattr(handshakes, "_PATIENCE", 0.5)

    def waits(port: int, target: str) -> None:
        with connect(port, target)[0] as sock:
            sock.sendall(client_hello())
            over.wait(PATIENCE)

    over = threading.Event()

    async def story() -> None:
        async with server(handler) as port, proxy(tmp_path, confdir) as proxied:
            told = hears(proxied, "error")
            waiting = asyncio.ensure_future(client(waits, proxied.port, f"127.0.0.1:{port}"))
            await asyncio.wait_for(told.wait(), PATIENCE)
            over.set()
            await waiting
        await agrees(proxied, confdir)
        (leg,) = proxied.report["legs"]
        assert leg["decoded"]["tunnel"] == "server-tls"
        assert "timed out" in leg["error"] or "closed" in leg["error"]

    run(story())


def test_a_server_that_thinks_long_after_the_handshake(
    tmp_path: Path, confdir: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "_PATIENCE", 0.5)
    monkeypatch.setattr(handshakes, "_TOLD", 0.0)

    async def thinks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        await asyncio.sleep(1)
        writer.write(answer("200 OK"))
        await writer.drain()

    async def story() -> None:
        trusted = str(authority.path)
        async with (
            server(thinks, authority.server()) as port,
            proxy(tmp_path, confdir, ssl_verify_upstream_trusted_ca=trusted) as proxied,
        ):
            target = f"127.0.0.1:{port}"
            said = await client(get_over_tls, proxied.port, target, trusting(confdir))
        assert b" 200 " in said.splitlines()[0]
        assert [leg["kind"] for leg in proxied.report["legs"]] == ["ping"]
        await agrees(proxied, confdir)

    run(story())


@pytest.mark.parametrize(("told", "legs"), [(0.0, 1), (60.0, 0)])
def test_handshake_that_hangs_when_mitmproxy_ends(
    tmp_path: Path, confdir: Path, monkeypatch: pytest.MonkeyPatch, told: float, legs: int
) -> None:
    """One that has only just begun is no failure."""
    monkeypatch.setattr(handshakes, "_TOLD", told)

    def waits(port: int, target: str) -> None:
        with connect(port, target)[0] as sock:
            sock.sendall(client_hello())
            over.wait(PATIENCE)

    over = threading.Event()

    async def story() -> None:
        async with server(silent) as port:
            async with proxy(tmp_path, confdir) as proxied:
                begun = hears(proxied, "tls_start_server")
                waiting = asyncio.ensure_future(client(waits, proxied.port, f"127.0.0.1:{port}"))
                await asyncio.wait_for(begun.wait(), PATIENCE)
            over.set()
            await waiting
        assert len(proxied.report["legs"]) == legs
        if legs:
            await agrees(proxied, confdir)

    run(story())


async def in_clear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """No TLS at all."""
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await writer.drain()


async def reset_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    reset(writer)


@pytest.mark.parametrize(
    ("handler", "error", "strategy"),
    [
        (in_clear, "does not speak TLS", "lazy"),
        (reset_at_once, "connection closed", "eager"),
        (reset_at_once, "connection closed", "lazy"),
    ],
)
def test_server_that_breaks_the_handshake(
    tmp_path: Path, confdir: Path, handler: Handler, error: str, strategy: str
) -> None:
    async def story() -> None:
        async with (
            server(handler) as port,
            proxy(tmp_path, confdir, connection_strategy=strategy) as proxied,
        ):
            target = f"127.0.0.1:{port}"
            said = await client(get_over_tls, proxied.port, target, trusting(confdir))
        assert b" 502 " in said.splitlines()[0]
        await agrees(proxied, confdir)
        (leg,) = proxied.report["legs"]
        assert error in leg["error"]

    run(story())


def test_client_that_does_not_trust_a_reverse_proxy(
    tmp_path: Path, confdir: Path, authority: Authority
) -> None:
    """The flow keeps the target's own address; and other flows theirs."""

    def asks(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            ssl.create_default_context().wrap_socket(sock, server_hostname="127.0.0.1")

    async def story() -> None:
        async with server(accepts, authority.server()) as port:
            options = {
                "mode": [f"reverse:https://127.0.0.1:{port}@127.0.0.1:0"],
                "ssl_verify_upstream_trusted_ca": str(authority.path),
            }
            async with proxy(tmp_path, confdir, **options) as proxied:
                refused = hears(proxied, "tls_failed_client")
                with pytest.raises(ssl.SSLError):
                    await client(asks, proxied.port)
                await asyncio.wait_for(refused.wait(), PATIENCE)
        await agrees(proxied, confdir)
        leg = proxied.leg("connect")
        assert leg["decoded"]["tunnel"] == "client-tls"
        (flow,) = proxied.flows()
        assert (flow.request.host, flow.request.port) == ("127.0.0.1", port)

    run(story())


def test_a_registry_that_is_restarted(tmp_path: Path, confdir: Path) -> None:
    """Cut in an upload, then nobody there, and then back."""

    async def story() -> None:
        async with proxy(tmp_path, confdir) as proxied:
            async with server(resets) as port:
                url = f"http://127.0.0.1:{port}{UPLOAD}u-1"
                await client(_attempt, proxied.port, url, "PATCH")
            await client(_attempt, proxied.port, url, "PATCH")
            again = await asyncio.start_server(_serving(accepts), "127.0.0.1", port)
            async with again:
                status, _ = await client(lambda: through(proxied.port, url, "PATCH", body=LAYER))
        assert status == 202
        await agrees(proxied, confdir)
        first, second, third = proxied.report["legs"]
        assert first["error"]
        assert "Connect call failed" in second["error"]
        assert (third["status"], third["request_bytes"]) == (202, len(LAYER))

    run(story())


def _serving(handler: Handler) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handler(reader, writer)
        writer.close()

    return handle


ODD_HOSTS = [
    "xn--\u00e9.test",
    "a_b.test",
    "[::1",
    "[::ffff:1.2.3.4]",
    "x" * 5_000,
    "a\x1b[2J.test",
]


@pytest.mark.parametrize("host", ODD_HOSTS, ids=range(len(ODD_HOSTS)))
def test_tunnel_to_an_odd_name(
    tmp_path: Path, confdir: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """What mitmproxy lets pass as a name, the capture can hold; the others it refuses itself."""

    async def no_name(*args: Any, **kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def asks(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            sock.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            sock.recv(1000)

    async def story() -> None:
        async with proxy(tmp_path, confdir) as proxied:
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_name)
            await client(asks, proxied.port)
            monkeypatch.undo()
        if proxied.capture.stat().st_size:
            await agrees(proxied, confdir)
        assert proxied.report["not_seen"] == []

    run(story())


def test_client_that_does_not_trust_the_proxy(
    tmp_path: Path, confdir: Path, authority: Authority
) -> None:
    async def story() -> None:
        trusted = str(authority.path)
        async with (
            server(accepts, authority.server()) as port,
            proxy(tmp_path, confdir, ssl_verify_upstream_trusted_ca=trusted) as proxied,
        ):
            refused = hears(proxied, "tls_failed_client")
            with pytest.raises(ssl.SSLError):
                await client(
                    get_over_tls, proxied.port, f"127.0.0.1:{port}", ssl.create_default_context()
                )
            await asyncio.wait_for(refused.wait(), PATIENCE)
        await agrees(proxied, confdir)
        leg = proxied.leg("connect")
        assert leg["decoded"]["tunnel"] == "client-tls"
        assert "does not trust the proxy" in leg["error"]

    run(story())


def test_client_that_closes_in_mid_handshake(
    tmp_path: Path, confdir: Path, authority: Authority
) -> None:
    def closes(port: int, target: str) -> None:
        sock, _ = connect(port, target)
        sock.sendall(client_hello())
        sock.recv(1)
        sock.close()

    async def story() -> None:
        trusted = str(authority.path)
        async with (
            server(accepts, authority.server()) as port,
            proxy(tmp_path, confdir, ssl_verify_upstream_trusted_ca=trusted) as proxied,
        ):
            refused = hears(proxied, "tls_failed_client")
            await client(closes, proxied.port, f"127.0.0.1:{port}")
            await asyncio.wait_for(refused.wait(), PATIENCE)
        await agrees(proxied, confdir)
        assert proxied.leg("connect")["decoded"]["tunnel"] == "client-tls"

    run(story())
