"""Strangers on both sides: nothing that they send stops the proxy, holds up others or fills it."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import random
import socket
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from proxying import (
    PATIENCE,
    UPLOAD,
    Proxied,
    answer,
    client,
    proxy,
    request_head,
    run,
    server,
    through,
    worst_gap,
)

from regtrace.proxy import suite
from regtrace.proxy.story import Story
from regtrace.wire.notation import read_notation

MIB = 1024 * 1024
ECHO = "/v2/team/app/manifests/1"
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "x/y", "size": 1, "digest": "sha256:" + "0" * 64},
}


def test_reading_a_long_story_leaves_the_loop_to_the_traffic(
    tmp_path: Path, confdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand legs that are not over are read again whenever one is added."""
    monkeypatch.setattr("regtrace.proxy.story._SOON", 60.0)
    push = """
        client C{n} = docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app{n} -> 200
        POST uploads in=team/app{n} -> 202 s{n}
        PATCH s{n} 5MB -> 202
        PUT s{n} L{n} -> 201
    """
    exchanges = list(read_notation("".join(push.format(n=n) for n in range(400))))

    async def story() -> None:
        async with proxy(tmp_path, confdir, settings=("registry_live=lines",)) as proxied:
            reader: Story = proxied.master.addons.get("regtrace-story")
            reader._news.extend(exchanges)
            took: list[float] = []
            tell = reader._tell

            def timed() -> float | None:
                began = time.perf_counter()
                try:
                    return tell()
                finally:
                    took.append(time.perf_counter() - began)

            monkeypatch.setattr(reader, "_tell", timed)

            async def look() -> None:
                reader._look()
                assert reader._looking is not None
                await asyncio.wait([reader._looking])

            gap = await worst_gap(look())
            assert len(proxied.report) == 0
            assert gap < took[0] / 4

    run(story())


def _scopes() -> bytes:
    scopes = " ".join(f"repository:team/app-{n}:pull,push" for n in range(1_000_000 // 32))
    challenge = f'WWW-Authenticate: Bearer realm="http://auth.test/token",scope="{scopes}"'
    return answer("401 Unauthorized", challenge)


def _token() -> bytes:
    body = json.dumps({"token": "a." * 100_000, "expires_in": 10**400}).encode()
    return answer("200 OK", "Content-Type: application/json", body=body)


def _manifest() -> bytes:
    layers = [
        {"mediaType": "x/y", "size": number, "digest": f"sha256:{number:064x}"}
        for number in range(20_000)
    ]
    body = json.dumps(MANIFEST | {"layers": layers}).encode()
    return answer("200 OK", f"Content-Type: {MANIFEST['mediaType']}", body=body)


ANSWERS = {
    "a million scopes": _scopes,
    "a token of 200 kB": _token,
    "a manifest of 20,000 layers": _manifest,
    "deep JSON": lambda: answer("500 Oh", "Content-Type: application/json", body=b"[" * MIB),
    "a wall of XML": lambda: answer("403 No", "Content-Type: text/xml", body=b"<a>" * 300_000),
    "a header of 1 MB": lambda: answer("200 OK", "X-Long: " + "x" * MIB),
    "10,000 headers": lambda: answer("200 OK", *(f"X-{n}: {n}" for n in range(10_000))),
    "a redirect to itself": lambda: answer("307 Away", f"Location: {ECHO}?" + "a=b&" * 20_000),
    "an upload that leads nowhere": lambda: answer("202 Accepted", "Location: http://[::::]:x/%"),
    "a status of its own": lambda: answer("999 \xff\xfe".encode("latin-1").decode("latin-1")),
}


HOOKS = ("requestheaders", "request", "responseheaders", "response", "error")
#: Seconds of the processor.
MOST = 0.05


def _watched(proxied: Proxied) -> dict[str, float]:
    """What each of our hooks, and a write to the capture, takes on the loop at most."""
    worst: dict[str, float] = {}

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def times(*args: Any) -> Any:
            began = time.thread_time()
            try:
                return work(*args)
            finally:
                worst[name] = max(worst.get(name, 0.0), time.thread_time() - began)

        return times

    for each in suite.addons():
        addon = proxied.master.addons.get(each.name)
        for hook in HOOKS:
            if hasattr(addon, hook):
                setattr(addon, hook, timed(f"{each.name}.{hook}", getattr(addon, hook)))
    file = proxied.master.addons.get("save").stream.fo
    file.write = timed("capture", file.write)
    return worst


DEAREST = ("registry_hosts=127.0.0.1", "registry_redact=true")


@pytest.mark.parametrize("settings", [(), DEAREST], ids=["plain", "redacted"])
@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer(tmp_path: Path, confdir: Path, kind: str, settings: tuple[str, ...]) -> None:
    hostile = ANSWERS[kind]()

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(hostile)
        await writer.drain()

    def asks(port: int, url: str) -> None:
        for method, path in (("GET", ECHO), ("POST", UPLOAD), ("GET", "/token?service=r")):
            head = f"{method} {url}{path} HTTP/1.1\r\nHost: r\r\nConnection: close\r\n\r\n"
            assert _send(port, head.encode(), leaves=False).startswith(b"HTTP/1.1")

    async def story() -> None:
        async with (
            server(answers) as port,
            proxy(tmp_path, confdir, settings=settings) as proxied,
        ):
            gc.freeze()  # a collection of what earlier tests left is no cost of ours
            took = _watched(proxied)
            await client(asks, proxied.port, f"http://127.0.0.1:{port}")
            gc.unfreeze()
        _check(proxied.report)
        assert took["regtrace-story.requestheaders"]
        assert {name: cost for name, cost in took.items() if cost > MOST} == {}

    run(story())


def _send(port: int, request: bytes, *, leaves: bool = True) -> bytes:
    """What is answered; to who leaves, mitmproxy answers only what is there at once.

    mitmproxy 12 now and then does not hang up on who leaves: a close that comes while the reader
    of that connection waits for a lock is lost (proxy/server.py). Nobody here waits for it.
    """
    timeout = 1 if leaves else PATIENCE
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(request)
        if leaves:
            sock.shutdown(socket.SHUT_WR)
        pieces = []
        while piece := sock.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)


def _check(report: dict[str, Any]) -> None:
    assert report["verdict"]
    assert not [lack for lack in report["not_seen"] if "missed" in lack["what"]]


def _requests(url: str) -> list[bytes]:
    """Nonsense, the same in every run."""
    dice = random.Random(8)
    methods = [b"GET", b"PATCH", b"PUT", b"BREW", b"x" * 5_000, b"\xff\xfe"]
    paths = [b"/v2/", UPLOAD.encode(), b"/v2/" + b"a/" * 20_000, b"/%ff%00", b"/?" + b"&=" * 9_000]
    headers = [
        b"Authorization: Bearer " + b"a." * 30_000,
        b"Authorization: Basic \xff=",
        b"Content-Type: application/json\r\nContent-Length: 999999999999",
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff",
        b"Expect: 100-continue\r\nContent-Length: 5",
        b"User-Agent: " + b"docker/" * 10_000,
        b"Content-Range: bytes 9-1/-3",
        b"X: y",
    ]
    made = [
        b"%b %b%b HTTP/1.1\r\nHost: r\r\n%b\r\n\r\n" % (method, url.encode(), path, header)
        for method, path, header in itertools.product(methods, paths, headers)
    ]
    noise = [bytes(dice.randrange(256) for _ in range(200)) for _ in range(20)]
    return [*dice.sample(made, 60), *noise]


def test_requests_and_those_of_others_beside_them(tmp_path: Path, confdir: Path) -> None:
    async def accepts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(answer("202 Accepted"))
        await writer.drain()

    def sends(port: int, requests: list[bytes]) -> None:
        for request in requests:
            with suppress(OSError):
                _send(port, request)

    def pushes(port: int, url: str) -> list[int]:
        return [through(port, url + ECHO, "PUT", body=b"{}")[0] for _ in range(20)]

    async def story() -> None:
        async with server(accepts) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}"
            hostile = asyncio.ensure_future(client(sends, proxied.port, _requests(url)))
            assert await client(pushes, proxied.port, url) == [202] * 20
            await hostile
        _check(proxied.report)

    run(story())


