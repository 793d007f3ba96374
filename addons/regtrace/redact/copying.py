"""A copy of an exchange that may leave: labels where secrets and names stood, in the form in which
these stood, so that the copy decodes to the same facts.

What the redactor passes stays byte for byte; what it hides is put together again around its label:
a JWT keeps its header and claims, an upload's state its offset, Basic its colon. A copy of a copy
is the copy. Bodies have a file of their own.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

from regtrace.redact import addresses, bodies, grammar, headers, prose, urls
from regtrace.redact.gate import APART
from regtrace.redact.redactor import Redactor, is_host, is_local
from regtrace.redact.secrets import METHOD_USERS, is_secret_key
from regtrace.redact.shapes import (
    MAC_SIZE,
    credentials_in,
    is_word,
    label_in,
    token_prefix,
    user_and_password,
)
from regtrace.wire.client import read_client
from regtrace.wire.coding import from_base64
from regtrace.wire.exchange import (
    Body,
    Exchange,
    Headers,
    Request,
    Response,
    Rewritten,
    ServerCertificate,
)
from regtrace.wire.hosts import is_address
from regtrace.wire.jsontext import parse_json
from regtrace.wire.jwt import split_jws
from regtrace.wire.presigned import read_presigned
from regtrace.wire.upload import read_state
from regtrace.wire.url import Url, parse_url

_MOST_JSON = 64 * 1024
_ABSOLUTE = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*:)?//([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.DOTALL
)
_RELATIVE = re.compile(r"([^?#]*)(\?[^#]*)?(?:#.*)?", re.DOTALL)
_SIGNED = re.compile(r"(Credential|SignedHeaders|Signature)=([^\s,]+)")
_TYPE = re.compile(r"\s*[A-Za-z]+/[A-Za-z0-9*][A-Za-z0-9.+*-]{0,120}")
_PARAM = re.compile(r'(?:charset|q|v|version)="?[\w.-]{1,20}"?', re.IGNORECASE)
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]{8,30}(?:[Zz]|[+-][0-9:]{5})?")
_DIGEST_LIKE = re.compile(r"[A-Za-z0-9+._-]{1,20}:[0-9A-Fa-f]{0,128}")
_AGENT_WORDS = re.compile(r"([\s();,\\]+)")
#: As asyncio names an address in its error.
_TRIED = re.compile(r"\('([0-9A-Fa-f.:]{2,45})(?=(?:%[^']{0,32})?', [0-9]{1,5})")
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: How libtrust names a key, and others by a fingerprint or a UUID.
_KEY_NAME = re.compile(r"(?:[A-Z2-7]{4}:){11}[A-Z2-7]{4}|[0-9A-Fa-f]{40}|[0-9A-Fa-f-]{36}")
#: Claims that name no person, and what shows them.
_NUMBERS = frozenset({"exp", "nbf", "iat"})
_PERSONAL = frozenset({"sub", "email", "name", "preferred_username", "user", "username", "upn"})
_NOT_BASE64 = "~"
#: A URL that is none must stay none: this has no host.
_NO_URL = "https:///"


class Copier:
    def __init__(self, redactor: Redactor) -> None:
        self.redactor: Redactor = redactor
        # What one leg sends, the next one sends again; a Location comes back as a target.
        self.field: Callable[[str, str], tuple[str, str]] = lru_cache(maxsize=4096)(self._field)
        self.token: Callable[[str], str] = lru_cache(maxsize=256)(self._token)
        self.target: Callable[[str], str] = lru_cache(maxsize=256)(self._target)
        self.url: Callable[[str], str] = lru_cache(maxsize=256)(self._url)
        self.path: Callable[[str], str] = lru_cache(maxsize=256)(self._path)
        self.pair: Callable[[str], str] = lru_cache(maxsize=1024)(self._pair)
        self.host: Callable[[str], str] = lru_cache(maxsize=256)(redactor.host)
        self.server: Callable[[str], str] = lru_cache(maxsize=256)(self._server)
        self.client: Callable[[str], str] = lru_cache(maxsize=256)(self._client)
        self.body: Callable[[Headers, bytes], bytes | None] = lru_cache(maxsize=16)(self._body)

    def exchange(self, exchange: Exchange) -> Exchange:
        """The copy, whose holdings the redactor must have learned."""
        response, connection = exchange.response, exchange.connection
        client = connection.client_host
        server = connection.server_host
        return replace(
            exchange,
            request=self._request(exchange.request),
            response=self._response(response) if response else None,
            error=None if exchange.error is None else self.error(exchange.error),
            connection=replace(
                connection,
                client_host=None if client is None else self.client(client),
                server_host=None if server is None else self.server(server),
                certificate=connection.certificate and self.certificate(connection.certificate),
                through=connection.through
                and (self.server(connection.through[0]), connection.through[1]),
            ),
            rewritten=tuple(
                Rewritten(self.redactor.plain(change.where), self.url(change.true), change.shown)
                for change in exchange.rewritten
            ),
            labelled=True,
        )

    def _request(self, request: Request) -> Request:
        return replace(
            request,
            method=self.method(request.method),
            host=self.host(request.host),
            target=self.target(request.target),
            headers=Headers(self.headers(request.headers)),
            body=self._copied(request.headers, request.body),
            version=self.version(request.version),
        )

    def _response(self, response: Response) -> Response:
        return replace(
            response,
            reason=self.prose(response.reason),
            headers=Headers(self.headers(response.headers)),
            body=self._copied(response.headers, response.body),
        )

    def _copied(self, fields: Headers, body: Body) -> Body:
        if not body.kept:
            return body
        copy = self.body(fields, body.kept)
        if copy == body.kept:
            return body
        return replace(body, kept=copy, digest=self.digest_kept(fields, body.kept, body.digest))

    def digest_kept(self, fields: Headers, content: bytes, known: str | None) -> str | None:
        """The digest that a changed body keeps. A manifest is called by its own; from that of a
        form a short password could be guessed."""
        return bodies.public_digest(fields, content, known)

    # --- what exchanges and saved flows have in common

    def _client(self, host: str) -> str:
        """The address of a client; loopback says enough to stay."""
        return host if is_local(host) else self.redactor.client_address(host) or ""

    def _server(self, host: str) -> str:
        """The address that the proxy connected to; rules ask whether it is a private one."""
        return self.address(host) if is_address(host) else self.host(host)

    def method(self, text: str) -> str:
        return text if text.isascii() and text.isalpha() and len(text) <= 16 else "OTHER"

    def version(self, text: str) -> str:
        return text if re.fullmatch(r"HTTP/[0-9](?:\.[0-9])?", text) else "HTTP/1.1"

    def prose(self, text: str) -> str:
        return prose.whole(self.redactor, text)

    def error(self, text: str) -> str:
        """What the proxy says of a transport that broke; an address in it stays one of its family,
        by which is seen whether IPv6 was tried alone."""
        shown, at = [], 0
        for found in _TRIED.finditer(text):
            shown += [self.prose(text[at : found.start(1)]), self.address(found[1])]
            at = found.end(1)
        return "".join(shown) + self.prose(text[at:])

    def address(self, text: str) -> str:
        """An address that stands for a label, of the same class and family."""
        label = self.redactor.address(text) if is_address(text) else text
        if label == text or not self.redactor.is_label(label):
            return label
        return addresses.made_up(label, 6 if ":" in text else 4) or label

    def _body(self, fields: Headers, content: bytes) -> bytes | None:
        return bodies.copied(self, fields, content)

    def certificate(self, shown: ServerCertificate) -> ServerCertificate:
        return replace(
            shown,
            subject=self.distinguished(shown.subject),
            issuer=self.distinguished(shown.issuer),
            names=tuple(map(self.certificate_name, shown.names)),
        )

    def distinguished(self, text: str) -> str:
        """A distinguished name (RFC 4514): each value by itself."""
        return re.sub(
            r"([A-Za-z0-9.]{1,40})=((?:\\.|[^,+\\])*)",
            lambda found: f"{found[1]}={self.attribute(found[1], found[2])}",
            text,
        )

    def attribute(self, name: str, value: str) -> str:
        """One value of a distinguished name: a host, or what its owner calls himself."""
        if not value or self.redactor.is_label(value):
            return value
        if name == "C" and len(value) == 2:
            return value
        if is_host(value.removeprefix("*.")):
            return self.certificate_name(value)
        if "@" in value:
            return self.redactor.user(value)
        if self.redactor.hides_names:
            return self.redactor.label("name", value)
        return self.prose(value)

    def certificate_name(self, text: str) -> str:
        wild = "*." if text.startswith("*.") else ""
        return wild + self.host(text.removeprefix(wild))

    # --- headers

    def headers(self, fields: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        return [self.field(name, value) for name, value in fields]

    def _field(self, name: str, value: str) -> tuple[str, str]:
        return self.header_name(name), self.header(name, value)

    def header_name(self, name: str) -> str:
        if name.lower() in grammar.HEADERS or self.redactor.is_label(name):
            return name
        harmless = _HEADER_NAME.fullmatch(name) and self.redactor.is_harmless(name)
        return name if harmless and is_word(name) else self.redactor.label("value", name)

    def header(self, name: str, value: str) -> str:
        lowered, bare = name.lower(), value.strip()
        if not bare or self.redactor.is_label(bare):
            return value
        form = _HEADERS.get(lowered)
        if form is not None:
            return form(self, bare)
        return headers.header(self.redactor, lowered, bare)

    def authorization(self, value: str) -> str:
        scheme, blank, rest = value.partition(" ")
        rest, lowered = rest.strip(), scheme.lower()
        if lowered not in grammar.SCHEMES or not blank or not rest:
            return value if not rest and lowered in grammar.SCHEMES else self.secret(value)
        if lowered == "basic":
            return f"{scheme} {self.basic(rest)}"
        if lowered == "bearer":
            return f"{scheme} {self.token(rest)}"
        signed = _SIGNED.findall(rest)
        if lowered != "aws4-hmac-sha256" or not signed:
            return f"{scheme} {self.secret(rest)}"
        return f"{scheme} " + ", ".join(
            f"{key}={self.query(f'x-amz-{key.lower()}', text)}" for key, text in signed
        )

    def secret(self, value: str, kind: str = "credentials") -> str:
        """A label, behind the words that say which product made the secret."""
        if not value or self.redactor.is_label(value):
            return value
        prefix = token_prefix(value)
        if prefix and self.redactor.is_label(value.removeprefix(prefix)):
            return value
        return prefix + self.redactor.label(kind, value)

    def basic(self, encoded: str) -> str:
        """User and password as labels, packed again."""
        pair = user_and_password(encoded)
        if pair is None:
            if self.redactor.is_label(encoded.removeprefix(_NOT_BASE64)):
                return encoded
            label = self.redactor.label("credentials", encoded)
            named = from_base64(encoded).partition(b":")[0]
            return _packed(label.encode()) if named else _NOT_BASE64 + label
        user, password = pair
        if user and user not in METHOD_USERS:
            user = self.secret(user, "token") if credentials_in(user) else self.redactor.user(user)
        return _packed(f"{user}:{self.secret(password, 'password')}".encode())

    def _token(self, raw: str) -> str:
        """A JWT with its header and claims, and its label for a signature; of others the label."""
        jws = split_jws(raw)
        if jws is None:
            if user_and_password(raw) and not self.redactor.is_label(raw):
                return self.basic(raw)  # ECR's
            return self.secret(raw, "token")
        signature = raw.rpartition(".")[2]
        made = self.redactor.is_label(signature)
        label = signature if made else self.redactor.label("token", raw)
        header = {key: self._jose(key, value) for key, value in jws.header.items()}
        claims = {self._key(key): self._claim(key, value) for key, value in jws.claims.items()}
        return f"{_url_packed(header)}.{_url_packed(claims)}.{label}"

    def _jose(self, key: str, value: Any) -> Any:
        """alg, typ and kid say which key signed; of a certificate or key, that it is there."""
        if isinstance(value, str) and key in {"alg", "typ", "kid", "cty"}:
            known = is_word(value) or (key == "kid" and _KEY_NAME.fullmatch(value))
            harmless = known and self.redactor.is_harmless(value)
            return value if harmless else self.redactor.label("value", value)
        if value in (None, "", [], {}) or isinstance(value, bool):
            return value
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        if isinstance(value, list) and len(value) == 1 and self.redactor.is_label(str(value[0])):
            return value
        label = self.redactor.label("value", text)
        return [label] if isinstance(value, list) else label

    def _key(self, name: str) -> str:
        known = is_word(name) and len(name) <= 64 and self.redactor.is_harmless(name)
        return name if known or self.redactor.is_label(name) else self.redactor.label("value", name)

    def _claim(self, key: str, value: Any) -> Any:
        if key in _NUMBERS or value is None or isinstance(value, bool) or value == "":
            return value if not isinstance(value, str) or len(value) <= 32 else ""
        if key in {"iss", "aud"}:
            return self._services(value)
        if key == "access" and isinstance(value, list):
            return [self._access(entry) for entry in value]
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        if key in {"scope", "scp"} and isinstance(value, str):
            return self.redactor.scope(value)
        if key in _PERSONAL:
            return self.redactor.user(text)
        return self.redactor.label("value", text)

    def _services(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._services(one) for one in value[:64]]
        return self.redactor.service(value) if isinstance(value, str) else None

    def _access(self, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return self.redactor.label("value", json.dumps(entry, sort_keys=True))
        return {self._key(key): self._resource(entry, key) for key in entry}

    def _resource(self, entry: dict[str, Any], key: str) -> Any:
        """Type, class and actions are words; the name of a repository is one."""
        value = entry[key]
        if isinstance(value, list):
            return [self._word(one) for one in value[:64]]
        if isinstance(value, str) and key.lower() == "name":
            scope = self.redactor.scope(f"repository:{value}:pull")
            shown = scope.removeprefix("repository:").rpartition(":")[0]
            return value if value in {"", "*", "catalog"} else shown
        return self._word(value)

    def _word(self, value: Any) -> Any:
        if not isinstance(value, str):
            return None
        return value if value in {"", "*"} else self.redactor.word(value)

    def login(self, value: str) -> str:
        """X-Registry-Auth and X-Registry-Config: JSON in Base64url, with a login in it."""
        content = parse_json(from_base64(value), _MOST_JSON)
        if not isinstance(content, dict):
            return self.secret(value)
        return _url_packed(bodies.data(self, content))

    def cookies(self, value: str) -> str:
        return headers.header(self.redactor, "cookie", value)

    def agent(self, value: str) -> str:
        """The products that it lists; a word that is none becomes a label."""
        shown = "".join(map(self._agent_word, _AGENT_WORDS.split(value)))
        wanted = read_client(Headers([("User-Agent", value)]))
        if read_client(Headers([("User-Agent", shown)])) == wanted:
            return shown
        return headers.header(self.redactor, "user-agent", value)

    def _agent_word(self, text: str) -> str:
        if not text or _AGENT_WORDS.fullmatch(text) or self.redactor.is_label(text):
            return text
        plain = is_word(text.replace("~", "-")) and self.redactor.is_harmless(text)
        if plain and self.redactor.known(text) is None:
            return text
        return self.redactor.label("value", text)

    def content_type(self, value: str) -> str:
        kind, *params = value.split(";")
        if not _TYPE.fullmatch(kind):
            return self.redactor.label("value", value)
        return ";".join([kind, *(param for param in params if _PARAM.fullmatch(param.strip()))])

    def digest(self, value: str) -> str:
        """A digest, also one that is none: its faults are what a rule looks at."""
        return value if _DIGEST_LIKE.fullmatch(value) else self.redactor.label("digest", value)

    def link(self, value: str) -> str:
        found = re.match(r"\s*<([^<>]*)>\s*(;\s*rel=\"?[a-z]{1,16}\"?)?", value)
        if found is None:
            return self.redactor.label("value", value)
        return f"<{self.url(found[1])}>{found[2] or ''}"

    # --- URLs

    def _target(self, text: str) -> str:
        """A request's target in any of its forms (RFC 9112 3.2)."""
        if text == "*" or not text:
            return text
        if text.startswith("/"):
            path, _, query = text.partition("#")[0].partition("?")
            return self.path(path) + (f"?{self.pairs(query)}" if "?" in text else "")
        if "://" in text:
            return self.url(text)
        return self.host(text)

    def _url(self, text: str) -> str:
        """A URL as it was sent, absolute or relative."""
        text = text.strip()
        found = _ABSOLUTE.fullmatch(text)
        if found is None:
            found = _RELATIVE.fullmatch(text)
            if found is None or ":" in found[1].partition("/")[0]:
                return self._no_url(text)
            return self.path(found[1]) + (f"?{self.pairs(found[2][1:])}" if found[2] else "")
        scheme, authority, path, query = found.groups()
        userinfo, at, host = authority.rpartition("@")
        if parse_url(f"{scheme or 'https:'}//{authority}{path}") is None:
            return self._no_url(text)
        known = f"{self.secret(userinfo)}@" if at else ""
        shown = f"{scheme or ''}//{known}{self.host(host)}{self.path(path)}"
        return f"{shown}?{self.pairs(query[1:])}" if query else shown

    def _no_url(self, text: str) -> str:
        bare = text.removeprefix(_NO_URL)
        return _NO_URL + (
            bare if self.redactor.is_label(bare) else self.redactor.label("url", text)
        )

    def _path(self, raw: str) -> str:
        """The path as it was sent, if all of it may be shown."""
        rooted = raw.startswith("/")
        address = parse_url("https://x" + (raw if rooted else f"/{raw}")) if raw else None
        if address is None:
            return raw if not raw else "/" + self.redactor.label("path", raw)
        plain = quote(address.path, safe=urls.SAFE)
        shown = self.redactor.shown_path(address.path)
        if shown == plain and "/." not in raw and unquote_plus(raw).count("%") == 0:
            return raw
        if self.redactor.is_label(shown[1:]) and not self.redactor.is_label(address.path[1:]):
            shown = "/".join(map(self._segment, address.path.split("/")))
        return shown if rooted else shown[1:]

    def _segment(self, text: str) -> str:
        if not text or self.redactor.is_label(text):
            return text
        words = not self.redactor.hides_names and is_word(text)
        if grammar.is_digest(text) or (words and self.redactor.is_harmless(text)):
            return text
        return self.redactor.label("path", text)

    def pairs(self, query: str) -> str:
        """A query or a form, pair by pair; what may be shown stays as it was sent."""
        return "&".join(map(self.pair, query.split("&")))

    def _pair(self, raw: str) -> str:
        key, equals, value = raw.partition("=")
        key, text = unquote_plus(key), unquote_plus(value)
        name = key
        if not (grammar.is_key(key) and (text or key.lower() in grammar.QUERY)):
            name = (
                key if not key or self.redactor.is_label(key) else self.redactor.label("value", key)
            )
        shown = self.query(key, text)
        if name == key and shown == text and "%25" not in raw:
            return raw
        return f"{quote(name)}{equals}{quote(shown, safe='/:,;*')}"

    def query(self, key: str, value: str) -> str:
        """The value of one query key or form field, decoded."""
        name = key.lower()
        if not value or self.redactor.is_label(value):
            return value
        if grammar.obeys_query(name, value) and self.redactor.swept(value) == value:
            return value
        form = _QUERY.get(name)
        if form is not None:
            return form(self, value)
        if is_secret_key(name) and not name.endswith(("signature", "credential", "keyid")):
            return self.token(value)
        shown = urls.query(self.redactor, key, value)
        return shown if self.redactor.is_label(shown) else unquote_plus(shown.replace("+", "%2B"))

    def state(self, value: str) -> str:
        """distribution's, packed again: the label and dots where its signature was."""
        if label_in(value) and self.redactor.is_label(label_in(value) or ""):
            return value
        label, read = self.redactor.label("state", unquote(value)), read_state(value)
        content = parse_json(from_base64(value)[MAC_SIZE:], _MOST_JSON)
        if read is None or not isinstance(content, dict):
            return label + ("%3D" if "%" in value else "")  # encoded once too often: a fault
        started = content.get("StartedAt")
        state: dict[str, Any] = {
            "Name": self.redactor.repository(read.name),
            "UUID": self.redactor.session(read.uuid),
            "Offset": read.offset,
        }
        if isinstance(started, str) and _ISO.fullmatch(started):
            state["StartedAt"] = started
        packed = label.encode().ljust(MAC_SIZE, b".") + json.dumps(state).encode()
        return base64.urlsafe_b64encode(packed).decode()

    def policy(self, value: str) -> str:
        """CloudFront's, with nothing but its dates."""
        label = self.redactor.label("signature", value)
        pairs = (("key-pair-id", "-"), ("policy", value), ("signature", "-"))
        read = read_presigned(Url("https", "-", 443, "/", pairs))
        if read is None or read.expires_at is None:
            return label
        resource = _resource_of(value)
        if self.redactor.is_label(resource):
            return value
        dates = {"DateLessThan": {"AWS:EpochTime": int(read.expires_at)}}
        if read.signed_at is not None:
            dates["DateGreaterThan"] = {"AWS:EpochTime": int(read.signed_at)}
        statement = {"Resource": label, "Condition": dates}
        packed = base64.b64encode(json.dumps({"Statement": [statement]}).encode()).decode()
        return packed.translate(_TO_CLOUDFRONT)

    def edge_auth(self, value: str) -> str:
        """Akamai's: ``exp=…~hmac=…``."""
        parts = (part.partition("=") for part in value.split("~"))
        return "~".join(
            f"{key}={text}"
            if key in {"exp", "st"} and text.isdigit()
            else f"{key if is_word(key) else ''}{equals}{self.secret(text, 'signature')}"
            for key, equals, text in parts
        )


