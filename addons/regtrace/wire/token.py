"""Token requests, their replies, and the credentials that requests carry.

Registries' token protocol: distribution docs/content/spec/auth/token.md (GET) and oauth.md (POST).
What a token says of itself is read in ``jwt``, who signed it in ``signature``.

Secrets come in here and no ``repr`` lets them out. What joins two exchanges is their SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import parse_qs

from regtrace.wire.coding import from_base64
from regtrace.wire.endpoint import parse_endpoint
from regtrace.wire.exchange import Headers
from regtrace.wire.jsontext import parse_json
from regtrace.wire.jwt import Jwt, parse_jwt, read_claim, read_seconds
from regtrace.wire.scope import Scope, parse_scopes
from regtrace.wire.url import Url

#: Seconds that a token lives when the reply does not say (token.md, ``expires_in``).
DEFAULT_LIFETIME = 60.0

#: Bytes of a form that are parsed. An identity token of ACR or Entra has a few thousand.
MAX_FORM = 65_536

#: Bytes of a reply that are parsed. It repeats a token twice at most, and a token must fit into
#: a header, which servers cap at 8 to 64 KiB.
MAX_REPLY = 262_144

CredentialKind = Literal["none", "basic", "password", "refresh_token", "access_token"]

_GRANTS: dict[str, CredentialKind] = {
    "password": "password",
    "refresh_token": "refresh_token",
    # ACR: an Entra token for an identity token of the registry (/oauth2/exchange).
    "access_token": "access_token",
    "access_token_refresh_token": "access_token",
}

#: How the path of every known token server ends (/service/token, /jwt/auth, /v2/auth, ...).
_TOKEN_PATH_ENDS = frozenset({"token", "auth"})

#: IANA's authentication schemes, and AWS's. Another first word may itself be the secret.
_SCHEMES = frozenset(
    {"aws4-hmac-sha256", "basic", "bearer", "digest", "dpop", "negotiate", "ntlm", "oauth"}
)

_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,12})?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Token:
    """A Bearer token, opaque (``jwt`` is None) or not."""

    raw: str = field(repr=False)
    sha256: str
    """Hex, of the raw value: the key that joins a reply and the requests that carry its token."""
    jwt: Jwt | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """That a request carried ``Authorization``, and with which scheme."""

    scheme: str
    """Lower case; ``other`` when it is not a registered one."""
    user: bool
    """Basic, with a user name that is not empty."""
    sha256: str = field(repr=False)
    """Hex, of what follows the scheme. Of a short password it could be guessed: never show it."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request to a token server, by its parameters."""

    service: str | None = None
    scopes: tuple[Scope, ...] = ()
    account: str | None = field(default=None, repr=False)
    """The user, when named outside of the credentials."""
    client_id: str | None = None
    grant_type: str | None = None
    """None for the GET form."""
    credentials: CredentialKind = "none"
    offline: bool = False
    """A refresh token was asked for."""


@dataclass(frozen=True, slots=True)
class TokenReply:
    """A token server's JSON answer. ``token`` is None when it brought none."""

    token: Token | None = None
    expires_in: float | None = None
    """Seconds, as said; None when not said."""
    issued_at: float | None = None
    """Epoch seconds UTC."""
    refresh: bool = False
    """A refresh token came too."""
    scope_text: str | None = None
    """What an OAuth server says it granted (oauth.md)."""

    @property
    def lifetime(self) -> float:
        """Seconds that clients take the token to live."""
        return DEFAULT_LIFETIME if self.expires_in is None else self.expires_in


@lru_cache(maxsize=256)  # every leg of a push carries the same one
def parse_token(raw: str) -> Token:
    """The token of this raw value, read as a JWT when it is one."""
    return Token(raw, _sha256(raw), parse_jwt(raw))


def read_bearer(headers: Headers) -> Token | None:
    """The Bearer token that a request carries (RFC 6750 2.1)."""
    for value in headers.all("Authorization"):
        scheme, secret = _split_authorization(value)
        if scheme == "bearer" and secret:
            return parse_token(secret)
    return None


def read_credentials(headers: Headers) -> Credentials | None:
    """The first ``Authorization`` of a request, whatever its scheme; the secret stays out."""
    return _read_authorization(headers.get("Authorization") or "")


@lru_cache(maxsize=256)  # every leg of a push carries the same one
def _read_authorization(value: str) -> Credentials | None:
    scheme, secret = _split_authorization(value)
    if not secret:
        return None
    user = scheme == "basic" and from_base64(secret).partition(b":")[0] != b""
    return Credentials(scheme, user, _sha256(secret))


