"""Legs that failed in the transport, before or amid an answer, and whose host it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from regtrace.diagnose.rule import Owner
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.transport import Failure

if TYPE_CHECKING:
    from regtrace.diagnose.facts import Facts


class Part(str, Enum):
    """What a host is in this operation."""

    REGISTRY = "registry"
    TOKEN_SERVER = "token-server"
    STORAGE = "storage"
    UNKNOWN = "unknown"
    """Nothing but a tunnel to it was seen: the registry, unless the capture began late."""


_OWNERS = {
    Part.REGISTRY: Owner.REGISTRY,
    Part.TOKEN_SERVER: Owner.TOKEN_SERVER,
    Part.STORAGE: Owner.STORAGE,
    Part.UNKNOWN: Owner.REGISTRY,
}


@dataclass(frozen=True, slots=True)
class Breakage:
    """A leg that a failed operation ended by, and that the transport failed under."""

    leg: Leg
    failure: Failure
    part: Part

    @property
    def owner(self) -> Owner:
        """Who runs the host."""
        return _OWNERS[self.part]

    @property
    def is_registrys(self) -> bool:
        """Whether it may be the registry's host, and is not known to be another's."""
        return self.part in {Part.REGISTRY, Part.UNKNOWN}

    @property
    def before_any_answer(self) -> bool:
        """No byte of an answer came, nor of the request's body went: the host was not reached."""
        exchange = self.leg.exchange
        return exchange.response is None and not exchange.request.body.size


def read_breakages(facts: Facts) -> tuple[Breakage, ...]:
    return tuple(
        Breakage(leg, failure, part_of(leg, facts))
        for leg in (fatal.leg for fatal in facts.fatal)
        if (failure := leg.failure) is not None
    )


def part_of(leg: Leg, facts: Facts) -> Part:
    """Whose host this leg asked; a host that is both, as most products' are, is the registry."""
    authority = leg.url.authority
    if any(other.endpoint and other.url.authority == authority for other in facts.legs):
        return Part.REGISTRY
    if leg.kind is Kind.TOKEN or any(realm.authority == authority for realm in facts.realms):
        return Part.TOKEN_SERVER
    sent_there = any(
        other.location and other.redirects and other.location.authority == authority
        for other in facts.legs
    )
    if leg.kind is Kind.STORAGE or sent_there:
        return Part.STORAGE
    return Part.UNKNOWN if leg.kind is Kind.CONNECT else Part.REGISTRY


def is_inside(leg: Leg) -> bool:
    """Whether the host that was asked is a private one, by its name or by its address."""
    address = leg.exchange.connection.server_host
    hosts: Iterable[str | None] = (leg.url.host, address)
    return any(host and reach(host) is not Reach.PUBLIC for host in hosts)
