"""Both sides see byte for byte what they would see through mitmproxy that merely streams."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster
from proxying import (
    PATIENCE,
    UPLOAD,
    Handler,
    Ready,
    answer,
    client,
    connect,
    digest,
    proxy,
    request_body,
    request_head,
    run,
    server,
)

from site_authority import Authority

MIB = 1024 * 1024
BODY = bytes(range(256)) * 4096 * 6  # 6 MiB: more than regtrace keeps of any body
JSON = json.dumps({"repositories": ["a" * 6 * MIB]}).encode()
ERROR = json.dumps({"errors": [{"code": "DENIED", "message": "no"}]}).encode()


@dataclass
class Seen:
    """What came through, on both sides."""

    by_server: bytearray = field(default_factory=bytearray)
    by_client: bytes = b""
    over: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def streaming(confdir: Path, **options: Any) -> AsyncIterator[int]:
    """The port of mitmproxy without the suite, that streams every body."""
    master = DumpMaster(
        Options(listen_host="127.0.0.1", listen_port=0, confdir=str(confdir)),
        with_termlog=False,
        with_dumper=False,
    )
    ready = Ready()
    master.addons.add(ready)
    master.options.update(stream_large_bodies="1", **options)
    running = asyncio.ensure_future(master.run())
    await asyncio.wait_for(ready.event.wait(), PATIENCE)
    try:
        yield master.addons.get("proxyserver").listen_addrs()[0][1]
    finally:
        master.shutdown()
        await asyncio.wait_for(running, PATIENCE)


def chunked(body: bytes, trailer: bytes = b"") -> bytes:
    pieces = [body[at : at + 100_000] for at in range(0, len(body), 100_000)]
    sent = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return sent + b"0\r\n" + trailer + b"\r\n"


def replies(reply: bytes) -> Callable[[Seen], Handler]:
    """A server that takes the request, answers so, and closes."""

    def handler(seen: Seen) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await request_head(reader)
            seen.by_server += head + await request_body(reader, head)
            writer.write(reply)
            await writer.drain()

        return handle

    return handler


def refuses_at_once(seen: Seen) -> Handler:
    """413 behind the head; the rest of the body is read all the same, as nginx lingers."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        writer.write(answer("413 Too Large", body=b"<html>").replace(b"Connection: close\r\n", b""))
        await writer.drain()
        seen.by_server += head + await request_body(reader, head)

    return handle


def reads_to_the_end(seen: Seen) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.by_server += await reader.read()

    return handle


def _request(method: str, path: str, *headers: str, body: bytes = b"") -> tuple[str, bytes]:
    length = [f"Content-Length: {len(body)}"] if body else []
    fields = ["Host: r.test", "Connection: close", *headers, *length]
    return "\r\n".join([f"{method} {{url}}{path} HTTP/1.1", *fields, "", ""]), body


