"""How fast a layer passes: a script that prints a table. No test, since machines differ.

    python tests/bench/throughput.py [--size 1000] [--runs 5] [http] [tls] [h2]

A client and a registry that only counts, each in a process of its own, first without a proxy, then
through mitmdump alone (which holds the whole layer), through mitmdump that streams, and through
mitmdump with regtrace. Each line has medians of the runs, which take turns; mitmdump alone runs
once, since it takes minutes and gigabytes. "ratio" is to streaming: of the time, and of the proxy's
CPU time, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import multiprocessing
import os
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hpack import Decoder, Encoder

ADDON = Path(__file__).parents[2] / "addons" / "registry.py"
MITMDUMP = (sys.executable, "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()")
WIRES = ("http", "tls", "h2")
WAYS = ("upload", "download")
MODES: dict[str, tuple[str, ...] | None] = {
    "direct": None,
    "mitmdump": (),
    "streaming": ("--set", "stream_large_bodies=1"),
    "regtrace": ("-s", str(ADDON)),
}
#: Seconds without a byte after which a run is given up.
_LONGEST = 300
#: Bytes beyond which mitmdump alone is left out: it holds three to five times as much.
HOLDABLE = 2_000_000_000
PIECE = memoryview(bytes(1024 * 1024))
UPLOAD = "/v2/team/app/blobs/uploads/u-1"

Socket = Any  # socket.socket or ssl.SSLSocket


# --- one side of a connection; both sides speak alike


class Http1:
    """Sends and receives one message after another."""

    def __init__(self, sock: Socket) -> None:
        self._sock = sock
        self._buffer = bytearray(len(PIECE))
        self._rest = b""

    def send(self, first_line: str, size: int, *, body: int) -> None:
        """A head that announces ``size`` bytes, and so many."""
        self._sock.sendall(f"{first_line}\r\nHost: r\r\nContent-Length: {size}\r\n\r\n".encode())
        while body:
            body -= self._sock.send(PIECE[:body])

    def receive(self) -> tuple[str, int]:
        """The first line and the length announced, once all of the body has come."""
        while b"\r\n\r\n" not in self._rest:
            if not (piece := self._sock.recv(65536)):
                raise EOFError
            self._rest += piece
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.splitlines()
            if line.lower().startswith(b"content-length:")
        )
        left = length - len(self._rest)
        while left > 0:
            if not (came := self._sock.recv_into(self._buffer)):
                raise EOFError
            left -= came
        self._rest = b""
        return head.partition(b"\r\n")[0].decode(), length


class Http2:
    """The same over HTTP/2, frames by hand: a library costs as much as the proxy's own."""

    DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 4, 6, 7, 8
    FRAME = 16_384
    WIDE = 2**31 - 1

    def __init__(self, sock: Socket, *, is_client: bool) -> None:
        self._sock = sock
        self._is_client = is_client
        self._stream = -1
        self._file = sock.makefile("rb", buffering=len(PIECE))
        self._encoder, self._decoder = Encoder(), Decoder()
        self._initial = self._credit = self._stream_credit = 65_535
        if is_client:
            sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        else:
            self._file.read(24)
        self._frame(self.SETTINGS, 0, 0, b"\x00\x04" + self.WIDE.to_bytes(4, "big"))
        self._widen(0, self.WIDE - 65_535)

    def send(self, first_line: str, size: int, *, body: int) -> None:
        first, second, *_ = first_line.split()
        head = {":status": second}
        if self._is_client:
            self._stream += 2
            head = {":method": first, ":path": second, ":scheme": "https", ":authority": "r"}
            self._stream_credit = self._initial
        block = self._encoder.encode([*head.items(), ("content-length", str(size))])
        self._frame(self.HEADERS, 0x4 | (0 if body else 0x1), self._stream, block)
        while body:
            piece = min(body, self.FRAME)
            while min(self._credit, self._stream_credit) < piece:
                self._read()
            self._credit -= piece
            self._stream_credit -= piece
            body -= piece
            self._frame(self.DATA, 0 if body else 0x1, self._stream, PIECE[:piece])

    def receive(self) -> tuple[str, int]:
        fields: dict[str, str] = {}
        came = ended = 0
        while not ended:
            kind, flags, stream, payload = self._read()
            if kind == self.HEADERS:
                fields = dict(self._decoder.decode(payload))
                self._stream = stream
                self._stream_credit = max(self._stream_credit, self._initial)
            elif kind == self.DATA:
                came += len(payload)
                if came % (self.FRAME * 1024) < len(payload):
                    self._widen(0, self.FRAME * 1024)
                    self._widen(stream, self.FRAME * 1024)
            ended = kind in {self.HEADERS, self.DATA} and flags & 0x1
        first_line = (
            f"{fields.get(':method', 'HTTP/2')} {fields.get(':path', fields.get(':status'))}"
        )
        return first_line, int(fields.get("content-length", 0))

    def _widen(self, stream: int, by: int) -> None:
        self._frame(self.WINDOW, 0, stream, by.to_bytes(4, "big"))

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes | memoryview) -> None:
        head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
        self._sock.sendall(head + payload)

    def _read(self) -> tuple[int, int, int, bytes]:
        """The next frame, those about the connection already obeyed."""
        head = self._file.read(9)
        if len(head) < 9:
            raise EOFError
        payload = self._file.read(int.from_bytes(head[:3], "big"))
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        if kind == self.SETTINGS and not flags & 0x1:
            for at in range(0, len(payload), 6):
                if payload[at : at + 2] == b"\x00\x04":
                    self._initial = int.from_bytes(payload[at + 2 : at + 6], "big")
                    self._stream_credit = self._initial
            self._frame(self.SETTINGS, 0x1, 0, b"")
        elif kind == self.WINDOW and stream:
            self._stream_credit += int.from_bytes(payload, "big")
        elif kind == self.WINDOW:
            self._credit += int.from_bytes(payload, "big")
        elif kind == self.PING and not flags & 0x1:
            self._frame(self.PING, 0x1, 0, payload)
        elif kind == self.GOAWAY:
            raise EOFError
        return kind, flags, stream, payload


