"""A clumsy reverse proxy with TLS, for harm that nginx can't do.

A program of its own, `python middlebox.py CONFIG.json`. It hands every request to the registry and
every answer back; to requests that match it does what its configuration says.
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import ssl
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_PIECE = 1024  # bytes read at once from a body that is slowed down


@dataclass(frozen=True, slots=True)
class Config:
    """What the configuration file says; paths are PEM files.

    match: a pattern of "METHOD path"; without one all requests pass unharmed
    rate: bytes per second at which the request's body is taken
    cut: seconds after which the connection is closed while that body still comes
    flip: `request` or `response`, whose body gets one wrong bit
    keep: bytes of the answer's body that are sent before the connection is closed
    gzip: whether the answer's body is compressed, asked for or not
    """

    address: str
    port: int
    certificate: str
    key: str
    upstream: str
    match: str = "(?!)"
    rate: int = 0
    cut: float = 0
    flip: str = ""
    keep: int | None = None
    gzip: bool = False


class Middlebox(ThreadingHTTPServer):
    """Listens with TLS and knows its configuration."""

    def __init__(self, config: Config) -> None:
        super().__init__((config.address, config.port), Handler)
        self.config = config
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(config.certificate, config.key)
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


class Handler(BaseHTTPRequestHandler):
    """Hands on the requests of one connection."""

    server: Middlebox
    protocol_version = "HTTP/1.1"

    def relay(self) -> None:
        config = self.server.config
        harmed = re.search(config.match, f"{self.command} {self.path}") is not None
        try:
            body = b"".join(self._pieces(config if harmed else None))
        except TimeoutError:
            self.close_connection = True
            return
        if harmed and config.flip == "request":
            body = _flipped(body)
        answer, content = self._ask(body)
        headers = {name: value for name, value in answer.getheaders() if _is_end_to_end(name)}
        if self.command == "HEAD" and "Content-Length" in answer.headers:
            headers["Content-Length"] = answer.headers["Content-Length"]
        if self.command != "HEAD" and answer.status not in (204, 304):
            if harmed and config.flip == "response":
                content = _flipped(content)
            if harmed and config.gzip:
                content = gzip.compress(content)
                headers["Content-Encoding"] = "gzip"
            headers["Content-Length"] = str(len(content))
        self.send_response_only(answer.status, answer.reason)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        keep = config.keep if harmed else None
        self.wfile.write(content[:keep])
        self.close_connection |= keep is not None

    do_HEAD = do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay  # noqa: N815

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        upstream = http.client.HTTPConnection(self.server.config.upstream)
        headers = {
            name: ", ".join(self.headers.get_all(name, ()))  # Accept comes several times
            for name in self.headers
            if _is_end_to_end(name)
        }
        # As nginx does it: an empty body is announced too, but only by methods that carry one.
        if self.command in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(len(body))
        headers |= {"X-Forwarded-Proto": "https"}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        return answer, content

    def _pieces(self, slowly: Config | None) -> list[bytes]:
        """The request's body. Raises TimeoutError when it was to be cut."""
        began = time.monotonic()
        pieces = []
        for size in self._sizes():
            left = size
            while left:
                piece = self.rfile.read(min(left, _PIECE if slowly and slowly.rate else left))
                if not piece:
                    raise TimeoutError  # the client went away
                pieces.append(piece)
                left -= len(piece)
                if slowly and slowly.rate:
                    time.sleep(len(piece) / slowly.rate)
                if slowly and slowly.cut and time.monotonic() - began > slowly.cut:
                    raise TimeoutError
        return pieces

    def _sizes(self) -> Iterator[int]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield int(self.headers.get("Content-Length", 0))
            return
        while size := int(self.rfile.readline().partition(b";")[0] or b"0", 16):
            yield size
            self.rfile.readline()
        self.rfile.readline()


def _is_end_to_end(header: str) -> bool:
    return header.lower() not in ("connection", "transfer-encoding", "content-length", "expect")


def _flipped(body: bytes) -> bytes:
    """The body with one wrong bit in its middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body


if __name__ == "__main__":
    Middlebox(Config(**json.loads(Path(sys.argv[1]).read_text()))).serve_forever()
