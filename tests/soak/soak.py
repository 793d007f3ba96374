"""Many pushes through one mitmdump with regtrace: a script that prints how much memory it takes.

    python tests/soak/soak.py [--pushes 20000]

Each push is that of a docker client with one layer: log in, ask, upload, write the manifest; every
tenth is refused. Exit status 1 when mitmdump has more than a tenth more memory in the end than
after the first tenth of the pushes.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import multiprocessing
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ADDON = Path(__file__).parents[2] / "addons" / "registry.py"
MITMDUMP = (sys.executable, "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()")
TOKEN = "opaque-made-up-token"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
AT_ONCE = 4
#: What a run may grow by.
MOST = 1.10


# --- the registry


class _Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.startswith("/token"):
            self._answer(200, json.dumps({"token": TOKEN}).encode(), "application/json")
        elif "Authorization" not in self.headers:
            realm = f"http://{self.headers['Host']}/token"
            challenge = f'Bearer realm="{realm}",service="registry.test"'
            self._answer(401, b"{}", "application/json", ("WWW-Authenticate", challenge))
        else:
            self._answer(200, b"{}", "application/json")

    def do_HEAD(self) -> None:
        self._answer(404)

    def do_POST(self) -> None:
        session = f"{self.path}{int(self.headers['X-Push']):032x}?_state=made-up"
        self._answer(202, b"", "text/plain", ("Location", session))

    def do_PATCH(self) -> None:
        self._take()
        self._answer(202, b"", "text/plain", ("Location", self.path), ("Range", "0-4095"))

    def do_PUT(self) -> None:
        self._take()
        if "refused" in self.path:
            told = {"errors": [{"code": "DENIED", "message": "requested access is denied"}]}
            self._answer(403, json.dumps(told).encode(), "application/json")
        else:
            self._answer(201)

    def _take(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(
        self, status: int, body: bytes = b"", kind: str = "text/plain", *headers: tuple[str, str]
    ) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nobody reads it."""


def _serve(port: int) -> None:
    ThreadingHTTPServer(("127.0.0.1", port), _Registry).serve_forever()


# --- a client


def push(proxy: int, registry: int, number: int) -> None:
    base = f"http://127.0.0.1:{registry}"
    repository = f"{base}/v2/team/app-{number % 50}"
    layer = number.to_bytes(4, "big") * 1024
    digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    upload = f"{repository}/blobs/uploads/"
    session = f"{upload}{number:032x}?_state=made-up"
    tag = f"{'refused' if number % 10 == 9 else 'tag'}-{number}"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "x/y", "digest": digest, "size": len(layer)},
            "layers": [{"mediaType": "x/y", "digest": digest, "size": len(layer)}],
        }
    )
    granted = {"Authorization": f"Bearer {TOKEN}", "X-Push": str(number)}
    connection = http.client.HTTPConnection("127.0.0.1", proxy, timeout=60)
    for method, url, body, headers in (
        ("GET", f"{base}/v2/", None, {}),
        (
            "GET",
            f"{base}/token?service=registry.test",
            None,
            {"Authorization": "Basic bWFkZTp1cA=="},
        ),
        ("HEAD", f"{repository}/blobs/{digest}", None, granted),
        ("POST", upload, None, granted),
        ("PATCH", session, layer, granted),
        ("PUT", f"{session}&digest={digest}", b"", granted),
        ("PUT", f"{repository}/manifests/{tag}", manifest, granted | {"Content-Type": MANIFEST}),
    ):
        connection.request(method, url, body, {"User-Agent": "docker/20.10.24", **headers})
        connection.getresponse().read()
    connection.close()


# --- the proxy between them


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    """mitmdump, its port, and the registry's."""
    proxy, registry = _free_port(), _free_port()
    serving = multiprocessing.Process(target=_serve, args=(registry,), daemon=True)
    serving.start()
    dump = subprocess.Popen(
        [
            *(*MITMDUMP, "-q", "--listen-host", "127.0.0.1", "-p", str(proxy)),
            *("--set", f"confdir={folder}", "-w", str(folder / "push.mitm")),
            *("-s", str(ADDON), "--set", f"registry_report={folder / 'push.json'}"),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        for port in (proxy, registry):
            _await(port, dump)
        yield dump, proxy, registry
    finally:
        dump.terminate()
        dump.wait()
        serving.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _await(port: int, dump: subprocess.Popen[bytes]) -> None:
    while dump.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise SystemExit("mitmdump did not start")


def memory(process: subprocess.Popen[bytes]) -> float:
    """What it has now, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


def soak(pushes: int) -> float:
    """Print how it goes; the memory in the end as a share of that after the first tenth."""
    say("pushes", "per second", "memory MB")
    taken = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as (dump, *ports),
        ThreadPoolExecutor(AT_ONCE) as clients,
    ):
        for tenth in range(10):
            numbers = range(tenth * pushes // 10, (tenth + 1) * pushes // 10)
            began = time.monotonic()
            for done in [clients.submit(push, *ports, number) for number in numbers]:
                done.result()
            rate = len(numbers) / (time.monotonic() - began)
            taken.append(memory(dump))
            say(str(numbers.stop), f"{rate:.1f}", f"{taken[-1]:.1f}")
    return taken[-1] / taken[0]


def say(*columns: str) -> None:
    print("".join(f"{column:>12}" for column in columns), flush=True)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pushes", type=int, default=20_000)
    share = soak(parser.parse_args().pushes)
    say("growth", "", f"{share:.2f}")
    sys.exit(share > MOST)


if __name__ == "__main__":
    main()
