"""How fast, how much memory: a script that prints tables. No test, since machines differ.

    python tests/bench/bench.py [10000 100000]

Exchanges are pushes of one registry, eight at a time, as docker, podman and containerd send them.
The second table compares ``regtrace report`` on a file with mitmproxy merely reading it, each in a
process of its own, its start included; in processor time, which neighbours disturb least. The third
compares redacted copies with reading, mitmproxy's and our own.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain, islice, zip_longest
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from mitmproxy import certs, connection, http
from mitmproxy.io import FlowReader, FlowWriter

from regtrace.follow.tracker import Tracker
from regtrace.proxy.capture import Reader
from regtrace.redact.copying import Copier
from regtrace.redact.redactor import Redactor
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Exchange, Headers
from regtrace.wire.leg import Leg
from regtrace.wire.notation import read_notation

SIZES = (10_000, 100_000)
AT_ONCE = 8
REPOSITORIES = 40

#: {p}: number of the push, {l}: of its layer (shared between pushes), {r}: of its repository.
_DOCKER = """
GET /v2/ -> 401
token push,pull team/app{r} -> 200
POST uploads in=team/app{r} -> 202 s{p}a
POST uploads in=team/app{r} -> 202 s{p}b
PATCH s{p}a 5MB took=2s -> 202
PATCH s{p}b 5MB took=2s -> 202
PUT s{p}a L{l} -> 201
PUT s{p}b L{p} -> 201
HEAD blob L{l} in=team/app{r} -> 307 s3
HEAD s3 L{l} -> 200
HEAD blob L{p} in=team/app{r} -> 307 s3
HEAD s3 L{p} -> 200
HEAD blob cfg{p} in=team/app{r} -> 404
POST uploads in=team/app{r} -> 202 s{p}c
PATCH s{p}c cfg{p} -> 202
PUT s{p}c cfg{p} -> 201
HEAD blob cfg{p} in=team/app{r} -> 200
PUT manifest {p} [cfg{p} L{l} L{p}] in=team/app{r} -> 201
"""
_PODMAN = """
GET /v2/ -> 401
token pull,push team/app{r} -> 200
HEAD blob L{l} in=team/app{r} -> 404
HEAD blob L{p} in=team/app{r} -> 404
POST uploads in=team/app{r} -> 202 s{p}a
PATCH s{p}a L{l} took=2s -> 202
PUT s{p}a L{l} -> 201
POST uploads in=team/app{r} -> 202 s{p}b
PATCH s{p}b L{p} took=2s -> 502 nginx
+1s POST uploads in=team/app{r} -> 202 s{p}c
PATCH s{p}c L{p} took=2s -> 202
PUT s{p}c L{p} -> 201
HEAD blob cfg{p} in=team/app{r} -> 200
PUT manifest {p} [cfg{p} L{l} L{p}] in=team/app{r} -> 201
"""
_CONTAINERD = """
HEAD blob L{l} in=team/app{r} -> 401
token push,pull team/app{r} -> 200
HEAD blob L{l} in=team/app{r} -> 200
HEAD blob L{p} in=team/app{r} -> 404
HEAD blob cfg{p} in=team/app{r} -> 200
POST uploads in=team/app{r} -> 202 s{p}a
PUT s{p}a L{p} body=L{p} took=2s -> 201
HEAD manifest {p} [cfg{p} L{l} L{p}] in=team/app{r} -> 404
PUT manifest {p} [cfg{p} L{l} L{p}] in=team/app{r} -> 201
"""
_CLIENTS = (
    ("docker/20.10.24", _DOCKER),
    ("podman/5.29.2", _PODMAN),
    ("containerd/1.7.20", _CONTAINERD),
)


def traffic(count: int) -> list[Exchange]:
    """So many exchanges, of pushes that run beside each other."""
    lines = [
        f"client C{line} = {_CLIENTS[line % 3][0]} from 10.0.0.{line}" for line in range(AT_ONCE)
    ]
    lanes = [_lane(line) for line in range(AT_ONCE)]
    together = chain.from_iterable(zip_longest(*lanes))
    lines += islice((line for line in together if line), count)
    return list(read_notation("\n".join(lines)))


def _lane(lane: int) -> Iterator[str]:
    """One client's pushes, without end; ``&`` lets all lanes go on at once."""
    story = _CLIENTS[lane % 3][1].strip().splitlines()
    push = lane
    while True:
        for line in story:
            text = line.format(p=push, l=push % 300, r=push % REPOSITORIES)
            wait, _, rest = text.partition(" ") if text.startswith("+") else ("", "", text)
            yield (
                f"{wait} C{lane}: {rest}".strip()
                if lane == 0
                else f"{wait} & C{lane}: {rest}".strip()
            )
        push += AT_ONCE


def follow(legs: Sequence[Leg]) -> int:
    """As a report follows: fed, retired when crowded, finished. How many operations it told."""
    tracker = Tracker()
    told = 0
    for leg in legs:
        tracker.feed(leg)
        if tracker.crowded:
            told += len(tracker.retire())
    return told + len(tracker.finish())


