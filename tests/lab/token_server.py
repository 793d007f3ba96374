"""A small token server: GET /jwt/auth?service=&scope=&account= with Basic auth gets a signed JWT.

A program of its own, `python token_server.py CONFIG.json`. It grants what a known user asks
for, or less: only the actions that its configuration names. Protocol: distribution's
docs/spec/auth/token.md and jwt.md.
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import time
import uuid
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_LIFETIME = 300  # seconds


@dataclass(frozen=True, slots=True)
class Config:
    """What the configuration file says; paths are PEM files.

    actions: all that may be granted; None is whatever is asked for
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
    actions: list[str] | None


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
        if url.path != "/jwt/auth":
            self._answer(404, {"details": "no such page"})
            return
        if self.headers.get("Authorization") != _basic(config.user, config.password):
            self._answer(401, {"details": "incorrect username or password"})
            return
        query = parse_qs(url.query)
        now = int(time.time())
        claims = {
            "iss": config.issuer,
            "sub": config.user,
            "aud": query.get("service", [""])[0],
            "exp": now + _LIFETIME,
            "nbf": now - 5,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "access": access(query.get("scope", []), config.actions),
        }
        self._answer(200, {"token": _sign(claims, config), "expires_in": _LIFETIME})

    def do_POST(self) -> None:
        """As GitLab's: OAuth's form of the request is not known here. containerd then uses GET."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(404, {"details": "no such page"})

    def _answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="lab"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def access(scopes: list[str], grantable: list[str] | None) -> list[dict[str, object]]:
    """`type:name:action,action`; several are blank-joined or repeated. A name may hold colons."""
    entries: list[dict[str, object]] = []
    for scope in " ".join(scopes).split():
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        granted = [each for each in actions.split(",") if grantable is None or each in grantable]
        entries.append({"type": kind, "name": name, "actions": granted})
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
