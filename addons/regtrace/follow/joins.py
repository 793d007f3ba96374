"""Which leg led to which: the exact ties between legs, read from what earlier answers announced.

The keys are those of distribution-spec and of Go's net/http, strongest first: an upload's
Location, a redirect's Location, the Referer that Go adds when it follows one, the upload session's
id, and the token that a leg carries. Nothing here guesses from time or names.

All functions take legs in the order in which they began.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from regtrace.follow.story import Chain
from regtrace.wire.decode import Role, decode, sent_on
from regtrace.wire.endpoint import Endpoint, parse_endpoint
from regtrace.wire.leg import UPLOAD_KINDS, Kind, Leg
from regtrace.wire.url import ADDED_BY_CLIENTS, Url, parse_url

#: Redirects to one URL that are looked at for the one that a leg follows. Only unsigned URLs,
#: which many clients are sent to at once, have more than one.
MOST_CANDIDATES = 64
#: Seconds in which an unsigned URL that is asked once more belongs to the same redirect.
HOP_AGAIN = 60.0


def bare(url: Url) -> Url:
    """A realm as it is compared: without the query that each token request adds."""
    return Url(url.scheme, url.host, url.port, url.path)


def realms_in(leg: Leg) -> tuple[Url, ...]:
    """The token endpoints that this answer's challenges name."""
    if not leg.challenges:
        return ()
    bearer = (challenge for challenge in leg.challenges if challenge.scheme == "bearer")
    named = (parse_url(challenge.realm) for challenge in bearer if challenge.realm)
    return tuple(bare(url) for url in named if url is not None)


def referrer(leg: Leg) -> Url | None:
    """The URL whose redirect led here, as Go's clients say it (net/http client.go)."""
    return parse_url(leg.exchange.request.headers.get("Referer") or "")


def referring_endpoint(leg: Leg) -> Endpoint | None:
    """The place in the registry that sent a client to this storage URL."""
    url = referrer(leg) if leg.kind is Kind.STORAGE else None
    return parse_endpoint(url.path) if url else None


@dataclass(slots=True)
class Announced:
    """Every URL that some answer told a client to ask next, and what for."""

    realms: set[Url] = field(default_factory=set)
    uploads: dict[Url, str | None] = field(default_factory=dict)
    """An upload Location (without the digest that a commit adds) → its session."""
    redirects: dict[Url, Role] = field(default_factory=dict)
    """A redirect's Location → what is asked there: what a token server sends on is still asked for
    a token, anything else leads to a storage."""

    def role(self, leg: Leg) -> Role | None:
        """What this leg was announced as, where its own bytes don't say it."""
        if leg.kind is Kind.CONNECT:
            return None
        if bare(leg.url) in self.realms and not _asks_for_a_token(leg):
            return Role.REALM
        if leg.endpoint is not None:
            return None
        if leg.url in self.redirects:
            return self.redirects[leg.url]
        if leg.url.without(ADDED_BY_CLIENTS) in self.uploads:
            return Role.UPLOAD
        return None

    def session(self, leg: Leg) -> str | None:
        """The upload session that this leg belongs to: that of the answer whose Location it
        follows, before the one that its own path names.

        Where no answer names one (Locations of other layouts, without ``Docker-Upload-UUID``), the
        first Location stands for it.
        """
        named = self.uploads.get(leg.url.without(ADDED_BY_CLIENTS)) or leg.session
        if named is None and _goes_on(leg) and leg.location is not None:
            return f"{leg.location.origin}{leg.location.path}"
        return named

    def add(self, leg: Leg) -> None:
        if leg.location is None:
            return
        if leg.redirects:
            self.redirects[leg.location] = Role.REALM if leg.kind is Kind.TOKEN else Role.STORAGE
        elif _goes_on(leg):
            self.uploads[leg.location.without(ADDED_BY_CLIENTS)] = leg.session


def _asks_for_a_token(leg: Leg) -> bool:
    """A registry does, whose realm may be its own address by mistake. A token server asks for a
    password at most."""
    return any(challenge.scheme == "bearer" for challenge in leg.challenges)


