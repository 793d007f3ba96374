"""What a capture itself gives away, should it leave: which credentials, and how long they live."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from regtrace.redact.secrets import Secret
from regtrace.wire.leg import Leg
from regtrace.wire.presigned import read_presigned


@dataclass(frozen=True, slots=True)
class Held:
    """Credentials of one kind."""

    what: str
    count: int
    until: float | None
    """When the last of them ends, epoch seconds UTC; None for those that last until changed."""
    places: tuple[str, ...] = ()


@dataclass(slots=True)
class Aftercare:
    _tokens: dict[str, float | None] = field(default_factory=dict)
    """Of access tokens, by their SHA-256."""
    _urls: dict[str, float | None] = field(default_factory=dict)

    def add(self, leg: Leg) -> None:
        """What this leg carried, or was given."""
        reply, response = leg.token_reply, leg.exchange.response
        if reply and reply.token and response:
            given = reply.issued_at or response.started
            stated = reply.token.jwt.expires if reply.token.jwt else None
            self._tokens[reply.token.sha256] = stated or given + reply.lifetime
        if leg.bearer:
            stated = leg.bearer.jwt.expires if leg.bearer.jwt else None
            self._tokens.setdefault(leg.bearer.sha256, stated)
        for url in (leg.url, leg.location):
            signed = read_presigned(url) if url else None
            if url and signed:
                self._urls[f"{url.authority}{url.path}{url.query}"] = signed.expires_at

    def held(self, secrets: Iterable[Secret]) -> tuple[Held, ...]:
        """All of it; those first that have no end."""
        lasting: dict[str, dict[str, str]] = {}
        for secret in secrets:
            what = _lasting(secret)
            if what:
                lasting.setdefault(what, {})[secret.value] = secret.where
        found = [
            Held(what, len(places), None, tuple(dict.fromkeys(places.values())))
            for what, places in sorted(lasting.items())
        ]
        for what, ends in (("access token", self._tokens), ("signed URL", self._urls)):
            known = [end for end in ends.values() if end is not None]
            if known:
                found.append(Held(what, len(known), max(known)))
            if len(ends) > len(known):
                found.append(Held(f"{what} whose end is not told", len(ends) - len(known), None))
        return tuple(found)


def _lasting(secret: Secret) -> str | None:
    """The kind of a credential that has no end of its own."""
    where = secret.where.lower()
    if secret.kind == "password" or where.endswith("password"):
        return "password"
    if where.endswith(("refresh_token", "identity_token", "identitytoken")):
        return "refresh token"
    if secret.kind == "cookie":
        return "cookie"
    if where.endswith("private_key") or "client_secret" in where or "assertion" in where:
        return "key or client secret"
    if ".header." in where and secret.kind == "token" and "authorization" not in where:
        return "token in a header of its own"
    return None
