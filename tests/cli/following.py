"""A small registry of many faces, and regtrace's commands as processes beside it.

What the registry does is chosen by the path of a request; it runs in a thread of its own.
"""

from __future__ import annotations

import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REGTRACE = (sys.executable, "-c", "from regtrace.cli import main; main()")
PATIENCE = 40


class Registry(ThreadingHTTPServer):
    """``asked``: request lines with the Host they were asked for, as they came."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None, **behaviour: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.logins: list[str] = []
        self.proxy_logins: list[str] = []
        self.behaviour = behaviour
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.scheme = "https" if tls else "http"

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust it leaves; that is its test."""


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def _do(self) -> None:
        server = self.server
        server.asked.append(f"{self.command} {self.path}")
        server.logins.append(self.headers.get("Authorization", ""))
        server.proxy_logins.append(self.headers.get("Proxy-Authorization", ""))
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        status, fields, body = self._answer()
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _do  # noqa: N815

    def _answer(self) -> tuple[int, dict[str, str], bytes]:
        said = self.server.behaviour
        api = {"Docker-Distribution-Api-Version": "registry/2.0"}
        if self.path.startswith("/slow"):
            time.sleep(10)
        if self.path.startswith("/token"):
            body = said.get("token", b'{"token": "made-up-opaque-token"}')
            status = said.get("token_status", 200)
            return status, {"Content-Type": "application/json"}, body
        if "/uploads/" in self.path:
            if self.command == "DELETE":
                return 204, api, b""
            where = said.get("location", f"{self.server.url}/v2/team/app/blobs/uploads/1?_state=x")
            return 202, {**api, "Location": where, "Docker-Upload-UUID": "1"}, b""
        if "/blobs/" in self.path and "storage" in said:
            return 307, {**api, "Location": said["storage"]}, b""
        if self.path.startswith("/bucket"):
            return said.get("storage_status", 200), {"Server": "AmazonS3"}, b""
        if "realm" in said and not self.headers.get("Authorization", "").startswith("Bearer"):
            realm = said["realm"].replace("SELF", self.server.url)
            challenge = f'Bearer realm="{realm}",service="registry"'
            return 401, {**api, "WWW-Authenticate": challenge}, b"{}"
        return said.get("status", 200), {**api, **said.get("headers", {})}, b"{}"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing."""


@contextmanager
def registry(tls: ssl.SSLContext | None = None, **behaviour: Any) -> Iterator[Registry]:
    server = Registry(tls, **behaviour)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
