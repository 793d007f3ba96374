"""Where the secrets, the users and the names of an exchange stand. Reads, and hides nothing.

The gate looks for these secrets in every output. The redactor looks for them in prose, where a
server may quote what it was sent.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from regtrace.redact.shapes import credentials_in, is_word, user_and_password
from regtrace.wire.challenge import parse_challenges
from regtrace.wire.coding import decoded
from regtrace.wire.endpoint import parse_endpoint
from regtrace.wire.exchange import Body, Exchange, Headers
from regtrace.wire.jsontext import parse_json
from regtrace.wire.scope import parse_scopes

#: Bytes of a body that are searched: tokens and error pages are far shorter, image configs not.
_MOST_BODY = 1024 * 1024
_MOST_PAIRS = 200
_DEEPEST = 8
_MOST_ITEMS = 2_000

_SECRET_HEADER = re.compile(
    r"authorization|authentication-info|cookie|token|secret|password|passwd|session|credential"
    r"|api-?key|art-api|access-?key|registry-(?:auth|config)|signature",
    re.IGNORECASE,
)
#: Their values are names of headers or plain facts, although their own names sound secret.
_OPEN_HEADER = re.compile(
    r"access-control-|sec-|www-|proxy-authenticate|x-amz-signedheaders|x-token-expir", re.IGNORECASE
)
_URL_HEADERS = frozenset({"location", "content-location", "referer", "link", "refresh", "origin"})
_SECRET_QUERY = re.compile(
    r"sig$|sign$|signature$|credential$|token$|password$|passwd$|secret$|api_?key$|policy$"
    r"|assertion$|accesskeyid$|^googleaccessid$|^q-ak$|^_state$|^verify$|^code$|^auth$|^hdnts$",
    re.IGNORECASE,
)
_OPEN_QUERY = frozenset({"offline_token"})
_SECRET_KEY = re.compile(
    r"token|password|passwd|secret|assertion|api_?key|access_?key|private_?key|^auth$|^identitytoken$"
    r"|^registrytoken$|credential|signature",
    re.IGNORECASE,
)
#: Keys of token replies and forms that only sound so.
_OPEN_KEYS = frozenset({"token_type", "issued_token_type", "tokens", "credentials_expire"})
#: What S3 and its like echo of a request whose signature they refuse.
_ECHO = re.compile(
    r"<((?:AWS)?AccessKeyId|Signature\w*|StringToSign\w*|CanonicalRequest\w*|Token(?:-\d+)?"
    r"|X-Amz-[\w-]*(?:Credential|Token|Signature)|ArgumentValue)>([^<]{1,20000})</",
    re.IGNORECASE,
)
#: Echoed texts of several lines, most of which are open; a leak is the whole, or a secret in it.
_WHOLE = ("stringtosign", "canonicalrequest")
_QUERY_IN_TEXT = re.compile(r"[?&\n]?([\w-]+=[^\s&<]+(?:&[\w-]+=[^\s&<]*)*)")
_URL_IN_TEXT = re.compile(r"(?:https?:/)?/[^\s\"'<>\\]{1,8000}\?[^\s\"'<>\\]{1,8000}")
_LOGIN_IN_TEXT = re.compile(r"\b(?:[Bb]asic|[Bb]earer) +[\w.~+/=-]{8,8000}")
_PAIR_IN_TEXT = re.compile(
    r"(?<![\w-])([\w-]{1,40})\\?[\"']?(?:=|: ?)\\?[\"']?([^\s\"'\\,;&]{8,8000})"
)
_SIGNED = re.compile(r"(Credential|Signature|response)\s*=\s*\"?([^\s,\";]+)", re.IGNORECASE)
_PERSONAL = ("sub", "email", "name", "preferred_username", "user", "username", "unique_name", "upn")

#: Users that only say how one logs in: ECR, GCR, GitLab, ACR, Artifact Registry, NGC, GHCR.
METHOD_USERS = frozenset(
    """AWS oauth2accesstoken _json_key _json_key_base64 gitlab-ci-token <token> $oauthtoken
    x-access-token x-oauth-basic x-token-auth JWT oauth2 token
    00000000-0000-0000-0000-000000000000""".split()
)

#: Characters of Base64 that hold an upload state's signature; what follows is open JSON.
_MAC = 42

_Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Secret:
    where: str
    """A path into the exchange, for messages."""
    kind: str
    """What its label says: ``token``, ``password``, …"""
    value: str
    whole: bool = False
    """Its parts are no secrets."""


def secrets_in(exchange: Exchange) -> Iterator[Secret]:
    """Every secret of an exchange. One value may come several times."""
    request, response = exchange.request, exchange.response
    yield from _in_target("request.url", request.target)
    yield from _in_headers("request", request.headers)
    if request.body.kept:
        yield from _in_body("request.body", request.headers, request.body)
    if response is not None:
        yield from _in_headers("response", response.headers)
        if response.body.kept:
            yield from _in_body("response.body", response.headers, response.body)


def secrets_in_text(text: str) -> Iterator[Secret]:
    """Those in a sentence or a line of a log: in the queries of URLs, after the names of schemes,
    and beside names that say so."""
    for url in _URL_IN_TEXT.findall(text):
        yield from _in_target("log", url)
    for authorization in _LOGIN_IN_TEXT.findall(text):
        yield from _in_authorization("log", authorization)
    for key, found in _PAIR_IN_TEXT.findall(text):
        value = found.rstrip(".:!?)]}")
        # "invalid password: unauthorized" is a sentence.
        if is_secret_key(key) and not is_word(value):
            yield from _opened("log", "token", value)


def users_in(exchange: Exchange) -> Iterator[str]:
    """Who logged in, as far as the exchange says; without users that only name a method."""
    request, response = exchange.request, exchange.response
    yield from (user for user in _users(request.headers) if user)
    _, asks, query = request.target.partition("?")
    if asks:
        yield from _values(_pairs(query), "account", "username")
    if request.body.kept and _is_form(request.headers):
        yield from _values(_pairs(_text(request.headers, request.body)), "username", "account")
    if response is not None and response.body.kept:
        content = _json(response.headers, response.body)
        for key, value in _leaves(content):
            if key.lower() in {"token", "access_token", "refresh_token", "id_token"}:
                yield from personal_claims(value)


def names_in(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """(kind, name) of every host, repository, tag and service that the exchange names.

    A secret that equals one of them can't be told from the name: a reader of the name does not
    learn that it also opens a door.
    """
    request, response = exchange.request, exchange.response
    yield "host", request.host
    if exchange.connection.through:
        yield "host", exchange.connection.through[0]
    yield from _names_of_target(request.target)
    for text in request.headers.all("Referer"):
        yield from _names_of_url(text)
    if response is not None:
        for text in response.headers.all("Location"):
            yield from _names_of_url(text)
        for text in response.headers.all("WWW-Authenticate"):
            yield from _names_of_challenges(text)


def personal_claims(token: str) -> tuple[str, ...]:
    """The claims of a JWT that name a person or an account."""
    parts = token.split(".")
    claims = parse_json(unpacked(parts[1]), _MOST_BODY) if len(parts) == 3 else None
    if not isinstance(claims, dict):
        return ()
    return tuple(claims[name] for name in _PERSONAL if isinstance(claims.get(name), str))


# --- headers


def _in_headers(side: str, headers: Headers) -> Iterator[Secret]:
    for name, value in headers:
        if _reader(name) is not None:
            yield from _in_field(side, name, value)


@lru_cache(maxsize=256)  # every leg of a push carries the same token
def _in_field(side: str, name: str, value: str) -> tuple[Secret, ...]:
    reader = _reader(name)
    return tuple(reader(f"{side}.header.{name}", value)) if reader else ()


@lru_cache(maxsize=1024)
def _reader(name: str) -> Callable[[str, str], Iterator[Secret]] | None:
    """What finds the secrets in fields of this name; None where none can be."""
    lowered = name.lower()
    if lowered in _URL_HEADERS:
        return _in_url_header
    if lowered == "www-authenticate":
        return _in_challenges
    if _SECRET_HEADER.search(name) and not _OPEN_HEADER.match(name):
        return partial(_in_secret_header, lowered)
    return None


def _in_url_header(where: str, value: str) -> Iterator[Secret]:
    return _in_target(where, value.strip("<"))


def _in_challenges(where: str, value: str) -> Iterator[Secret]:
    for challenge in parse_challenges([value]):
        yield from _in_target(where, challenge.realm or "")


def _in_secret_header(name: str, where: str, value: str) -> Iterator[Secret]:
    if name in {"authorization", "proxy-authorization", "authentication-info"}:
        yield from _in_authorization(where, value)
    elif name == "cookie":
        for cookie in value.split(";"):
            yield Secret(where, "cookie", cookie.partition("=")[2].strip() or cookie.strip())
    elif name == "set-cookie":
        first = value.partition(";")[0]
        yield Secret(where, "cookie", first.partition("=")[2].strip() or first.strip())
    elif name.startswith("x-registry-"):
        yield Secret(where, "credentials", value.strip(), whole=True)
        yield from _in_data(where, parse_json(unpacked(value), _MOST_BODY))
    else:
        yield from _opened(where, "token", value.strip())


def _in_authorization(where: str, value: str) -> Iterator[Secret]:
    scheme, blank, rest = value.strip().partition(" ")
    rest = rest.strip()
    if not blank or not rest:
        yield Secret(where, "credentials", value.strip())
    elif scheme.lower() == "basic":
        # It may begin with a user that only names a method, and is shown.
        yield Secret(where, "credentials", rest, whole=user_and_password(rest) is not None)
        yield from _in_basic(where, rest)
    elif scheme.lower() == "bearer":
        yield from _opened(where, "token", rest)
    elif signed := _SIGNED.findall(rest):
        for key, secret in signed:
            known = key.lower() == "credential"
            yield Secret(
                where, "key-id" if known else "signature", key_id(secret) if known else secret
            )
    else:
        yield Secret(where, "credentials", rest)


def _in_basic(where: str, encoded: str) -> Iterator[Secret]:
    pair = user_and_password(encoded)
    if pair is None:
        return
    user, password = pair
    yield Secret(where, "credentials", f"{user}:{password}", whole=True)
    yield from _opened(where, "password", password)
    if credentials_in(user):
        yield Secret(where, "token", user)


def _opened(where: str, kind: str, value: str) -> Iterator[Secret]:
    """A secret, and what can be read in it without a key."""
    parts = value.split(".")
    is_jwt = len(parts) == 3 and parts[0].startswith("eyJ")
    # How a JWT begins is public, and what a registry's claims say is shown in its place.
    yield Secret(where, kind, value, whole=is_jwt)
    if is_jwt:
        yield Secret(where, "signature", parts[2])
    elif kind == "token":
        yield from _in_basic(where, value)


def _users(headers: Headers) -> Iterator[str]:
    for name in ("Authorization", "Proxy-Authorization"):
        for value in headers.all(name):
            yield from _users_of(value)
    for value in headers.all("X-Registry-Auth"):
        login = parse_json(unpacked(value), _MOST_BODY)
        user = login.get("username") if isinstance(login, dict) else None
        if isinstance(user, str):
            yield user


@lru_cache(maxsize=256)  # every leg of a push carries the same token
def _users_of(authorization: str) -> tuple[str, ...]:
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return personal_claims(rest.strip())
    pair = user_and_password(rest) if scheme.lower() == "basic" else None
    if pair is None or pair[0] in METHOD_USERS or credentials_in(pair[0]):
        return ()
    return (pair[0],)


# --- URLs and forms


def key_id(credential: str) -> str:
    """The key id of a credential: before ``/day/region/service/protocol``, counted from behind,
    since a key id of MinIO may hold a slash itself."""
    scope = credential.rsplit("/", 4)
    return scope[0] if len(scope) == 5 else credential.partition("/")[0]


def _in_target(where: str, text: str) -> Iterator[Secret]:
    parts = _split(text) if "?" in text or "@" in text else None
    if parts is None:
        return
    if parts.password:
        yield Secret(where, "password", unquote(parts.password))
        yield Secret(where, "credentials", parts.netloc.rpartition("@")[0])
    elif parts.username and "@" in parts.netloc:
        yield Secret(where, "credentials", unquote(parts.username))
    yield from _in_pairs(where, _pairs(parts.query))
    if "+" in parts.query:
        # Left as it is by the sender, it means itself in Base64, and a blank to a parser.
        yield from _in_pairs(where, _pairs(parts.query.replace("+", "%2B")))


def _in_pairs(where: str, pairs: _Pairs) -> Iterator[Secret]:
    for key, value in pairs:
        name = key.lower()
        if not _SECRET_QUERY.search(name) or name in _OPEN_QUERY:
            continue
        place = f"{where}?{key}"
        if name.endswith("credential"):
            yield Secret(place, "key-id", key_id(value))
        elif name == "verify":
            yield Secret(place, "signature", value.partition("-")[2] or value)
        elif name == "_state":
            yield Secret(place, "state", value, whole=True)
            yield Secret(place, "state", value[:_MAC])
        elif name.endswith(("keyid", "accessid", "q-ak")):
            yield Secret(place, "key-id", value)
        elif name.endswith(("token", "password", "secret", "assertion", "key")):
            yield from _opened(place, "token", value)
        else:
            # A policy holds dates, which are shown.
            yield Secret(place, "signature", value, whole=name == "policy")
            if "hmac=" in value:
                yield Secret(place, "signature", value.rpartition("hmac=")[2])


@lru_cache(maxsize=256)  # a registry asks for the same again and again
def _names_of_challenges(text: str) -> _Pairs:
    names: list[tuple[str, str]] = []
    for challenge in parse_challenges([text]):
        names += _names_of_url(challenge.realm or "")
        names.append(("service", challenge.service or ""))
        names += [("repository", scope.name) for scope in challenge.scopes]
    return tuple(names)


def _names_of_url(text: str) -> Iterator[tuple[str, str]]:
    parts = _split(text)
    if parts is not None:
        yield "host", parts.hostname or ""
        yield from _names_of_target(f"{parts.path}?{parts.query}")


@lru_cache(maxsize=256)  # a Location comes back as the next request
def _names_of_target(target: str) -> _Pairs:
    path, asks, query = target.partition("?")
    names: list[tuple[str, str]] = []
    endpoint = parse_endpoint(path)
    if endpoint is not None:
        names += [("repository", endpoint.repository or ""), ("tag", endpoint.tag or "")]
    for key, value in _pairs(query) if asks else ():
        if key == "service":
            names.append(("service", value))
        elif key == "from":
            names.append(("repository", value))
        elif key == "scope":
            names += [("repository", scope.name) for scope in parse_scopes(value) if scope.name]
    return tuple(names)


@lru_cache(maxsize=16)  # asked for its secrets, then for its names
def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text.strip())
        _ = parts.hostname
    except ValueError:
        return None
    return parts


@lru_cache(maxsize=16)  # asked for its secrets, then its users, then its names
def _pairs(query: str) -> _Pairs:
    try:
        return tuple(parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PAIRS))
    except ValueError:
        return ()


def _values(pairs: _Pairs, *names: str) -> Iterator[str]:
    yield from (value for key, value in pairs if key.lower() in names and value)


# --- bodies


def _in_body(where: str, headers: Headers, body: Body) -> Iterator[Secret]:
    if _is_form(headers):
        for key, value in _pairs(_text(headers, body)):
            if is_secret_key(key):
                yield from _opened(f"{where}.{key}", "token", value)
        return
    yield from _in_data(where, _json(headers, body))
    text = _text(headers, body)
    if text.lstrip()[:1] == "<":
        yield from _in_xml(where, text)


def _in_data(where: str, content: Any) -> Iterator[Secret]:
    for key, value in _leaves(content):
        if key.lower() == "env":
            name, equals, text = value.partition("=")
            if equals and _SECRET_KEY.search(name):
                yield from _opened(f"{where}.Env.{name}", "value", text)
        elif is_secret_key(key):
            yield from _opened(f"{where}.{key}", "token", value)


def _in_xml(where: str, text: str) -> Iterator[Secret]:
    for name, value in _ECHO.findall(text):
        place, value = f"{where}.{name}", value.strip()
        if not name.lower().startswith(_WHOLE):
            kind = "key-id" if name.lower().endswith("keyid") else "signature"
            yield Secret(place, kind, value)
            continue
        yield Secret(place, "value", value, whole=True)
        for query in _QUERY_IN_TEXT.findall(value.replace("&amp;", "&")):
            yield from _in_pairs(place, _pairs(query))


def _leaves(content: Any) -> Iterator[tuple[str, str]]:
    """(key, text) of every text in this JSON, the key being that of the nearest object."""
    waiting, seen = [("", content, 0)], 0
    while waiting and seen < _MOST_ITEMS:
        key, value, depth = waiting.pop()
        seen += 1
        if isinstance(value, str):
            yield key, value
        elif depth < _DEEPEST and isinstance(value, dict):
            waiting += [(str(name), inner, depth + 1) for name, inner in value.items()]
        elif depth < _DEEPEST and isinstance(value, list):
            waiting += [(key, inner, depth + 1) for inner in value]


def is_secret_key(key: str) -> bool:
    """Whether what stands under such a key of a form or of JSON is a secret."""
    return _SECRET_KEY.search(key) is not None and key.lower() not in _OPEN_KEYS


def _is_form(headers: Headers) -> bool:
    return "form-urlencoded" in (headers.get("Content-Type") or "")


def _json(headers: Headers, body: Body) -> Any:
    return _parsed(decoded(headers, body.kept)) if body.kept else None


@lru_cache(maxsize=1)  # asked for its secrets, then for its users
def _parsed(content: bytes) -> Any:
    return parse_json(content, _MOST_BODY)


def _text(headers: Headers, body: Body) -> str:
    return decoded(headers, body.kept)[:_MOST_BODY].decode("utf-8", "replace") if body.kept else ""


def unpacked(text: str) -> bytes:
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except ValueError:
        return b""
