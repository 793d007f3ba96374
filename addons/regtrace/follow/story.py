"""What following yields: transfers and operations, frozen. Nothing here decides anything.

A story is told again from its legs whenever a leg is added, so these are values, not accounts that
are kept: two readings of the same legs are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from regtrace.follow.life import Ending, Fate
from regtrace.wire.client import Client
from regtrace.wire.leg import Kind, Leg

_WRITE = frozenset({"POST", "PATCH", "PUT"})


@dataclass(frozen=True, slots=True)
class Chain:
    """A request and the redirects that the client followed from it; the last answer counts."""

    legs: tuple[Leg, ...]

    @property
    def first(self) -> Leg:
        return self.legs[0]

    @property
    def last(self) -> Leg:
        return self.legs[-1]

    @property
    def became_a_read(self) -> bool:
        """A redirect (301, 302, 303) made a GET of what should write: nothing was written, whatever
        was answered (RFC 9110 15.4.2; Go net/http client.go redirectBehavior)."""
        return self.first.method in _WRITE and self.last.method in {"GET", "HEAD"}

    @property
    def unfollowed(self) -> bool:
        """The last answer is a redirect whose target was never asked through this proxy."""
        return self.last.redirects


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The legs of one blob or one manifest, retries included."""

    kind: str
    """``blob`` or ``manifest``."""
    digest: str | None
    reference: str | None = None
    """The tag, of a manifest that is addressed by one."""
    size: int | None = None
    fate: Fate
    attempts: int
    chains: tuple[Chain, ...]
    digest_verified: bool | None = None

    @property
    def legs(self) -> tuple[Leg, ...]:
        return tuple(leg for chain in self.chains for leg in chain.legs)

    @property
    def bytes_sent(self) -> int:
        """Body bytes that the client sent, over all attempts."""
        return sum(leg.exchange.request.body.size or 0 for leg in self.legs)

    @property
    def bytes_received(self) -> int:
        answers = (leg.exchange.response for leg in self.legs if leg.method != "HEAD")
        return sum(answer.body.size or 0 for answer in answers if answer)

    @property
    def seconds(self) -> float | None:
        ends = [leg.ended for leg in self.legs if leg.ended is not None]
        return max(ends) - self.legs[0].started if ends else None


class Blind(str, Enum):
    LOGIN = "login"
    """The capture ends at a challenge that nobody has answered."""
    TOKEN = "token"
    """A token was used that a challenge in this operation asked for, and was never fetched."""
    REDIRECT = "redirect"
    """A redirect was never followed."""
    UPLOAD = "upload"
    """An upload's next URL is on a loopback name, and was never asked."""
    WAY_TO_STORAGE = "way-to-storage"
    """A storage was asked for a blob, and no redirect was seen that led there."""


@dataclass(frozen=True, slots=True)
class Unseen:
    blind: Blind
    leg: Leg
    """The last that was seen before it or, of a token or a way to a storage, the first after."""


class OperationKind(str, Enum):
    PUSH = "push"
    PULL = "pull"
    LOGIN = "login"
    DELETE = "delete"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One push or pull (or login, delete, …) of one image by one client."""

    kind: OperationKind
    registry: str | None
    repository: str | None
    reference: str | None
    """Tag, or digest when there is no tag; None while it is not known."""
    client: Client | None
    client_host: str | None
    ending: Ending
    transfers: tuple[Transfer, ...]
    session: tuple[Chain, ...]
    """Legs that belong to no transfer: ping, tokens, tunnels that failed, lists."""
    redirected_from: Mapping[str, str] = field(default_factory=dict)
    """Leg id → id of the leg whose redirect led to it."""
    retry_of: Mapping[str, str] = field(default_factory=dict)
    """Leg id → id of the earlier leg of the same transfer that asked the same thing in vain."""
    unseen: tuple[Unseen, ...] = ()
    """What must have happened and is not in the capture."""

    @property
    def legs(self) -> tuple[Leg, ...]:
        """Every leg once, by start."""
        return tuple(sorted(self._each_leg(), key=by_start))

    def _each_leg(self) -> Iterator[Leg]:
        chains = [chain for transfer in self.transfers for chain in transfer.chains]
        for chain in (*chains, *self.session):
            yield from chain.legs

    @property
    def started(self) -> float:
        return min(leg.started for leg in self._each_leg())

    @property
    def last_seen(self) -> float:
        return max(leg.last_seen for leg in self._each_leg())

    @property
    def in_flight(self) -> bool:
        return any(leg.in_flight for leg in self._each_leg())

    def legs_of_kind(self, *kinds: Kind) -> tuple[Leg, ...]:
        return tuple(leg for leg in self.legs if leg.kind in kinds)


def by_start(leg: Leg) -> tuple[float, str]:
    return leg.started, leg.id
