"""Blobs stream through, hashed and counted; what is read stays readable; nothing else is held."""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import socket
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest
from h2.connection import H2Connection
from h2.events import ResponseReceived
from mitmproxy.test import tflow
from proxying import (
    PATIENCE,
    UPLOAD,
    answer,
    client,
    connect,
    digest,
    proxy,
    replayed,
    request_body,
    request_head,
    run,
    server,
    through,
)

from regtrace.proxy import guard
from regtrace.proxy.flows import NOTES, exchange_of
from regtrace.proxy.stream import Stream, Tally, _passing
from regtrace.wire.exchange import Body, Exchange
from site_authority import Authority

CHUNK = bytes(range(256)) * 256  # 64 KiB


@pytest.mark.parametrize("method", ["PATCH", "PUT", "POST"])
def test_a_chunked_upload_arrives_while_it_is_sent(
    tmp_path: Path, confdir: Path, method: str
) -> None:
    """The server has the first chunk before the client sends the last."""
    first_came = threading.Event()
    got: list[bytes] = []

    async def stores(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        got.append(await reader.readexactly(int(await reader.readline(), 16)))
        first_came.set()
        await reader.readline()
        got.append(await request_body(reader, head))
        writer.write(answer("202 Accepted"))
        await writer.drain()

    def uploads(port: int, url: str) -> int:
        def chunks() -> object:
            yield CHUNK
            assert first_came.wait(PATIENCE)
            yield CHUNK
            yield b"end"

        headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/octet-stream"}
        return through(port, url, method, body=chunks(), headers=headers, encode_chunked=True)[0]

    async def story() -> None:
        async with server(stores) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}{UPLOAD}u-1"
            assert await client(uploads, proxied.port, url) == 202
        sent = CHUNK + CHUNK + b"end"
        assert b"".join(got) == sent
        (flow,) = proxied.flows()
        assert flow.request.raw_content is None
        assert flow.metadata[NOTES]["request_body"] == {
            "size": len(sent),
            "digest": digest(sent),
            "complete": True,
        }
        assert proxied.capture.stat().st_size < 8_000

    run(story())


def test_a_big_blob_costs_no_memory(tmp_path: Path, confdir: Path) -> None:
    times = 1024  # 64 MiB; held by mitmproxy, it would cost three times that
    whole = digest(CHUNK * times)

    async def sends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(CHUNK) * times}\r\n\r\n".encode())
        for _ in range(times):
            writer.write(CHUNK)
            await writer.drain()

    def downloads(port: int, url: str) -> int:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", url, headers={"User-Agent": "docker/20.10.24"})
        response, size = connection.getresponse(), 0
        while piece := response.read(len(CHUNK)):
            size += len(piece)
        connection.close()
        return size

    async def story() -> None:
        async with server(sends) as port, proxy(tmp_path, confdir) as proxied:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            url = f"http://127.0.0.1:{port}/v2/team/app/blobs/{whole}"
            assert await client(downloads, proxied.port, url) == len(CHUNK) * times
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 32 * 1024  # kB
        (transfer,) = proxied.report["operations"][0]["transfers"]
        assert transfer["digest_verified"] is True
        assert transfer["size"] == len(CHUNK) * times
        assert proxied.capture.stat().st_size < 8_000

    run(story())


def _damaged(data: bytes) -> bytes:
    return data[:-1] + b"?"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("changed", [lambda data: data, _damaged], ids=["intact", "damaged"])
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_blob_is_checked_by_the_digest_that_was_asked_for(
    tmp_path: Path, confdir: Path, algorithm: str, changed: Callable[[bytes], bytes], way: str
) -> None:
    """Bytes that have it here and are refused by the registry were damaged behind the proxy."""
    layer = CHUNK * 20
    asked = f"{algorithm}:{hashlib.new(algorithm, layer).hexdigest()}"
    passing = changed(layer)

    async def registry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        await request_body(reader, head)
        if head.startswith(b"POST"):
            writer.write(answer("202 Accepted", f"Location: {UPLOAD}u-1"))
        elif head.startswith(b"GET"):
            writer.write(answer("200 OK", body=passing))
        else:
            writer.write(answer("201 Created"))
        await writer.drain()

    async def story() -> None:
        async with server(registry) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}"
            if way == "up":
                await client(through, proxied.port, url + UPLOAD, "POST")
                url += f"{UPLOAD}u-1?digest={quote(asked)}"
                await client(lambda: through(proxied.port, url, "PUT", body=passing))
            else:
                url += f"/v2/team/app/blobs/{asked}"
                await client(through, proxied.port, url)
        for told in (proxied.report, replayed(proxied.capture)):
            (transfer,) = told["operations"][0]["transfers"]
            assert transfer["digest_verified"] is (passing == layer)
        note = proxied.flows()[-1].metadata[NOTES][f"re{'quest' if way == 'up' else 'sponse'}_body"]
        assert note["digest"] == f"{algorithm}:{hashlib.new(algorithm, passing).hexdigest()}"

    run(story())


