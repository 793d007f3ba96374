"""A real proxy with the suite loaded, small servers that misbehave, and clients that talk to them.

Everything is on 127.0.0.1. The proxy and the servers share one event loop; clients are blocking
code in threads, as short as a client can be.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from regtrace.proxy import guard
from regtrace.proxy.capture import Reader
from regtrace.proxy.history import History
from regtrace.redact.redactor import Redactor
from regtrace.report import json as as_json
from regtrace.report.build import build
from regtrace.report.model import Capture

ADDON = Path(__file__).parents[2] / "addons" / "registry.py"
UPLOAD = "/v2/team/app/blobs/uploads/"
#: Seconds that nothing here needs; a test that hangs fails instead.
PATIENCE = 20

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Proxied:
    """A proxy that runs, and afterwards what it left behind."""

    master: DumpMaster
    port: int
    capture: Path
    report_path: Path
    log: pytest.LogCaptureFixture | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def flows(self) -> list[http.HTTPFlow]:
        """As plain mitmproxy reads them."""
        with self.capture.open("rb") as stream:
            return [f for f in FlowReader(stream).stream() if isinstance(f, http.HTTPFlow)]

    def leg(self, kind: str) -> dict[str, Any]:
        return next(leg for leg in self.report["legs"] if leg["kind"] == kind)


@asynccontextmanager
async def proxy(
    directory: Path,
    confdir: Path,
    *,
    settings: tuple[str, ...] = (),
    beside: tuple[Path, ...] = (),
    **options: Any,
) -> AsyncIterator[Proxied]:
    """mitmproxy with the suite, as ``mitmdump -s addons/registry.py -w`` has it; ``beside`` are
    scripts behind it."""
    capture, report = directory / "push.mitm", directory / "push.json"
    master = DumpMaster(
        Options(listen_host="127.0.0.1", listen_port=0, confdir=str(confdir)),
        with_termlog=False,
        with_dumper=False,
    )
    ready = Ready()
    master.addons.add(ready)
    master.options.set(f"registry_report={report}", *settings, defer=True)
    scripts = [str(ADDON), *map(str, beside)]
    master.options.update(save_stream_file=str(capture), scripts=scripts, **options)
    guard.reset()
    running = asyncio.ensure_future(master.run())
    await asyncio.wait_for(ready.event.wait(), PATIENCE)
    port = master.addons.get("proxyserver").listen_addrs()[0][1]
    proxied = Proxied(master, port, capture, report)
    try:
        yield proxied
    finally:
        master.shutdown()
        await asyncio.wait_for(running, PATIENCE)
    proxied.report = json.loads(report.read_text())


class Ready:
    """Knows when mitmproxy runs."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def running(self) -> None:
        self.event.set()


@asynccontextmanager
async def server(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that handles each connection so."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    serving = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield serving.sockets[0].getsockname()[1]
    finally:
        serving.close()


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 3 * PATIENCE))


async def client(work: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.wait_for(asyncio.to_thread(work, *args), PATIENCE)


def hears(proxied: Proxied, hook: str) -> asyncio.Event:
    """An event that is set when this hook has come to every other addon."""
    heard = asyncio.Event()

    class Ear:
        name = f"ear-{hook}"

    setattr(Ear, hook, lambda self, data: heard.set())
    proxied.master.addons.add(Ear())
    return heard


async def worst_gap(work: Awaitable[Any]) -> float:
    """Seconds for which the loop did not turn, at most, while this went on."""
    doing = asyncio.ensure_future(work)
    worst, last = 0.0, time.perf_counter()
    while not doing.done():
        await asyncio.sleep(0)
        now = time.perf_counter()
        worst, last = max(worst, now - last), now
        await asyncio.sleep(0.001)
        last = time.perf_counter()
    doing.result()
    return worst


async def request_head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def request_body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"chunked" in head.lower():
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return body
    length = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    return await reader.readexactly(int(length[0].split(b":")[1])) if length else b""


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode() + body


#: A registry's answer to ``GET /v2/``.
PING = answer(
    "200 OK",
    "Docker-Distribution-Api-Version: registry/2.0",
    "Content-Type: application/json",
    body=b"{}",
)


def through(port: int, url: str, method: str = "GET", **more: Any) -> tuple[int, bytes]:
    """One plain-http request through the proxy."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        headers = {"User-Agent": "docker/20.10.24", **more.pop("headers", {})}
        connection.request(method, url, headers=headers, **more)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def connect(port: int, target: str) -> tuple[socket.socket, bytes]:
    """A socket to the proxy after ``CONNECT target``, and the answer."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head and (piece := sock.recv(65536)):
        head += piece
    return sock, head


def get_over_tls(port: int, target: str, context: ssl.SSLContext, name: str = "127.0.0.1") -> bytes:
    """All that comes upon a ping in a tunnel to this server, called ``name``."""
    sock, head = connect(port, target)
    assert b" 200 " in head.splitlines()[0]
    with sock, context.wrap_socket(sock, server_hostname=name) as tls:
        lines = ("GET /v2/ HTTP/1.1", f"Host: {target}", "User-Agent: docker/20.10.24", "", "")
        tls.sendall("\r\n".join(lines).encode())
        pieces = []
        while piece := tls.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)


def trusting(confdir: Path) -> ssl.SSLContext:
    """A client that trusts this proxy."""
    return ssl.create_default_context(cafile=str(confdir / "mitmproxy-ca-cert.pem"))


def client_hello() -> bytes:
    """How a client begins TLS."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="r.test")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


# --- what another reading of the capture says


def replayed(capture: Path) -> dict[str, Any]:
    """What ``regtrace report`` says of it."""
    history = History()
    with capture.open("rb") as stream:
        for exchange in Reader(str(capture), stream):
            history.add(exchange)
    named = Capture(capture.name, "file", history.flows, history.first, history.last)
    report = build(history.tellings(), capture=named, redactor=Redactor())
    told: dict[str, Any] = json.loads(as_json.render(report))
    return told


async def replayed_by_mitmproxy(capture: Path, confdir: Path, report: Path) -> dict[str, Any]:
    """What ``mitmdump -nr`` with the suite says of it."""
    master = DumpMaster(
        Options(server=False, confdir=str(confdir)), with_termlog=False, with_dumper=False
    )
    master.options.set(f"registry_report={report}", defer=True)
    master.options.update(rfile=str(capture), scripts=[str(ADDON)])
    await asyncio.wait_for(master.run(), PATIENCE)
    told: dict[str, Any] = json.loads(report.read_text())
    return told


STORY = ("verdict", "operations", "legs", "findings", "not_seen")


def story_of(report: dict[str, Any]) -> dict[str, Any]:
    return {part: report[part] for part in STORY} | {"flows": report["capture"]["flows"]}


async def agrees(proxied: Proxied, confdir: Path) -> None:
    """The live report and two kinds of replay tell the same story."""
    live = story_of(proxied.report)
    assert proxied.report["capture"]["mode"] == "live"
    assert proxied.report["capture"]["name"] == "push.mitm"
    assert not any("regtrace missed" in entry["what"] for entry in live["not_seen"])
    assert story_of(replayed(proxied.capture)) == live
    again = await replayed_by_mitmproxy(
        proxied.capture, confdir, proxied.report_path.with_name("again.json")
    )
    assert again["capture"]["mode"] == "replay"
    assert story_of(again) == live