def read_token_request(
    method: str, url: Url, headers: Headers, body: bytes | None
) -> TokenRequest | None:
    """What was asked of a token server, recognised by the parameters alone; else None.

    A request to a URL that some challenge named as its realm is a token request too, even when it
    is not recognised here.
    """
    if parse_endpoint(url.path) is not None:
        return None
    if method == "GET":
        return _read_get(url, headers)
    content_type = (headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if method == "POST" and content_type == "application/x-www-form-urlencoded":
        return _read_post(_parse_form(body))
    return None


def read_token_reply(body: bytes) -> TokenReply | None:
    """A token server's answer, or None when it is not a JSON object.

    When both ``access_token`` and ``token`` came, ``access_token`` is what docker, containerd and
    go-containerregistry use.
    """
    reply = parse_json(body, MAX_REPLY)
    if not isinstance(reply, dict):
        return None
    raw = _first_text(reply, "access_token", "token")
    return TokenReply(
        token=parse_token(raw) if raw else None,
        expires_in=read_seconds(reply.get("expires_in")),
        issued_at=_issued_at(reply.get("issued_at")),
        refresh=_first_text(reply, "refresh_token") is not None,
        scope_text=read_claim(reply.get("scope")),
    )


def _read_get(url: Url, headers: Headers) -> TokenRequest | None:
    service = url.param("service")
    scopes = parse_scopes(" ".join(url.params("scope")))
    account, client_id = url.param("account"), url.param("client_id")
    offline = url.param("offline_token") == "true"
    # A lone service= is also git's (info/refs) and CAS's, and scope= is every OAuth server's.
    typical = (
        bool(scopes)
        or account is not None
        or client_id is not None
        or offline
        or url.path.rstrip("/").rpartition("/")[2] in _TOKEN_PATH_ENDS
    )
    if not _names_registry(scopes) and not (service is not None and typical):
        return None
    sent = read_credentials(headers)
    kind: CredentialKind = "none"
    if sent:
        kind = "basic" if sent.scheme == "basic" else "access_token"
    return TokenRequest(service, scopes, account, client_id, None, kind, offline)


def _read_post(form: Mapping[str, list[str]]) -> TokenRequest | None:
    first = {name: values[0] for name, values in form.items()}
    kind = _GRANTS.get(first.get("grant_type", ""))
    # containers/image repeats scope=, others separate by blanks.
    scopes = parse_scopes(" ".join(form.get("scope", ())))
    # Other OAuth servers know these grants too, but neither service= nor such scopes.
    if kind is None or ("service" not in first and not _names_registry(scopes)):
        return None
    return TokenRequest(
        first.get("service"),
        scopes,
        first.get("username"),
        first.get("client_id"),
        first["grant_type"],
        kind,
        first.get("access_type") == "offline",
    )


def _names_registry(scopes: tuple[Scope, ...]) -> bool:
    return any(scope.type in {"repository", "registry"} and scope.actions for scope in scopes)


def _parse_form(body: bytes | None) -> dict[str, list[str]]:
    if body is None or len(body) > MAX_FORM:
        return {}
    try:
        text = body.decode("utf-8", "replace")
        return parse_qs(text, keep_blank_values=True, max_num_fields=200)
    except ValueError:
        return {}


def _split_authorization(value: str) -> tuple[str, str]:
    """Scheme and secret. Without a known scheme, all of it may be secret."""
    scheme, _, secret = value.strip().partition(" ")
    if scheme.lower() in _SCHEMES:
        return scheme.lower(), secret.strip()
    return "other", value.strip()


def _first_text(fields: Mapping[str, Any], *names: str) -> str | None:
    values = (fields.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), None)


def _issued_at(value: Any) -> float | None:
    """RFC 3339 as Go writes it (to nanoseconds), or epoch seconds. Go's zero time is None."""
    text = value if isinstance(value, str) else ""
    match = _TIME.fullmatch(text)
    if match is None:
        seconds = read_seconds(value)
    else:
        day, clock, fraction, sign, hours, minutes = match.groups()
        try:
            moment = datetime.fromisoformat(f"{day}T{clock}+00:00")
        except ValueError:
            return None
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        since = (moment - _EPOCH) + (offset if sign == "-" else -offset)
        seconds = since.total_seconds() + float(fraction or 0)
    return seconds if seconds and seconds > 0 else None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