def test_long_headers_do_not_add_up(tmp_path: Path, confdir: Path) -> None:
    """Neither in the story, nor in what decoders remember of values that come again."""

    def long(number: int) -> str:
        return f"{number:09}" * (MIB // 9)

    async def challenges(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came = b""
        while not came.endswith(b"\r\n\r\n"):
            came += await reader.read(MIB)
        number = int(came[-20:-4])
        realm = f'WWW-Authenticate: Bearer realm="http://auth.test/{long(number)}"'
        writer.write(answer("401 Unauthorized", realm, f"X-{long(number)}: y"))
        await writer.drain()

    def asks(port: int, url: str, number: int) -> None:
        # Always the same URL: Python itself remembers those that it took apart.
        head = f"GET {url}/v2/?{long(0)} HTTP/1.1\r\nHost: r\r\nX-Long: {long(number)}"
        bearer = f"Authorization: Bearer {long(number)}\r\nX-Number: {number:016}"
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            sock.sendall(f"{head}\r\n{bearer}\r\n\r\n".encode())
            assert sock.recv(100).startswith(b"HTTP/1.1 401")
            while sock.recv(MIB):
                pass

    async def story() -> None:
        async with server(challenges) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}"
            await client(asks, proxied.port, url, 0)
            tracemalloc.start()
            for number in range(1, 41):
                await client(asks, proxied.port, url, number)
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
        _check(proxied.report)
        assert held < 60 * MIB  # of 160 MiB that passed

    try:
        run(story())
    finally:
        tracemalloc.stop()


def test_bodies_that_are_kept_do_not_add_up(tmp_path: Path, confdir: Path) -> None:
    """Each of 3 MiB is small enough to be read; all of them are not."""
    body = json.dumps({"repositories": ["a" * (3 * MIB)]}).encode()
    listed = answer("200 OK", "Content-Type: application/json", body=body)

    async def lists(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(listed)
        await writer.drain()

    async def story() -> None:
        async with server(lists) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}/v2/_catalog"
            for _ in range(30):  # the bound is reached
                await client(through, proxied.port, url)
            # What is in use, and not what the process has of the system: that depends on when the
            # collector came round, and on what earlier tests left behind.
            tracemalloc.start()
            for _ in range(60):
                await client(through, proxied.port, url)
            gc.collect()
            held, _ = tracemalloc.get_traced_memory()
        assert held < 100 * MIB  # of 180 MiB that passed
        assert any("bodies" in lack["what"] for lack in proxied.report["not_seen"])

    try:
        run(story())
    finally:
        tracemalloc.stop()