def timed(work: Callable[[], object]) -> float:
    """Seconds, of one run, the collector's work from before left out."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def peak(work: Callable[[], object]) -> float:
    """MB that were allocated at once, beyond what was there before."""
    gc.collect()
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


# --- a file as mitmproxy writes it of such pushes over HTTPS


def write_capture(exchanges: Sequence[Exchange], path: Path) -> None:
    with path.open("wb") as stream:
        writer = FlowWriter(stream)
        for exchange in exchanges:
            writer.add(_flow(exchange))


def make_capture(size: int, path: str) -> None:
    write_capture(traffic(size), Path(path))


def _flow(exchange: Exchange) -> http.HTTPFlow:
    request, response = exchange.request, exchange.response
    client = connection.Client(
        peername=(exchange.connection.client_host or "10.0.0.1", 40000),
        sockname=("10.0.0.254", 8080),
        id=exchange.connection.id or exchange.id,
        timestamp_start=request.started,
        tls=True,
        tls_version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        sni=request.host,
    )
    flow = http.HTTPFlow(client, _server(request.host, request.port), live=False)
    flow.id = exchange.id
    flow.request = http.Request(
        host=request.host,
        port=request.port,
        method=request.method.encode(),
        scheme=request.scheme.encode(),
        authority=b"",
        path=request.target.encode(),
        http_version=b"HTTP/1.1",
        headers=_fields(request.headers),
        content=request.body.kept,
        trailers=None,
        timestamp_start=request.started,
        timestamp_end=request.ended,
    )
    if response is not None:
        flow.response = http.Response(
            http_version=b"HTTP/1.1",
            status_code=response.status,
            reason=response.reason.encode(),
            headers=_fields(response.headers),
            content=response.body.kept,
            trailers=None,
            timestamp_start=response.started,
            timestamp_end=response.ended,
        )
    return flow


def _server(host: str, port: int) -> connection.Server:
    return connection.Server(
        address=(host, port),
        peername=("10.77.0.10", port),
        sockname=("10.77.0.2", 48758),
        tls=True,
        tls_version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        sni=host,
        certificate_list=[_certificate(host)],
    )


@cache
def _certificate(host: str) -> certs.Cert:
    """A registry's certificate of the smallest usual kind; most send a longer chain."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))
        .not_valid_after(datetime.datetime(2027, 1, 1, tzinfo=datetime.timezone.utc))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certs.Cert(certificate)


def _fields(headers: Headers) -> http.Headers:
    return http.Headers([(name.encode(), value.encode()) for name, value in headers])


READ = """
import sys
from mitmproxy.io import FlowReader
with open(sys.argv[1], "rb") as stream:
    for _ in FlowReader(stream).stream():
        pass
"""
REPORT = "from regtrace.cli import main; main()"


def measured(code: str, *arguments: str) -> tuple[float, float]:
    """Seconds of processor time and peak MB of a Python process that runs this code."""
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1}:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


# --- tables


def say(*columns: object) -> None:
    print("".join(f"{column:>12}" for column in columns), flush=True)  # noqa: T201


def in_memory(size: int) -> float:
    """One row on decoding and following; the seconds that following took."""
    exchanges = traffic(size)
    legs: list[Leg] = []
    decoding = timed(lambda: legs.extend(map(decode, exchanges)))
    following = timed(lambda: follow(legs))
    memory = peak(lambda: follow(legs))
    say(size, f"{size / decoding:.0f}", f"{size / following:.0f}", follow(legs), f"{memory:.1f}")
    return following


def from_file(size: int, path: str) -> float:
    """One row on reports, against reading alone; the seconds of the JSON report."""
    reading, _ = min(measured(READ, path) for _ in range(2))
    row: list[str] = []
    reports = []
    for ending in (".json", ".txt"):
        seconds, memory = measured(REPORT, "report", path, "--force", "-o", path + ending)
        reports.append(seconds)
        row += [f"{seconds:.2f}", f"{memory:.0f}", f"{seconds / reading:.2f}"]
    say(size, f"{reading:.2f}", *row)
    return reports[0]


def redaction(size: int, path: str) -> None:
    """One row on redacted copies, against the reading of what is copied, all in processor time."""
    with open(path, "rb") as stream:
        began = time.process_time()
        for _ in FlowReader(stream).stream():
            pass
        reading = time.process_time() - began
    with open(path, "rb") as stream:
        began = time.process_time()
        exchanges = list(Reader(path, stream))
        own = time.process_time() - began
    redactor = Redactor()
    for exchange in exchanges:
        redactor.learn(exchange)
    copier = Copier(redactor)
    began = time.process_time()
    for exchange in exchanges:
        copier.exchange(exchange)
    copying = time.process_time() - began
    ratios = f"{copying / reading:.2f}", f"{copying / own:.2f}"
    say(size, f"{reading:.2f}", f"{own:.2f}", f"{copying:.2f}", *ratios)


def growth(seconds: Sequence[float], sizes: Sequence[int]) -> str:
    return f"{seconds[-1] / seconds[0] / (sizes[-1] / sizes[0]):.2f}"


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "sizes",
        metavar="EXCHANGES",
        nargs="*",
        type=_count,
        default=SIZES,
        help="of a capture; growth is told between the first and the last (default: 10000 100000)",
    )
    sizes = parser.parse_args().sizes
    note = "(cost per exchange, last to first; linear is 1.00)"
    # What was a process's parent counts into its memory: this one stays small.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as alone:
        say("exchanges", "decode/s", "follow/s", "operations", "follow MB")
        followed = [alone.apply(in_memory, (size,)) for size in sizes]
        say("growth", "", growth(followed, sizes), "", note)
        say("exchanges", "read s", "json s", "MB", "ratio", "text s", "MB", "ratio")
        with tempfile.TemporaryDirectory() as folder:
            reported = []
            paths = {}
            for size in sizes:
                path = paths[size] = str(Path(folder) / f"{size}.mitm")
                alone.apply(make_capture, (size, path))
                reported.append(from_file(size, path))
            say("growth", "", growth(reported, sizes), note)
            say("exchanges", "mitmproxy s", "own s", "redact s", "ratio", "to own")
            for size, path in paths.items():
                alone.apply(redaction, (size, path))


if __name__ == "__main__":
    main()
