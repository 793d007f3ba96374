"""Tokens: what was asked for, what was granted, when it is valid, and who refused it.

A token is known from the answer that brought it, or, where it was fetched past this proxy, from
the requests that carry it. Whether its time was over is told by two clocks: the registry's own
(its ``Date``), and the seconds that passed here since the token came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from regtrace.diagnose.facts.answers import server_time
from regtrace.diagnose.rule import Evidence
from regtrace.wire.challenge import Challenge
from regtrace.wire.jwt import Jwt
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.registry import Registry
from regtrace.wire.scope import Scope, lacking
from regtrace.wire.signature import Proof, Verdict
from regtrace.wire.token import Token

#: Seconds by which distribution lets clocks differ (registry/auth/token/token.go Leeway).
LEEWAY = 60.0

#: Registries whose challenge has ``error=`` whenever a token came and was no good or too small
#: (distribution registry/auth/token/accesscontroller.go), and those that nothing names, which are
#: mostly distribution; other products say nothing.
SAY_ERRORS = frozenset({None, Registry.DISTRIBUTION, Registry.GITLAB})

#: Legs that speak to the registry itself.
_ELSEWHERE = frozenset({Kind.TOKEN, Kind.STORAGE, Kind.CONNECT, Kind.OTHER})


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
    def anonymous(self) -> bool:
        """Nobody logged in for it."""
        return self.leg.token_request is not None and self.leg.token_request.credentials == "none"

    @property
    def granted(self) -> tuple[Scope, ...] | None:
        """None when the token does not say: it is opaque, or has no ``access``."""
        return self.jwt.access if self.jwt else None

    @property
    def lacks(self) -> tuple[Scope, ...]:
        """What was asked for and not granted; nothing where the token does not say."""
        return lacking(self.asked, self.granted) if self.granted is not None else ()

    @property
    def lives(self) -> float | None:
        """Seconds that the token had when it came, by the token server's own clock; of an opaque
        one, what its reply said."""
        now, reply = server_time(self.leg), self.leg.token_reply
        if self.jwt and self.jwt.expires is not None:
            began = now if now is not None else self.jwt.issued
            return self.jwt.expires - began if began is not None else None
        return reply.expires_in if reply else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The registry's 401 or 403 to a request that carried a Bearer token."""

    leg: Leg
    token: Token
    grant: Grant | None
    """None: the token was fetched past this proxy."""
    challenge: Challenge | None
    """The Bearer challenge of the answer."""
    accepted: Leg | None
    """An earlier request for which the same registry took this token."""
    unasked: tuple[Scope, ...]
    """The rights on its own repository that the request needed, and no token was asked for before;
    nothing where the token was fetched past this proxy."""

    @property
    def jwt(self) -> Jwt | None:
        return self.token.jwt

    @property
    def error(self) -> str | None:
        """``invalid_token``, ``insufficient_scope`` (RFC 6750 3.1), or None: none was given."""
        return self.challenge.error if self.challenge else None

    def shows(self, why: str) -> Evidence:
        """Points at the token: where it came, or where it was carried."""
        if self.grant is not None:
            return Evidence(self.grant.leg, "response.body", why)
        return Evidence(self.leg, "request.header.Authorization", why)

    @property
    def is_invalid(self) -> bool:
        """The registry says that the token is no good, rather than too small."""
        return self.leg.status == 401 and self.error == "invalid_token"

    @property
    def needs(self) -> tuple[Scope, ...]:
        """The rights that the registry asks for, or, where it does not say, always asks for."""
        return _needs(self.leg, self.challenge)

    @property
    def lacks(self) -> tuple[Scope, ...]:
        """The rights that the request needed and the token has not; nothing where the token does
        not say what it grants."""
        granted = self.jwt.access if self.jwt else None
        return lacking(self.needs, granted) if granted is not None else ()

    @property
    def foreign(self) -> tuple[Scope, ...]:
        """The rights that the registry asks for on repositories that the request does not name."""
        own = {self.leg.repository, self.leg.url.param("from")}
        named = (scope for scope in self.needs if scope.type == "repository")
        return tuple(scope for scope in named if scope.name not in own and self.leg.repository)

    @property
    def anonymous(self) -> bool:
        """Nobody logged in for the token."""
        if self.grant is not None:
            return self.grant.anonymous
        return self.jwt is not None and self.jwt.subject == ""

    @property
    def now(self) -> float | None:
        """The clock of the server that refused; epoch seconds UTC."""
        return server_time(self.leg)

    @property
    def age(self) -> float | None:
        """Seconds since the token came, measured here; None where that was not seen."""
        if self.grant is None or self.grant.leg.ended is None:
            return None
        response = self.leg.exchange.response
        return (response.started if response else self.leg.started) - self.grant.leg.ended

    @property
    def over_for(self) -> float | None:
        """Seconds since the token ended, by the registry's clock; negative while it is valid."""
        if self.now is None or self.jwt is None or self.jwt.expires is None:
            return None
        return self.now - self.jwt.expires

    @property
    def begins_in(self) -> float | None:
        """Seconds until the token begins, by the registry's clock; negative once it has."""
        if self.now is None or self.jwt is None or self.jwt.not_before is None:
            return None
        return self.jwt.not_before - self.now

    @property
    def outlived(self) -> bool | None:
        """Whether the token's time had run out, whatever the clocks say: more seconds passed than
        it had when it came. None where it was not seen to come, or does not say."""
        lives = self.grant.lives if self.grant else None
        return 0 < lives <= self.age if self.age is not None and lives is not None else None

    @property
    def in_order(self) -> bool:
        """Nothing that can be read in the token is wrong: neither its audience nor its times (by
        the registry's clock or, where that is not known, by this proxy's)."""
        now = self.leg.started if self.now is None else self.now
        begins = self.jwt.not_before if self.jwt else None
        ends = self.jwt.expires if self.jwt else None
        early = begins is not None and begins - now > LEEWAY
        late = ends is not None and now - ends > LEEWAY
        return self.names_service and not (early or late or self.outlived)

    def is_signed_by(self, proof: Proof) -> bool:
        """Whether a trusted key did sign the token, and its certificate still held."""
        ended = proof.valid_until is not None and (self.now or 0.0) > proof.valid_until
        return proof.verdict is Verdict.SIGNED and not ended

    @property
    def clock_lead(self) -> float | None:
        """Seconds that the registry's clock is ahead of the token server's (behind: negative)."""
        given = server_time(self.grant.leg) if self.grant else None
        if self.now is None or given is None or self.age is None:
            return None
        return self.now - given - self.age

    @property
    def names_service(self) -> bool:
        """Whether the token is for the service that the registry names; true where either does not
        say."""
        service = self.challenge.service if self.challenge else None
        return not service or self.jwt is None or service in self.jwt.audience


