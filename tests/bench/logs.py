"""How fast logs are read: a script that prints a table. No test, since machines differ.

    PYTHONPATH=addons python tests/bench/logs.py [MEGABYTES]

Seconds are of processor time, which neighbours disturb least. The log is distribution's, JSON lines
and access lines of other repositories, with the lines of one failed push among them; in the second
row all lines are of the very repository that was pushed to, on the day before.
"""

from __future__ import annotations

import io
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator

from regtrace.evidence.registry_log import Join
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation

STORY = """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN
+5s POST uploads             -> 500 UNKNOWN
+5s POST uploads             -> 500 UNKNOWN
"""


def block(repository: str, day: int) -> bytes:
    """Some thousand lines, about as long as real ones."""
    lines = []
    for number in range(2_000):
        clock = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
        path = f"/v2/{repository}/blobs/uploads/"
        entry = {
            "auth.user.name": "builder",
            "go.version": "go1.19.8",
            "http.request.host": "registry.test:5050",
            "http.request.id": f"7abf1f1f-ed78-40a6-9200-{number:012}",
            "http.request.method": "POST",
            "http.request.uri": path,
            "http.request.useragent": "docker/20.10.24 go/go1.19.8 os/linux arch/amd64",
            "http.response.status": 202,
            "level": "info",
            "msg": "response completed",
            "time": f"2026-01-{day:02}T{clock}Z",
        }
        lines.append(json.dumps(entry))
        lines.append(f'10.0.0.1 - - [{day:02}/Jan/2026:{clock} +0000] "POST {path} HTTP/1.1" 202 0')
    return ("\n".join(lines) + "\n").encode()


class Repeated(io.RawIOBase):
    """So many megabytes of one block, without holding them."""

    def __init__(self, content: bytes, megabytes: int) -> None:
        self._content = content
        self._left = megabytes * 1_000_000

    def read(self, size: int = -1) -> bytes:
        if self._left <= 0:
            return b""
        self._left -= len(self._content)
        return self._content


def rows(megabytes: int) -> Iterator[tuple[str, Callable[[], Repeated], int]]:
    yield "others", lambda: Repeated(block("other/app", 15), megabytes), megabytes
    yield "its own", lambda: Repeated(block("team/app", 14), megabytes // 10), megabytes // 10


def main(megabytes: int) -> None:
    legs = [decode(exchange) for exchange in read_notation(STORY)]
    print(f"{'lines of':>12}{'MB':>8}{'seconds':>10}{'MB/s':>8}{'peak MB':>10}")  # noqa: T201
    for name, stream, size in rows(megabytes):
        log = stream()
        began = time.process_time()
        Join(legs).read(log, "registry.log")  # type: ignore[arg-type]
        seconds = time.process_time() - began
        tracemalloc.start()
        Join(legs).read(Repeated(log._content, 40), "registry.log")  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        print(f"{name:>12}{size:>8}{seconds:>10.1f}{size / seconds:>8.0f}{peak:>10.1f}")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
