"""A small token server: GET /jwt/auth?service=&scope=&account= with Basic auth gets a signed JWT.

A program of its own, `python token_server.py CONFIG.json`. It grants what a known user asks
for; its configuration can make it do otherwise. Protocol: distribution's docs/spec/auth/token.md
and jwt.md.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_LIFETIME = 300  # seconds
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Config:
    """What the configuration file says; paths are PEM files.

    actions: all that may be granted; None is whatever is asked for
    anonymous: the same for requests without credentials; None is that there must be credentials
    last_scope_only: whether all scopes but the last are overlooked
    prefix: what every repository's name begins with, in the tokens
    times: seconds from now for exp, nbf and iat
    claims: entries of the tokens that differ
    reply: entries of the answer that differ; an empty one is left out
    pages: fixed answers by path, `{status, headers, body}`
    """

    address: str
    port: int
    certificate: str
    key: str
    signing_certificate: str
    signing_key: str
    issuer: str
    user: str
    password: str
    actions: list[str] | None = None
    anonymous: list[str] | None = None
    last_scope_only: bool = False
    prefix: str = ""
    times: dict[str, int] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    reply: dict[str, Any] = field(default_factory=dict)
    pages: dict[str, Any] = field(default_factory=dict)


class TokenServer(ThreadingHTTPServer):
    """Listens with TLS and knows its configuration."""

    def __init__(self, config: Config) -> None:
        super().__init__((config.address, config.port), Handler)
        self.config = config
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(config.certificate, config.key)
        # The handshake is left to the thread of the connection, or a silent client blocks all.
        self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: TokenServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        config = self.server.config
        url = urlsplit(self.path)
        sent = self.headers.get("Authorization")
        if url.path in config.pages:
            self._show(**config.pages[url.path])
        elif url.path != "/jwt/auth":
            self._answer(404, {"details": "no such page"})
        elif sent == _basic(config.user, config.password):
            self._grant(parse_qs(url.query), config.user, config.actions)
        elif sent is None and config.anonymous is not None:
            self._grant(parse_qs(url.query), "", config.anonymous)
        else:
            self._answer(401, {"details": "incorrect username or password"})

    def do_POST(self) -> None:
        """As GitLab's: OAuth's form of the request is not known here. containerd then uses GET."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(404, {"details": "no such page"})

    def _grant(self, query: dict[str, list[str]], user: str, grantable: list[str] | None) -> None:
        config = self.server.config
        now = int(time.time())
        times = {"exp": _LIFETIME, "nbf": -5, "iat": 0, **config.times}
        scopes = query.get("scope", [])
        claims = {
            "iss": config.issuer,
            "sub": user,
            "aud": query.get("service", [""])[0],
            **{name: now + seconds for name, seconds in times.items()},
            "jti": str(uuid.uuid4()),
            "access": access(
                scopes[-1:] if config.last_scope_only else scopes, grantable, config.prefix
            ),
            **config.claims,
        }
        reply = {"token": _sign(claims, config), "expires_in": _LIFETIME, **config.reply}
        self._answer(200, {name: value for name, value in reply.items() if value})

    def _answer(self, status: int, content: dict[str, object]) -> None:
        challenge = {"WWW-Authenticate": 'Basic realm="lab"'} if status == 401 else {}
        self._show(status, {**challenge, "Content-Type": _JSON}, json.dumps(content))

    def _show(self, status: int, headers: dict[str, str], body: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())


def access(
    scopes: list[str], grantable: list[str] | None, prefix: str = ""
) -> list[dict[str, object]]:
    """`type:name:action,action`; several are blank-joined or repeated. A name may hold colons."""
    entries: list[dict[str, object]] = []
    for scope in " ".join(scopes).split():
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        granted = [each for each in actions.split(",") if grantable is None or each in grantable]
        entries.append({"type": kind, "name": prefix + name, "actions": granted})
    return entries


def _sign(claims: dict[str, object], config: Config) -> str:
    """A JWT, ES256, with its certificate in `x5c` (distribution wants that or a libtrust `kid`)."""
    certificate = x509.load_pem_x509_certificate(Path(config.signing_certificate).read_bytes())
    key = serialization.load_pem_private_key(Path(config.signing_key).read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    der = certificate.public_bytes(serialization.Encoding.DER)
    header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
    signed = f"{_base64url(json.dumps(header).encode())}.{_base64url(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


if __name__ == "__main__":
    TokenServer(Config(**json.loads(Path(sys.argv[1]).read_text()))).serve_forever()
