"""Tokens: what was asked for, what was granted, when it is valid, and who refused it.

A token is known from the answer that brought it, or, where it was fetched past this proxy, from
the requests that carry it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from regtrace.diagnose.facts.answers import server_time
from regtrace.wire.challenge import Challenge
from regtrace.wire.jwt import Jwt
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.scope import Scope, lacking
from regtrace.wire.token import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A token that a token server gave."""

    leg: Leg
    """The request for it, with its answer."""
    token: Token
    asked: tuple[Scope, ...]
    uses: tuple[Leg, ...]
    """The requests that carried it, by start."""

    @property
    def jwt(self) -> Jwt | None:
        return self.token.jwt

    @property
    def granted(self) -> tuple[Scope, ...] | None:
        """None when the token does not say: it is opaque, or has no ``access``."""
        return self.jwt.access if self.jwt else None

    @property
    def lacks(self) -> tuple[Scope, ...]:
        """What was asked for and not granted; nothing where the token does not say."""
        return lacking(self.asked, self.granted) if self.granted is not None else ()

    @property
    def ends(self) -> float | None:
        """When it ends: ``exp``; else the token server's Date and ``expires_in``. Epoch seconds
        UTC, by the clock of the token server."""
        if self.jwt and self.jwt.expires is not None:
            return self.jwt.expires
        now, reply = server_time(self.leg), self.leg.token_reply
        return now + reply.lifetime if now is not None and reply else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A 401 to a request that carried a Bearer token."""

    leg: Leg
    token: Token
    grant: Grant | None
    """None: the token was fetched past this proxy."""
    challenge: Challenge | None
    """The Bearer challenge of the answer."""

    @property
    def jwt(self) -> Jwt | None:
        return self.token.jwt

    @property
    def error(self) -> str | None:
        """``invalid_token``, ``insufficient_scope`` (RFC 6750 3.1), or None: none was given."""
        return self.challenge.error if self.challenge else None

    @property
    def now(self) -> float | None:
        """The clock of the server that refused; epoch seconds UTC."""
        return server_time(self.leg)


def read_grants(legs: Sequence[Leg]) -> tuple[Grant, ...]:
    """Every token that was given, by the start of its request."""
    uses: dict[str, list[Leg]] = {}
    for leg in legs:
        if leg.bearer:
            uses.setdefault(leg.bearer.sha256, []).append(leg)
    grants: list[Grant] = []
    for leg in legs:
        token = leg.token_reply.token if leg.kind is Kind.TOKEN and leg.token_reply else None
        if token and leg.succeeded:
            asked = leg.token_request.scopes if leg.token_request else ()
            carried = tuple(uses.get(token.sha256, ()))
            grants.append(Grant(leg=leg, token=token, asked=asked, uses=carried))
    return tuple(grants)


def read_refusals(legs: Iterable[Leg], grants: Iterable[Grant]) -> tuple[Refusal, ...]:
    """Every 401 to a Bearer token, by start."""
    given = {grant.token.sha256: grant for grant in grants}
    return tuple(
        Refusal(
            leg=leg,
            token=leg.bearer,
            grant=given.get(leg.bearer.sha256),
            challenge=next((c for c in leg.challenges if c.scheme == "bearer"), None),
        )
        for leg in legs
        if leg.status == 401 and leg.bearer is not None
    )