def test_a_digest_of_another_algorithm_proves_nothing(tmp_path: Path, confdir: Path) -> None:
    """The storage's URL does not say what the registry was asked for."""
    layer = CHUNK * 20
    asked = f"sha512:{hashlib.sha512(layer).hexdigest()}"

    async def registry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        away = f"Location: http://{head.split(b'Host: ')[1].split()[0].decode()}/opaque/1"
        stored = head.startswith(b"GET /opaque")
        writer.write(answer("200 OK", body=layer) if stored else answer("307 Away", away))
        await writer.drain()

    def follows(port: int, url: str) -> None:
        through(port, f"{url}/v2/team/app/blobs/{asked}")
        through(port, f"{url}/opaque/1")

    async def story() -> None:
        async with server(registry) as port, proxy(tmp_path, confdir) as proxied:
            await client(follows, proxied.port, f"http://127.0.0.1:{port}")
        (transfer,) = proxied.report["operations"][0]["transfers"]
        assert [leg["status"] for leg in proxied.report["legs"]] == [307, 200]
        assert transfer["digest_verified"] is None

    run(story())


def test_expect_is_remembered(tmp_path: Path, confdir: Path) -> None:
    """mitmproxy answers 100 by itself and takes the header out before anything is saved."""

    async def accepts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        assert b"expect" not in head.lower()
        await request_body(reader, head)
        writer.write(answer("202 Accepted"))
        await writer.drain()

    def expects(port: int, url: str) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            lines = [f"PATCH {url} HTTP/1.1", "Host: r", "Expect: 100-continue"]
            sock.sendall("\r\n".join([*lines, "Content-Length: 3", "", ""]).encode())
            interim = sock.recv(1000)
            sock.sendall(b"abc")
            sock.recv(1000)
            return interim

    async def story() -> None:
        async with server(accepts) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}{UPLOAD}u-1"
            assert b" 100 " in await client(expects, proxied.port, url)
        (flow,) = proxied.flows()
        assert "expect" not in flow.request.headers
        assert exchange_of(flow).request.headers.get("Expect") == "100-continue"

    run(story())