def needed(leg: Leg) -> tuple[Scope, ...]:
    """The rights that distribution asks for (registry/handlers/app.go appendAccessRecords)."""
    if leg.repository is None:
        return ()
    actions = {"GET": ("pull",), "HEAD": ("pull",), "DELETE": ("delete",)}
    wanted = frozenset(actions.get(leg.method, ("pull", "push")))
    source = leg.url.param("from") if leg.kind is Kind.MOUNT else None
    scopes = (Scope("repository", "", leg.repository, wanted),)
    return scopes + ((Scope("repository", "", source, frozenset({"pull"})),) if source else ())


def _needs(leg: Leg, challenge: Challenge | None) -> tuple[Scope, ...]:
    return (challenge.scopes if challenge else ()) or needed(leg)


def _unasked(
    leg: Leg, challenge: Challenge | None, asked: Mapping[str, set[str]]
) -> tuple[Scope, ...]:
    """Of what is needed on its own repository; ``asked`` are actions, by repository."""
    name = leg.repository or ""
    own = [scope for scope in _needs(leg, challenge) if scope.name == name]
    matters = {"*"}.union(*(scope.actions for scope in own))
    had = Scope("repository", "", name, frozenset(matters & asked.get(name, set())))
    return lacking(own, [had])


def action_of(scope: Scope) -> str:
    """The most that a scope is about, as a verb."""
    return next((name for name in ("push", "pull", "delete") if name in scope.actions), "use")


def somebody_logged_in(legs: Sequence[Leg]) -> bool:
    """Whether any request carried a user's credentials, or a token that a user had been given
    where this proxy could not see it."""
    replies = (leg.token_reply for leg in legs if leg.token_reply)
    seen = {reply.token.sha256 for reply in replies if reply.token}
    for leg in legs:
        if leg.token_request and leg.token_request.credentials != "none":
            return True
        if leg.kind is not Kind.TOKEN and leg.credentials and leg.credentials.scheme == "basic":
            return True
        token = leg.bearer
        if token and token.sha256 not in seen and (token.jwt is None or token.jwt.subject != ""):
            return True
    return False


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
    """Every refusal of a Bearer token by a registry, by start."""
    given = {grant.token.sha256: grant for grant in reversed(list(grants))}
    took: dict[tuple[str, str], Leg] = {}
    asked: dict[str, set[str]] = {}
    refusals: list[Refusal] = []
    for leg in legs:
        for scope in leg.token_request.scopes if leg.token_request else ():
            asked.setdefault(scope.name, set()).update(scope.actions)
        if leg.bearer is None or leg.kind in _ELSEWHERE:
            continue
        place = (leg.bearer.sha256, leg.url.authority)
        if leg.status in {401, 403}:
            bearer = (challenge for challenge in leg.challenges if challenge.scheme == "bearer")
            challenge, grant = next(bearer, None), given.get(leg.bearer.sha256)
            refusal = Refusal(
                leg=leg,
                token=leg.bearer,
                grant=grant,
                challenge=challenge,
                accepted=took.get(place),
                unasked=_unasked(leg, challenge, asked) if grant else (),
            )
            refusals.append(refusal)
        elif leg.succeeded or leg.redirects or leg.status == 404:
            took.setdefault(place, leg)
    return tuple(refusals)