def _goes_on(leg: Leg) -> bool:
    """Whether its Location is the next step of an upload, and not the blob that came of it."""
    opened = leg.kind in UPLOAD_KINDS and leg.kind is not Kind.UPLOAD_COMMIT
    return opened and leg.succeeded and (leg.status != 201 or leg.kind is Kind.UPLOAD_CHUNK)


def recognise(legs: Sequence[Leg], realms: Iterable[Url] = ()) -> list[Leg]:
    """The legs, each read again where an earlier answer gives it another meaning.

    Realms hold for legs before their challenge too: a client remembers them.
    """
    announced = Announced({*realms, *(realm for leg in legs for realm in realms_in(leg))})
    recognised = []
    for leg in legs:
        role = announced.role(leg)
        if role is not None and leg.kind is not _ROLE_KINDS.get(role):
            leg = decode(leg.exchange, role)
        if leg.kind in UPLOAD_KINDS and (session := announced.session(leg)) != leg.session:
            leg = replace(leg, session=session)
        announced.add(leg)
        recognised.append(leg)
    return recognised


_ROLE_KINDS = {Role.REALM: Kind.TOKEN, Role.STORAGE: Kind.STORAGE}


def redirected_from(legs: Iterable[Leg]) -> dict[str, str]:
    """Leg id → id of the leg whose redirect it follows, by Location and, failing that, Referer."""
    sent_to: dict[Url, list[Leg]] = {}
    sent_from: dict[Url, list[Leg]] = {}
    sources: dict[str, str] = {}
    taken: set[str] = set()
    followed: dict[tuple[Url, str | None], tuple[Leg, Leg]] = {}
    for leg in legs:
        source = _taken_from(sent_to.get(leg.url), leg, taken)
        if source is None and leg.kind is Kind.STORAGE and (told := referrer(leg)) is not None:
            source = _taken_from(sent_from.get(told), leg, taken)
        if leg.kind is Kind.STORAGE:
            # Asked again without a redirect: Go's transports repeat the hop alone, and lazy pulls
            # keep a signed URL until it ends.
            place = leg.url, leg.exchange.connection.client_host
            if source is None and (before := followed.get(place)) is not None:
                signed = leg.presigned is not None
                soon = leg.started - before[1].last_seen <= HOP_AGAIN
                source = before[0] if signed or soon else None
            if source is not None:
                followed[place] = source, leg
        if source is not None:
            sources[leg.id] = source.id
            taken.add(source.id)
        if leg.redirects and leg.location is not None:
            sent_to.setdefault(leg.location, []).append(leg)
            sent_from.setdefault(leg.url, []).append(leg)
    return sources


def _taken_from(candidates: list[Leg] | None, leg: Leg, taken: set[str]) -> Leg | None:
    """The latest redirect that nobody has followed yet, of the same client if that is known."""
    while candidates and candidates[-1].id in taken:
        candidates.pop()
    host = leg.exchange.connection.client_host
    for candidate in reversed((candidates or [])[-MOST_CANDIDATES:]):
        other = candidate.exchange.connection.client_host
        if candidate.id not in taken and (not host or other in {host, None}):
            return candidate
    return None


def chains(legs: Sequence[Leg], sources: Mapping[str, str]) -> list[Chain]:
    """Each request with the redirects followed from it, in the order of the first requests."""
    follower: dict[str, Leg] = {}
    for leg in legs:
        if (source := sources.get(leg.id)) is not None:
            follower.setdefault(source, leg)
    asked: dict[str, tuple[Kind, str | None]] = {}
    """Of each leg of a chain: what its client had asked for, and of which digest."""
    result = []
    for leg in legs:
        source = sources.get(leg.id, "")
        if source in asked and follower[source] is leg:
            continue
        place = leg.endpoint or referring_endpoint(leg)
        wish = asked.get(source, (leg.kind, place.digest if place else None))
        chain = [leg if leg.endpoint else sent_on(leg, *wish)]
        while (after := follower.get(chain[-1].id)) is not None:
            chain.append(sent_on(after, *wish))
        if len(chain) > 1:
            asked.update(dict.fromkeys([each.id for each in chain], wish))
        result.append(Chain(tuple(chain)))
    return result
