"""What a token says of itself, when it is a JWT (distribution docs/content/spec/auth/jwt.md).

Read without trust: whether somebody trusted signed it is asked in ``signature``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from regtrace.wire.coding import from_base64
from regtrace.wire.jsontext import parse_json
from regtrace.wire.scope import Scope

#: Characters of a token that is taken for a JWT: it must fit into a header, which servers cap at
#: 8 to 64 KiB.
MAX_JWT = 65_536

#: Claims and header values are short; what is longer is not kept, since it is never compared.
MAX_CLAIM = 1024

#: Names of unknown claims that are kept, to show; Docker Hub has two, Quay one.
MAX_OTHER_CLAIMS = 32

#: Times and lifetimes beyond this (the year 5138) are nonsense, or milliseconds.
_MAX_SECONDS = 1e11


@dataclass(frozen=True, slots=True)
class JoseHeader:
    """The header of a JWT (RFC 7515 4.1): how the registry may find the key that signed it."""

    alg: str | None = None
    typ: str | None = None
    kid: str | None = None
    x5c: bool = False
    """A certificate chain is included."""
    jwk: bool = False
    """The public key is included."""


@dataclass(frozen=True, slots=True)
class Jwt:
    """What a token says of itself. Unverified. Times are epoch seconds UTC, None when absent."""

    header: JoseHeader = JoseHeader()
    issuer: str | None = None
    subject: str | None = field(default=None, repr=False)
    """The user; empty when anonymous."""
    audience: tuple[str, ...] = ()
    """The services that it is for."""
    expires: float | None = None
    not_before: float | None = None
    issued: float | None = None
    id: str | None = None
    access: tuple[Scope, ...] | None = None
    """What it grants (jwt.md). Empty: nothing. None: the token does not say, as in Artifactory's
    (``scp``), Gitea's, and ACR's refresh token."""
    other_claims: tuple[str, ...] = ()
    """Names of the claims that are not read here, sorted."""


@dataclass(frozen=True, slots=True)
class Jws:
    """The parts of a signed token (RFC 7515 7.1), taken apart and no more."""

    header: Mapping[str, Any] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    """What the signature covers: header and claims as sent."""
    signature: bytes = field(repr=False)


def split_jws(raw: str) -> Jws | None:
    """The parts of a token; None when it is opaque."""
    parts = raw.split(".", 3) if len(raw) <= MAX_JWT else []
    if len(parts) != 3:
        return None
    header, claims = (parse_json(from_base64(part), MAX_JWT) for part in parts[:2])
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return None
    signed = raw.rpartition(".")[0].encode("utf-8", "surrogatepass")
    return Jws(header, claims, signed, from_base64(parts[2]))


def parse_jwt(raw: str) -> Jwt | None:
    """What this token says of itself; None when it is opaque."""
    jws = split_jws(raw)
    if jws is None:
        return None
    header, claims = jws.header, jws.claims
    return Jwt(
        header=JoseHeader(
            alg=read_claim(header.get("alg")),
            typ=read_claim(header.get("typ")),
            kid=read_claim(header.get("kid")),
            x5c=bool(header.get("x5c")),
            jwk=bool(header.get("jwk")),
        ),
        issuer=read_claim(claims.get("iss")),
        subject=read_claim(claims.get("sub")),
        audience=_audience(claims.get("aud")),
        expires=read_seconds(claims.get("exp")),
        not_before=read_seconds(claims.get("nbf")),
        issued=read_seconds(claims.get("iat")),
        id=read_claim(claims.get("jti")),
        access=_access(claims["access"]) if "access" in claims else None,
        other_claims=_other_claims(claims),
    )


def _access(claim: Any) -> tuple[Scope, ...] | None:
    """The list of jwt.md; Go servers write ``null`` for an empty one. None: some other thing."""
    if claim is None:
        return ()
    if not isinstance(claim, list) or not all(isinstance(entry, dict) for entry in claim):
        return None
    return tuple(_access_entry(entry) for entry in claim)


def _access_entry(entry: dict[str, Any]) -> Scope:
    """One resource. Go compares JSON keys without case, so ``Name`` works as well as ``name``."""
    fields = {key.lower(): value for key, value in entry.items()}
    actions = fields.get("actions")
    return Scope(
        read_claim(fields.get("type")) or "",
        read_claim(fields.get("class")) or "",
        read_claim(fields.get("name")) or "",
        frozenset(a for a in actions if isinstance(a, str))
        if isinstance(actions, list)
        else frozenset(),
    )


_READ_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "access"})


def _other_claims(claims: Mapping[str, Any]) -> tuple[str, ...]:
    names = sorted(name for name in claims if name not in _READ_CLAIMS and len(name) <= MAX_CLAIM)
    return tuple(names[:MAX_OTHER_CLAIMS])


def _audience(claim: Any) -> tuple[str, ...]:
    values = claim if isinstance(claim, list) else [claim]
    return tuple(value for value in map(read_claim, values) if value is not None)


def read_claim(value: Any) -> str | None:
    """A string of a claim's length, else None."""
    return value if isinstance(value, str) and len(value) <= MAX_CLAIM else None


def read_seconds(value: Any) -> float | None:
    """A number, which some servers write as a string."""
    if isinstance(value, str) and len(value) <= 32:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) and abs(value) <= _MAX_SECONDS else None