def speaker(sock: Socket, *, is_client: bool) -> Http1 | Http2:
    chosen = sock.selected_alpn_protocol() if isinstance(sock, ssl.SSLSocket) else None
    return Http2(sock, is_client=is_client) if chosen == "h2" else Http1(sock)


# --- the registry that only counts


def serve(listening: socket.socket, wire: str, pem: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["h2"] if wire == "h2" else ["http/1.1"])
    while True:
        sock, _ = listening.accept()
        threading.Thread(target=_answer, args=(sock, wire, context), daemon=True).start()


def _answer(sock: Socket, wire: str, context: ssl.SSLContext) -> None:
    with suppress(OSError, EOFError), sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wire != "http":
            sock = context.wrap_socket(sock, server_side=True)
        spoken = speaker(sock, is_client=False)
        while True:
            line, _ = spoken.receive()
            if line.startswith("GET"):
                size = int(line.split("size=")[1].split()[0])
                spoken.send("HTTP/1.1 200 OK", size, body=size)
            else:
                spoken.send("HTTP/1.1 202 Accepted", 0, body=0)


# --- the client


def transfer(proxy_port: int | None, port: int, wire: str, way: str, size: int, path: str) -> float:
    """Seconds from the request to the end of its answer, on a new connection."""
    sock: Socket = socket.create_connection(("127.0.0.1", proxy_port or port), _LONGEST)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if wire != "http":
        if proxy_port:
            sock.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
            if b" 200 " not in sock.recv(65536):
                raise SystemExit("the proxy refused the connection")
        context = ssl._create_unverified_context()
        context.set_alpn_protocols(["h2"] if wire == "h2" else ["http/1.1"])
        sock = context.wrap_socket(sock, server_hostname="127.0.0.1")
    target = f"http://127.0.0.1:{port}{path}" if wire == "http" and proxy_port else path
    with sock:
        spoken = speaker(sock, is_client=True)
        began = time.perf_counter()
        if way == "upload":
            spoken.send(f"PATCH {target} HTTP/1.1", size, body=size)
        else:
            spoken.send(f"GET {target}?size={size} HTTP/1.1", 0, body=0)
        line, length = spoken.receive()
        took = time.perf_counter() - began
        if not line.split()[1].startswith("20") or (way == "download" and length != size):
            raise SystemExit(f"{wire} {way}: {line}")
        return took