def texts_of(exchange: Exchange) -> bytes:
    """Every text of an exchange, apart from each other, to be searched."""
    request, response, connection = exchange.request, exchange.response, exchange.connection
    texts = [request.method, request.host, request.target, exchange.error or ""]
    texts += [text for field in request.headers for text in field]
    contents = [request.body.kept or b""]
    if response is not None:
        texts += [response.reason, *(text for field in response.headers for text in field)]
        contents.append(response.body.kept or b"")
    texts += [connection.client_host or "", connection.server_host or ""]
    texts += [connection.through[0]] if connection.through else []
    if connection.certificate:
        shown = connection.certificate
        texts += [shown.subject, shown.issuer, *shown.names]
    return APART.join([*(text.encode("utf-8", "replace") for text in texts), *contents])


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _url_packed(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


_TO_CLOUDFRONT = str.maketrans("+=/", "-_~")


def _resource_of(policy: str) -> str:
    plain = policy.translate(str.maketrans("-_~", "+=/"))
    content = parse_json(from_base64(plain), _MOST_JSON)
    statements = content.get("Statement") if isinstance(content, dict) else None
    first = statements[0] if isinstance(statements, list) and statements else None
    resource = first.get("Resource") if isinstance(first, dict) else None
    return resource if isinstance(resource, str) else ""


def _challenges(copier: Copier, value: str) -> str:
    return headers.challenges(copier.redactor, value, url=copier.url, told=copier.prose)


_Form = Callable[[Copier, str], str]

_HEADERS: dict[str, _Form] = {
    "authorization": Copier.authorization,
    "content-location": lambda copier, value: copier.url(value),
    "content-type": Copier.content_type,
    "cookie": Copier.cookies,
    "docker-content-digest": Copier.digest,
    "link": Copier.link,
    "location": lambda copier, value: copier.url(value),
    "proxy-authenticate": _challenges,
    "proxy-authorization": Copier.authorization,
    "referer": lambda copier, value: copier.url(value),
    "server": Copier.prose,
    "user-agent": Copier.agent,
    "via": Copier.prose,
    "www-authenticate": _challenges,
    "x-minio-error-desc": Copier.prose,
    "x-registry-auth": Copier.login,
    "x-registry-config": Copier.login,
}
_QUERY: dict[str, _Form] = {
    "_state": Copier.state,
    "akamai_signature": Copier.edge_auth,
    "digest": Copier.digest,
    "mount": Copier.digest,
    "password": lambda copier, value: copier.secret(value, "password"),
    "policy": Copier.policy,
}
