"""Both sides see byte for byte what they would see through mitmproxy that merely streams."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster
from proxying import (
    PATIENCE,
    UPLOAD,
    Handler,
    Ready,
    answer,
    client,
    proxy,
    request_body,
    request_head,
    run,
    server,
)

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
async def streaming(confdir: Path) -> AsyncIterator[int]:
    """The port of mitmproxy without the suite, that streams every body."""
    master = DumpMaster(
        Options(listen_host="127.0.0.1", listen_port=0, confdir=str(confdir)),
        with_termlog=False,
        with_dumper=False,
    )
    ready = Ready()
    master.addons.add(ready)
    master.options.update(stream_large_bodies="1")
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


def _framed_alike(answered: bytes) -> bytes:
    """Without what depends on how the network cut it: sizes of chunks, and of what mitmproxy says
    of a broken message."""
    answered = re.sub(rb"(?<=\r\n)[0-9a-f]+\r\n|\r\n(?=[0-9a-f]+\r\n)", b"", answered)
    return re.sub(rb"\d+", b"#", answered) if b"Server: mitmproxy" in answered else answered
