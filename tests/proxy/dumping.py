"""mitmdump with the suite as a process, and a registry beside it that takes everything."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from proxying import ADDON, PATIENCE

MITMDUMP = (sys.executable, "-c", "from mitmproxy.tools.main import mitmdump; mitmdump()")


class Mitmdump:
    """A proxy that runs until it is told to end."""

    def __init__(self, confdir: Path, *more: str | Path) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        options = ("-q", "--set", f"confdir={confdir}", "--listen-host", "127.0.0.1")
        self.process = subprocess.Popen(
            [*MITMDUMP, *options, "-p", str(self.port), "-s", str(ADDON), *map(str, more)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
        )
        while self.process.poll() is None:
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
        raise AssertionError(self.process.communicate())

    def end(self, by: signal.Signals = signal.SIGINT) -> tuple[str, str]:
        """What it said on standard output and standard error."""
        self.process.send_signal(by)
        return self.process.communicate(timeout=PATIENCE)


class _Registry(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.set()  # type: ignore[attr-defined]
        self.server.answers.wait(PATIENCE)  # type: ignore[attr-defined]

    def do_PUT(self) -> None:
        left = int(self.headers["Content-Length"])
        while left:
            piece = self.rfile.read1(left)
            if not piece:
                return
            left -= len(piece)
            self.server.sent.set()  # type: ignore[attr-defined]
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Standard error is for what the proxy says."""


class Registry(ThreadingHTTPServer):
    """Stores whatever is PUT; a GET is not answered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Registry)
        self.asked, self.answers = threading.Event(), threading.Event()
        self.sent = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def registry() -> Iterator[Registry]:
    with Registry() as serving:
        threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
        yield serving
        serving.answers.set()
        serving.shutdown()