def test_a_token_of_unknown_length_is_kept(tmp_path: Path, confdir: Path) -> None:
    """It streams through, and is in the capture all the same, for the replay to read."""
    token = json.dumps({"token": "opaque-token-1"}).encode()

    async def issues(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked"
        writer.write(f"{head}\r\n\r\n{len(token):x}\r\n".encode() + token + b"\r\n0\r\n\r\n")
        await writer.drain()

    async def story() -> None:
        async with server(issues) as port, proxy(tmp_path, confdir) as proxied:
            url = f"http://127.0.0.1:{port}/token?service=r&scope=repository:team/app:pull"
            assert await client(through, proxied.port, url) == (200, token)
        (flow,) = proxied.flows()
        assert flow.response is not None
        assert flow.response.raw_content == token
        issued = proxied.leg("token")["decoded"]["issued_token"]
        assert replayed(proxied.capture)["legs"][0]["decoded"]["issued_token"] == issued

    run(story())


def test_endless_json_is_not_held(tmp_path: Path, confdir: Path) -> None:
    async def sends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n["
        )
        for _ in range(32):
            writer.write(b" " * 65536)
            await writer.drain()

    async def story() -> None:
        limit = ("registry_body_limit=65536",)
        async with server(sends) as port, proxy(tmp_path, confdir, settings=limit) as proxied:
            url = f"http://127.0.0.1:{port}/v2/_catalog"
            assert (await client(through, proxied.port, url))[0] == 200
        (flow,) = proxied.flows()
        assert flow.response is not None
        assert flow.response.raw_content is None
        assert flow.metadata[NOTES]["response_body"]["size"] == 32 * 65536 + 1

    run(story())


STREAMS = (
    "def requestheaders(flow): flow.request.stream = True\n"
    "def responseheaders(flow): flow.response.stream = True\n"
)


@pytest.mark.parametrize("by", ["another script", "stream_large_bodies"])
def test_what_others_stream_is_not_taken_for_empty(tmp_path: Path, confdir: Path, by: str) -> None:
    """A script behind ours takes the stream away; mitmproxy's option comes before ours."""
    manifest = json.dumps({"schemaVersion": 2}).encode()
    kind = "application/vnd.oci.image.manifest.v1+json"

    async def serves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        await request_body(reader, head)
        upload = head.startswith(b"PATCH")
        writer.write(
            answer("202 Accepted", f"Location: {UPLOAD}u-1?_state=x", "Range: 0-65535")
            if upload
            else answer("200 OK", f"Content-Type: {kind}", body=manifest)
        )
        await writer.drain()

    other = tmp_path / "other.py"
    other.write_text(STREAMS)
    beside = (other,) if by == "another script" else ()
    options = {} if beside else {"stream_large_bodies": "1"}

    async def story() -> None:
        async with (
            server(serves) as port,
            proxy(tmp_path, confdir, beside=beside, **options) as proxied,
        ):
            url = f"http://127.0.0.1:{port}"
            layer = client(lambda: through(proxied.port, f"{url}{UPLOAD}u-1", "PATCH", body=CHUNK))
            assert (await layer)[0] == 202
            got = await client(through, proxied.port, f"{url}/v2/team/app/manifests/1")
            assert got == (200, manifest)
        sent, read = (exchange_of(flow) for flow in proxied.flows())
        assert read.response is not None
        if beside:
            assert sent.request.body == Body(None, None, None, complete=True)
            assert read.response.body.size in {None, len(manifest)}
        else:
            assert sent.request.body == Body(None, len(CHUNK), digest(CHUNK), complete=True)
            assert read.response.body.kept == manifest
        assert {found["severity"] for found in proxied.report["findings"]} <= {"note"}

    run(story())


def _upload_over_http2(port: int, target: str, confdir: Path) -> bytes:
    """The last DATA frame is empty; mitmproxy 11 ends the stream function twice then.

    With a length: mitmproxy sends a body of unknown length on to HTTP/1 without any framing.
    """
    context = ssl.create_default_context(cafile=str(confdir / "mitmproxy-ca-cert.pem"))
    context.set_alpn_protocols(["h2"])
    sock, _ = connect(port, target)
    with context.wrap_socket(sock, server_hostname="127.0.0.1") as tls:
        speaker = H2Connection()
        speaker.initiate_connection()
        head = {":method": "PATCH", ":scheme": "https", ":authority": target}
        head |= {":path": f"{UPLOAD}u-1", "content-length": "30000"}
        speaker.send_headers(1, list(head.items()))
        for _ in range(3):
            speaker.send_data(1, CHUNK[:10_000])
        speaker.send_data(1, b"", end_stream=True)
        while True:
            tls.sendall(speaker.data_to_send())
            for event in speaker.receive_data(tls.recv(65536)):
                if isinstance(event, ResponseReceived):
                    return bytes(dict(event.headers)[b":status"])


def test_http2(tmp_path: Path, confdir: Path, authority: Authority) -> None:
    got: list[bytes] = []

    async def stores(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await request_head(reader)
        got.append(await request_body(reader, head))
        writer.write(answer("202 Accepted"))
        await writer.drain()

    async def story() -> None:
        lazy = {
            "connection_strategy": "lazy",
            "ssl_verify_upstream_trusted_ca": str(authority.path),
        }
        async with (
            server(stores, authority.server()) as port,
            proxy(tmp_path, confdir, **lazy) as proxied,
        ):
            target = f"127.0.0.1:{port}"
            status = await client(_upload_over_http2, proxied.port, target, confdir)
        assert status == b"202"
        assert got == [CHUNK[:10_000] * 3]
        assert proxied.flows()[0].metadata[NOTES]["request_body"] == {
            "size": 30_000,
            "digest": digest(got[0]),
            "complete": True,
        }
        assert replayed(proxied.capture)["legs"] == proxied.report["legs"]

    run(story())


# --- the stream function by itself


def _tallied(*, keep: int = 0) -> tuple[dict[str, object], Tally]:
    notes: dict[str, object] = {"size": 0, "digest": None, "complete": False}
    return notes, Tally(notes, "sha256", keep=keep)


def test_end_may_come_twice() -> None:
    """mitmproxy 11 calls twice when HTTP/2 ends with an empty frame."""
    notes, tally = _tallied()
    passing = _passing(tflow.tflow().request, tally, False)
    assert [passing(chunk) for chunk in (b"ab", b"c", b"", b"")] == [b"ab", b"c", b"", b""]
    assert notes == {"size": 3, "digest": digest(b"abc"), "complete": True}


def test_a_fault_costs_the_sum_never_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(self: Tally, chunk: bytes) -> None:
        raise MemoryError

    notes, tally = _tallied()
    passing = _passing(tflow.tflow().request, tally, False)
    guard.reset()
    assert passing(b"ab") == b"ab"
    with monkeypatch.context() as patch:
        patch.setattr(Tally, "take", breaks)
        assert passing(b"c") == b"c"
    assert passing(b"d") == b"d"
    assert passing(b"") == b""
    assert notes["digest"] is None
    assert notes["complete"] is False
    assert "MemoryError" in guard.missed()[0].what


def test_another_scripts_stream_function_goes_on() -> None:
    notes, tally = _tallied()
    passing = _passing(tflow.tflow().request, tally, bytes.upper)
    assert passing(b"ab") == b"AB"
    assert notes["size"] == 2


def test_a_request_that_was_answered_by_a_script_is_not_streamed() -> None:
    """mitmproxy can't: NotImplementedError, and the client hangs."""
    flow = tflow.tflow(resp=True)
    flow.live = True
    flow.request.method = "PATCH"
    Stream().requestheaders(flow)
    assert flow.request.stream is False


def test_a_saved_note_of_any_kind_is_survived() -> None:
    for note in (None, 7, "x", [], {"request_body": 3}, {"request_body": {"size": "a"}}):
        flow = tflow.tflow(resp=True)
        flow.metadata[NOTES] = note
        assert isinstance(exchange_of(flow), Exchange)