CHUNKED = "HTTP/1.1 {} X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
CUT_OFF = b"Content-Length: 99999999"
PLAIN = answer("202 Accepted")
PATCH = ("PATCH", UPLOAD + "u-1")
CASES = {
    "layer": (replies(PLAIN), _request(*PATCH, body=BODY)),
    "layer of unknown length": (
        replies(PLAIN),
        (_request(*PATCH, "Transfer-Encoding: chunked")[0], chunked(BODY)),
    ),
    "layer of no bytes": (replies(PLAIN), _request(*PATCH, "Content-Length: 0")),
    "layer that is cut off": (reads_to_the_end, (_request(*PATCH, CUT_OFF.decode())[0], BODY)),
    "layer that is refused early": (refuses_at_once, _request(*PATCH, body=BODY)),
    "blob": (replies(answer("200 OK", body=BODY)), _request("GET", "/v2/team/app/blobs/sha256:0")),
    "blob that is cut off": (
        replies(answer("200 OK", body=BODY)[: 3 * MIB]),
        _request("GET", "/v2/team/app/blobs/sha256:0"),
    ),
    "JSON of much": (
        replies(answer("200 OK", "Content-Type: application/json", body=JSON)),
        _request("GET", "/v2/_catalog"),
    ),
    "JSON of unknown length": (
        replies(CHUNKED.format(200).encode() + chunked(JSON)),
        _request("GET", "/v2/_catalog"),
    ),
    "error of unknown length": (
        replies(CHUNKED.format(403).encode() + chunked(ERROR)),
        _request("GET", "/v2/"),
    ),
    "error until the connection closes": (
        replies(b"HTTP/1.1 502 X\r\nContent-Type: text/html\r\n\r\n<html>"),
        _request("GET", "/v2/"),
    ),
    "HEAD": (
        replies(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"),
        _request("HEAD", "/v2/team/app/blobs/sha256:0"),
    ),
    "not modified": (replies(b"HTTP/1.1 304 X\r\nEtag: x\r\n\r\n"), _request("GET", "/v2/")),
}


@pytest.mark.parametrize("case", CASES)
def test_http(tmp_path: Path, confdir: Path, case: str) -> None:
    handler, (head, body) = CASES[case]

    async def attempt(port: int) -> Seen:
        seen = Seen()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(seen)(reader, writer)
            finally:
                seen.over.set()

        async with server(handle) as upstream:
            request = head.format(url=f"http://127.0.0.1:{upstream}").encode() + body
            seen.by_client = await client(_send, port, request)
            await asyncio.wait_for(seen.over.wait(), PATIENCE)
        return seen

    async def story() -> None:
        async with streaming(confdir) as port:
            plain = await attempt(port)
        async with proxy(tmp_path, confdir) as proxied:
            ours = await attempt(proxied.port)
        assert plain.by_server
        assert ours.by_server == plain.by_server
        assert _framed_alike(ours.by_client) == _framed_alike(plain.by_client)

    run(story())


def _send(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        with suppress(OSError):
            sock.sendall(request)
        if CUT_OFF in request:
            sock.shutdown(socket.SHUT_WR)
        pieces = []
        with suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                pieces.append(piece)
        return b"".join(pieces)


def _framed_alike(message: bytes) -> bytes:
    """Without what depends on how the network cut it: sizes of chunks, and of what mitmproxy says
    of a broken message. A long body is told by its digest."""
    head, end, body = message.partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        body = _unchunked(body)
    if b"Server: mitmproxy" in message:
        head, body = (re.sub(rb"\d+", b"#", part) for part in (head, body))
    told = body if len(body) < 1000 else f"{len(body)} bytes, {digest(body)}".encode()
    return head + end + told


def _unchunked(body: bytes) -> bytes:
    """Data and trailers; of a body that is cut off, what there is."""
    data = b""
    while (line := re.match(rb"([0-9a-f]+)\r\n", body)) is not None:
        end = line.end() + int(line[1], 16)
        data += body[line.end() : end]
        body = body[end:].removeprefix(b"\r\n")
        if int(line[1], 16) == 0:
            break
    return data + body


# --- who does not read holds up who sends


@pytest.mark.parametrize("way", ["up", "down"])
def test_backpressure(tmp_path: Path, confdir: Path, way: str) -> None:
    """What the proxy takes in while nobody takes it away is no more than buffers hold."""

    async def attempt(port: int) -> int:
        over, came = asyncio.Event(), threading.Event()
        sent = 0

        async def stands_still(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await request_head(reader)
            if way == "down":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
                with suppress(asyncio.TimeoutError):
                    while sent < 100 * MIB:
                        writer.write(BODY[:65536])
                        await asyncio.wait_for(writer.drain(), 1)
                        sent += 65536
                came.set()
            await over.wait()

        def sends(url: str) -> None:
            nonlocal sent
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
                head, _ = _request("GET", "/v2/team/app/blobs/sha256:0")
                if way == "up":
                    head, _ = _request(*PATCH, "Content-Length: 999999999")
                sock.sendall(head.format(url=url).encode())
                if way == "down":
                    came.wait(PATIENCE)
                    return
                sock.settimeout(1)
                with suppress(TimeoutError):
                    while sent < 100 * MIB:
                        sent += sock.send(BODY[:65536])

        async with server(stands_still) as upstream:
            await client(sends, f"http://127.0.0.1:{upstream}")
            over.set()
        return sent

    async def story() -> None:
        async with streaming(confdir) as port:
            plain = await attempt(port)
        async with proxy(tmp_path, confdir) as proxied:
            ours = await attempt(proxied.port)
        # How much before somebody stands still for a second is the machine's own matter.
        assert 0 < plain < 50 * MIB
        assert 0 < ours < 50 * MIB

    run(story())


def test_trailers(tmp_path: Path, confdir: Path) -> None:
    """mitmproxy can't pass them on in HTTP/1: with the suite it fares no worse."""

    async def attempt(port: int) -> tuple[bytes, bytes]:
        seen = Seen()

        async def reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while piece := await reader.read(65536):
                seen.by_server += piece
                if b"X-Checksum: y" in piece or b"0\r\n\r\n" in piece:
                    writer.write(PLAIN)
                    await writer.drain()

        def sends(url: str) -> bytes:
            head = _request(*PATCH, "Transfer-Encoding: chunked")[0].format(url=url).encode()
            with socket.create_connection(("127.0.0.1", port), timeout=4) as sock:
                sock.sendall(head + chunked(BODY[:MIB], b"X-Checksum: y\r\n"))
                with suppress(TimeoutError):
                    return sock.recv(65536)
            return b""

        async with server(reads) as upstream:
            seen.by_client = await client(sends, f"http://127.0.0.1:{upstream}")
        return _framed_alike(bytes(seen.by_server)), seen.by_client

    async def story() -> None:
        async with streaming(confdir) as port:
            plain = await attempt(port)
        async with proxy(tmp_path, confdir) as proxied:
            ours = await attempt(proxied.port)
        assert plain[0]
        assert ours == plain

    run(story())


# --- HTTP/2 on both sides

#: Fits into the window that HTTP/2 begins with.
SOME = BODY[:50_000]
Spoken = list[tuple[str, Any]]


def _in_words(event: Event) -> tuple[str, Any] | None:
    """What an event says to whom it comes."""
    if isinstance(event, (RequestReceived, ResponseReceived, TrailersReceived)):
        fields = {bytes(name): bytes(value) for name, value in event.headers}
        return type(event).__name__, {n: v for n, v in fields.items() if n != b":authority"}
    if isinstance(event, (StreamReset, ConnectionTerminated)):
        return type(event).__name__, event.error_code
    return ("StreamEnded", None) if isinstance(event, StreamEnded) else None


def _take_in(events: list[Event], speaker: H2Connection, heard: Spoken) -> None:
    """Pieces of a body are joined: how it was cut is the network's own affair."""
    for event in events:
        if isinstance(event, DataReceived):
            speaker.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if not heard or heard[-1][0] != "data":
                heard.append(("data", b""))
            heard[-1] = ("data", heard[-1][1] + event.data)
        elif said := _in_words(event):
            heard.append(said)


def _answers_at(which: str) -> Callable[[Spoken], Handler]:
    """A server that answers, with trailers, when it has heard this."""

    def handler(heard: Spoken) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            speaker = H2Connection(H2Configuration(client_side=False))
            speaker.initiate_connection()
            answered = False
            writer.write(speaker.data_to_send())
            while piece := await reader.read(65536):
                _take_in(speaker.receive_data(piece), speaker, heard)
                if not answered and any(word == which for word, _ in heard):
                    answered = True
                    status = "413" if which == "RequestReceived" else "202"
                    speaker.send_headers(1, [(":status", status), ("x-made", "up")])
                    speaker.send_data(1, SOME)
                    speaker.send_headers(1, [("x-answered", "whole")], end_stream=True)
                writer.write(speaker.data_to_send())
                await writer.drain()

        return handle

    return handler


def _speak_http2(port: int, target: str, confdir: Path) -> Spoken:
    """An upload with trailers; what comes back."""
    context = ssl.create_default_context(cafile=str(confdir / "mitmproxy-ca-cert.pem"))
    context.set_alpn_protocols(["h2"])
    sock, _ = connect(port, target)
    heard: Spoken = []
    with context.wrap_socket(sock, server_hostname="127.0.0.1") as tls:
        assert tls.selected_alpn_protocol() == "h2"
        speaker = H2Connection()
        speaker.initiate_connection()
        head = {":method": "PATCH", ":scheme": "https", ":authority": target}
        speaker.send_headers(1, [*head.items(), (":path", UPLOAD + "u-1")])
        for at in range(0, len(SOME), 10_000):
            speaker.send_data(1, SOME[at : at + 10_000])
        speaker.send_headers(1, [("x-checksum", "y")], end_stream=True)
        while not any(word in {"StreamEnded", "StreamReset"} for word, _ in heard):
            tls.sendall(speaker.data_to_send())
            piece = tls.recv(65536)
            if not piece:
                break
            _take_in(speaker.receive_data(piece), speaker, heard)
    return heard


@pytest.mark.parametrize("when", ["StreamEnded", "RequestReceived"])
def test_http2(tmp_path: Path, confdir: Path, authority: Authority, when: str) -> None:
    """An upload with trailers both ways, answered at its end; and one that is refused early."""
    trusted = {"ssl_verify_upstream_trusted_ca": str(authority.path)}

    async def attempt(port: int) -> tuple[Spoken, Spoken]:
        by_server: Spoken = []
        tls = authority.server()
        tls.set_alpn_protocols(["h2"])
        async with server(_answers_at(when)(by_server), tls) as upstream:
            target = f"127.0.0.1:{upstream}"
            by_client = await client(_speak_http2, port, target, confdir)
        return by_server, by_client

    async def story() -> None:
        async with streaming(confdir, **trusted) as port:
            plain = await attempt(port)
        async with proxy(tmp_path, confdir, **trusted) as proxied:
            ours = await attempt(proxied.port)
        assert ("data", SOME) in plain[1]
        assert ours[1] == plain[1]
        if when == "StreamEnded":
            assert ("data", SOME) in plain[0]
            assert ours[0] == plain[0]

    run(story())