# --- what is compared


@dataclass
class Contender:
    """One way to the registry, and what it took."""

    mode: str
    port: int | None = None
    process: subprocess.Popen[bytes] | None = None
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self, *where: Any) -> None:
        before = self._cpu()
        self.seconds.append(transfer(self.port, *where))
        self.cpu.append(self._cpu() - before)

    def _cpu(self) -> float:
        if self.process is None:
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def peak(self) -> float:
        """Most memory that the proxy had at once, in MB."""
        if self.process is None:
            return 0.0
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


@contextmanager
def contender(mode: str, directory: Path) -> Iterator[Contender]:
    settings = MODES[mode]
    if settings is None:
        yield Contender(mode)
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(*MITMDUMP, "-q", "--listen-host", "127.0.0.1", "-p", str(port)),
            *("--set", f"confdir={directory}", "--set", "ssl_insecure=true"),
            *("-w", str(directory / f"{mode}.mitm"), *settings),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        while True:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            if process.poll() is not None:
                raise SystemExit("mitmdump did not start")
            time.sleep(0.1)
        yield Contender(mode, port, process)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def registry(wire: str, directory: Path) -> Iterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = multiprocessing.Process(
        target=serve, args=(listening, wire, _certificate(directory)), daemon=True
    )
    server.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()
        server.terminate()
        server.join()


def _certificate(directory: Path) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry.test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = directory / "registry.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return str(path)


# --- the table


def compare(wire: str, way: str, size: int, runs: int) -> None:
    target = UPLOAD if way == "upload" else f"/v2/team/app/blobs/{_digest(size)}"
    with ExitStack() as open_, tempfile.TemporaryDirectory() as folder:
        port = open_.enter_context(registry(wire, Path(folder)))
        contenders = [
            open_.enter_context(contender(mode, Path(folder)))
            for mode in MODES
            if mode != "mitmdump" or size <= HOLDABLE
        ]
        for number in range(runs):
            for one in contenders:
                if number == 0 or one.mode != "mitmdump":
                    one.run(port, wire, way, size, target)
        (streaming,) = (one for one in contenders if one.mode == "streaming")
        for one in contenders:
            say(wire, way, one, streaming, size)


def say(wire: str, way: str, one: Contender, streaming: Contender, size: int) -> None:
    rate = size / statistics.median(one.seconds) / 1e6
    columns = [f"{rate:.0f}", f"{_ratio(one.seconds, streaming.seconds):.2f}"]
    if one.process is not None:
        cost = statistics.median(one.cpu) / size * 1e9
        columns += [f"{cost:.2f}", f"{_ratio(one.cpu, streaming.cpu):.2f}", f"{one.peak:.0f}"]
    line(wire, way, one.mode, *columns)


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """Of runs that came one after the other, so that other work on the machine disturbs both."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=False))


def line(*columns: str) -> None:
    print("".join(f"{column:>11}" for column in columns), flush=True)  # noqa: T201


def _digest(size: int) -> str:
    taken = hashlib.sha256()
    for at in range(0, size, len(PIECE)):
        taken.update(PIECE[: size - at])
    return f"sha256:{taken.hexdigest()}"


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=_count, default=1000, help="of the layer, in MB")
    parser.add_argument("--runs", type=_count, default=5)
    parser.add_argument("wires", nargs="*", help=f"of {', '.join(WIRES)}; all by default")
    asked = parser.parse_args()
    # Whoever ends this ends the proxies too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if unknown := set(asked.wires).difference(WIRES):
        parser.error(f"{', '.join(sorted(unknown))}: no such wire; use {', '.join(WIRES)}")
    line("wire", "way", "through", "MB/s", "ratio", "CPU s/GB", "CPU ratio", "peak MB")
    for wire in asked.wires or WIRES:
        for way in WAYS:
            compare(wire, way, asked.size * 1_000_000, asked.runs)


if __name__ == "__main__":
    main()
