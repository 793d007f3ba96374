"""Canaries: made-up secrets, planted into a copy of an exchange wherever a real one could stand.

A report made from the copy must show none of them. What the copy says otherwise stays the same,
and the same secret gets the same canary everywhere, so the legs still join.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from regtrace.redact.secrets import key_id, unpacked
from regtrace.redact.shapes import user_and_password
from regtrace.wire.coding import decoded
from regtrace.wire.exchange import Body, Exchange, Headers, Request, Response
from regtrace.wire.jsontext import parse_json

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_MOST_BODY = 256 * 1024
_TOKEN_KEYS = frozenset("token access_token refresh_token id_token identity_token".split())
_FORM_KEYS = _TOKEN_KEYS | frozenset("password client_secret assertion".split())
_QUERY = re.compile(
    r"(?P<mark>[?&])(?P<key>[^=&#]*(?:sig|sign|signature|credential|security-token|token|password|secret"
    r"|policy|keyid|accessid|_state|verify|account|q-ak))=(?P<value>[^&#]+)",
    re.IGNORECASE,
)
_OPEN = frozenset({"offline_token"})
#: Headers of products that carry a secret, and those of the Docker API (regtrace never asks why).
_PRODUCT_HEADERS = (
    "X-JFrog-Art-Api",
    "X-Vault-Token",
    "X-Api-Key",
    "PRIVATE-TOKEN",
    "JOB-TOKEN",
    "X-Amz-Security-Token",
    "X-Unheard-Of",
)
#: What such tokens begin with; the rest is made up here.
_PREFIXES = ("ghp" + "_", "glcbt" + "-", "dckr_pat" + "_", "hvs" + ".", "")


@dataclass(frozen=True, slots=True)
class Canary:
    where: str
    value: str
    personal: bool = False
    """A user or an address of a client: shown at level ``internal``, and only there."""
    whole: bool = False
    """It holds facts that stay; its secret parts are canaries of their own."""


def plant(exchange: Exchange) -> tuple[Exchange, tuple[Canary, ...]]:
    """A copy of the exchange with canaries in every fitting place, and what was planted.

    Deterministic: equal exchanges get equal canaries.
    """
    planter = _Planter(exchange.id)
    request, response = exchange.request, exchange.response
    copy = replace(
        exchange,
        request=planter.request(request),
        response=planter.response(response) if response else None,
        error=planter.error(exchange.error),
        connection=replace(
            exchange.connection, client_host=planter.address(exchange.connection.client_host)
        ),
    )
    return copy, tuple(dict.fromkeys(planter.planted))


class _Planter:
    def __init__(self, seed: str) -> None:
        self._seed = seed
        self.planted: list[Canary] = []

    def canary(self, where: str, original: str, length: int = 32, *, personal: bool = False) -> str:
        """A made-up value; the same for the same original."""
        value, counter = "", 0
        while len(value) < length:
            block = hashlib.sha256(f"canary {counter} {original}".encode("utf-8", "replace"))
            value += "".join(_LETTERS[byte % len(_LETTERS)] for byte in block.digest())
            counter += 1
        value = value[:length]
        self.planted.append(Canary(where, value, personal))
        return value

    def new(self, where: str, length: int = 32, *, personal: bool = False) -> str:
        """A canary where nothing stood."""
        return self.canary(where, f"{self._seed} {where}", length, personal=personal)

    def _note(self, where: str, value: str) -> str:
        self.planted.append(Canary(where, value, whole=True))
        return value

    # --- the two sides

    def request(self, request: Request) -> Request:
        return replace(
            request,
            target=self.query("request.url", request.target),
            headers=Headers([*self._headers("request", request.headers), *self._request_extras()]),
            body=self._form(request.headers, request.body),
        )

    def response(self, response: Response) -> Response:
        cookie = f"AWSALB={self.new('response.header.Set-Cookie')}; Path=/"
        extras = [
            ("Set-Cookie", cookie),
            ("X-Unheard-Of", self.new("response.header.X-Unheard-Of")),
        ]
        headers = [*self._headers("response", response.headers), *extras]
        body = response.body
        if body.kept and len(body.kept) <= _MOST_BODY:
            content = decoded(response.headers, body.kept)
            said = self._said(response.status, content)
            if said != content:
                body = Body.of(said)
                headers = [pair for pair in headers if pair[0].lower() != "content-encoding"]
        return replace(response, headers=Headers(headers), body=body)

    def error(self, text: str | None) -> str | None:
        if text is None:
            return None
        token = self.new("error")
        network = hashlib.sha256(self._seed.encode("utf-8", "replace")).digest()
        four = f"198.18.{network[0]}.{network[1]}"
        six = f"2001:db8:{network[2]:x}{network[3]:02x}::{network[4] + 1:x}7"
        for address in (four, six):
            self.planted.append(Canary("error", address, personal=True))
        return f"{text} (token={token}, peer {four}:41234, [{six}]:41234)"

    def address(self, host: str | None) -> str | None:
        if host is None:
            return None
        parts = hashlib.sha256(f"canary {host}".encode("utf-8", "replace")).digest()
        value = f"198.19.{parts[0]}.{parts[1]}"
        self.planted.append(Canary("connection.client_host", value, personal=True))
        return value

    # --- headers

    def _headers(self, side: str, headers: Headers) -> list[tuple[str, str]]:
        return [
            (name, self._header(f"{side}.header.{name}", name, value)) for name, value in headers
        ]

    def _header(self, where: str, name: str, value: str) -> str:
        lowered = name.lower()
        if lowered in {"authorization", "proxy-authorization"}:
            return self._authorization(where, value)
        if lowered in {"cookie", "set-cookie"}:
            cookie, equals, rest = value.partition("=")
            _, semicolon, attributes = rest.partition(";")
            return f"{cookie}{equals}{self.canary(where, rest)}{semicolon}{attributes}"
        if lowered in {"location", "content-location", "referer"}:
            return self._userinfo(where, self.query(where, value))
        return value

    def _authorization(self, where: str, value: str) -> str:
        scheme, blank, rest = value.partition(" ")
        if not blank:
            return self.canary(where, value)
        if scheme.lower() == "bearer":
            return f"{scheme} {self.token(where, rest.strip())}"
        if scheme.lower() != "basic":
            return f"{scheme} {self.canary(where, rest)}"
        user, password = user_and_password(rest) or ("", rest)
        named = self.canary(where, f"user {user}", 12, personal=True)
        packed = f"{named}:{self.canary(where, password)}".encode()
        return f"{scheme} {self._note(where, base64.b64encode(packed).decode())}"

    def _request_extras(self) -> list[tuple[str, str]]:
        login = {"username": self.new("X-Registry-Auth", 12, personal=True)}
        login["password"] = self.new("X-Registry-Auth.password")
        packed = base64.urlsafe_b64encode(json.dumps(login).encode()).decode()
        user, password = self.new("proxy user", 12, personal=True), self.new("proxy password")
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        extras = [
            ("X-Registry-Auth", self._note("X-Registry-Auth", packed)),
            ("Proxy-Authorization", f"Basic {self._note('Proxy-Authorization', basic)}"),
            ("Cookie", f"JSESSIONID={self.new('Cookie')}"),
        ]
        for number, name in enumerate(_PRODUCT_HEADERS):
            value = _PREFIXES[number % len(_PREFIXES)] + self.new(f"request.header.{name}")
            extras.append((name, self._note(f"request.header.{name}", value)))
        return extras

    def token(self, where: str, raw: str) -> str:
        """A token of the same kind; of a JWT the claims stay, but for those that name somebody."""
        parts = raw.split(".")
        claims = parse_json(unpacked(parts[1]), _MOST_BODY) if len(parts) == 3 else None
        if not isinstance(claims, dict):
            return self.canary(where, raw, max(32, min(len(raw), 400)))
        for name in ("sub", "jti", "email", "preferred_username"):
            claims[name] = self.canary(f"{where} {name}", f"{raw} {name}", 16, personal=True)
        packed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        signature = self.canary(f"{where} signature", f"{raw} signature", 86)
        return self._note(where, f"{parts[0]}.{packed}.{signature}")

    # --- URLs and bodies

    def query(self, where: str, text: str) -> str:
        def swap(match: re.Match[str]) -> str:
            key, value = match["key"], match["value"]
            name, place = key.lower(), f"{where}?{match['key']}"
            if name in _OPEN:
                return match[0]
            return f"{match['mark']}{key}={self._query_value(place, name, value)}"

        return _QUERY.sub(swap, text)

    def _query_value(self, where: str, name: str, value: str) -> str:
        if name == "account":
            return self.canary(where, f"user {value}", 12, personal=True)
        if name.endswith("credential"):
            plain = value.replace("%2F", "/").replace("%2f", "/")
            known = key_id(plain)
            return quote(self.canary(where, known, 20) + plain[len(known) :], safe="")
        if name == "_state":
            state = unpacked(value)[32:]
            mac = self.canary(where, value).encode()
            packed = base64.urlsafe_b64encode(mac + state).decode()
            return self._note(where, packed)
        if name == "verify":
            moment, dash, rest = value.partition("-")
            return f"{moment}{dash}{self.canary(where, rest)}"
        return self.canary(where, value, 64)

    def _userinfo(self, where: str, url: str) -> str:
        try:
            parts = urlsplit(url)
        except ValueError:
            return url
        if not parts.netloc or "@" in parts.netloc:
            return url
        user, password = self.new(f"{where} user", 12, personal=True), self.new(f"{where} password")
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc}"))

    def _form(self, headers: Headers, body: Body) -> Body:
        form = "form-urlencoded" in (headers.get("Content-Type") or "")
        if not form or not body.kept or len(body.kept) > _MOST_BODY:
            return body
        fields = []
        for field in body.kept.decode("utf-8", "replace").split("&"):
            key, _, value = field.partition("=")
            if key in _FORM_KEYS:
                fields.append(f"{key}={self.token(f'request.body.{key}', value)}")
            elif key == "username":
                user = self.canary("request.body.username", f"user {value}", 12, personal=True)
                fields.append(f"{key}={user}")
            else:
                fields.append(field)
        return Body.of("&".join(fields).encode())

    def _said(self, status: int, content: bytes) -> bytes:
        said = parse_json(content, _MOST_BODY)
        if isinstance(said, dict):
            return json.dumps(self._json(status, said)).encode()
        if status >= 300 and b"</Error>" in content:
            return content.replace(b"</Error>", self._echo().encode() + b"</Error>", 1)
        return content

    def _json(self, status: int, said: dict[str, Any]) -> dict[str, Any]:
        for key in _TOKEN_KEYS & said.keys():
            if isinstance(said[key], str):
                said[key] = self.token(f"response.body.{key}", said[key])
        if status < 300 and _TOKEN_KEYS & said.keys():
            said.setdefault("refresh_token", self.new("response.body.refresh_token"))
        errors = said.get("errors")
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, dict) and isinstance(error.get("message"), str):
                error["message"] += f" (Bearer {self.new('response.body.message')})"
        config = said.get("config")
        if isinstance(config, dict) and "rootfs" in said:
            config["Env"] = [f"API_TOKEN={self.new('response.body.Env')}"]
            config["Labels"] = {"built.by": self.new("response.body.Labels")}
            said["history"] = [{"created_by": f"RUN echo {self.new('response.body.history')}"}]
        if isinstance(said.get("layers"), list) or isinstance(said.get("manifests"), list):
            said["annotations"] = {"built.by": self.new("response.body.annotations")}
        return said

    def _echo(self) -> str:
        """What S3 says of a request whose signature it refuses."""
        key, signature = self.new("echo key", 20), self.new("echo signature", 64)
        token = self.new("echo token", 120)
        return (
            f"<AWSAccessKeyId>{key}</AWSAccessKeyId><SignatureProvided>{signature}"
            f"</SignatureProvided><Token-0>{token}</Token-0><StringToSign>GET\n\n\n1700000000\n"
            f"x-amz-security-token:{token}\n/bucket/key</StringToSign>"
        )
