"""What a capture says of a fault in configuration: confirmed, refuted, or undecided.

A capture refutes a finding when it shows the opposite, most often because the file is not the one
that the registry runs with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from regtrace.wire.leg import UPLOAD_KINDS, Kind, Leg
from regtrace.wire.token import Token


class Bearing(str, Enum):
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Ruling:
    bearing: Bearing
    why: str
    """Ours; what strangers wrote is in the leg."""
    leg: Leg | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    legs: Sequence[Leg]
    found: Mapping[str, Leg | None] = field(default_factory=dict)
    """Slugs of the findings on the capture, each with the first leg that shows it."""

    def challenges(self) -> Iterator[tuple[Leg, str, str]]:
        """Leg, realm and service of each Bearer challenge of a registry."""
        for leg in self.legs:
            for challenge in leg.challenges if leg.endpoint else ():
                if challenge.scheme.lower() == "bearer" and challenge.realm:
                    yield leg, challenge.realm, challenge.service or ""

    def tokens(self) -> Iterator[tuple[Leg, Token]]:
        for leg in self.legs:
            token = leg.token_reply.token if leg.token_reply else leg.bearer
            if token and token.jwt:
                yield leg, token

    def of_uploads(self) -> Iterator[Leg]:
        """Answers that name an upload session's next address."""
        return (leg for leg in self.legs if leg.kind in UPLOAD_KINDS and leg.status == 202)

    def to_registry(self) -> Iterator[Leg]:
        return (leg for leg in self.legs if leg.endpoint is not None)

    def to_storage(self) -> Iterator[Leg]:
        return (leg for leg in self.legs if leg.kind is Kind.STORAGE)

    def first_good(self) -> Leg | None:
        """The first answer that the registry itself gave: no page of something before it."""
        good = (leg for leg in self.to_registry() if leg.is_challenge or leg.succeeded)
        return next((leg for leg in good if leg.answerer is None), None)

    def first_trusted(self) -> Leg | None:
        """The first request whose token the registry accepted."""
        bearing = (leg for leg in self.to_registry() if leg.bearer and leg.succeeded)
        return next(bearing, None)


def confirmed(why: str, leg: Leg | None = None) -> Ruling:
    return Ruling(Bearing.CONFIRMED, why, leg)


def refuted(why: str, leg: Leg | None = None) -> Ruling:
    return Ruling(Bearing.REFUTED, why, leg)


def undecided(why: str) -> Ruling:
    return Ruling(Bearing.UNDECIDED, why)


def by_findings(leads_to: Sequence[str], traffic: Traffic) -> Ruling:
    """What the rules of traffic found: the fault that this one leads to, or not."""
    for slug in leads_to:
        if slug in traffic.found:
            return confirmed(f"the capture has what it leads to, {slug}", traffic.found[slug])
    return undecided("nothing in the capture shows it or its opposite")


def unless_good(why: str) -> Callable[[object, Traffic], Ruling | None]:
    """Refuted when the registry answered at all."""

    def against(_: object, traffic: Traffic) -> Ruling | None:
        leg = traffic.first_good()
        return refuted(why, leg) if leg else None

    return against


def unless_trusted(_: object, traffic: Traffic) -> Ruling | None:
    """Refuted when the registry accepted a token."""
    leg = traffic.first_trusted()
    return refuted("the registry accepted a token in this capture", leg) if leg else None


def unless_pushed(_: object, traffic: Traffic) -> Ruling | None:
    """Refuted when an upload began."""
    leg = next(traffic.of_uploads(), None)
    return refuted("the registry accepted an upload in this capture", leg) if leg else None


def by_realm(realm: str, traffic: Traffic) -> Ruling | None:
    """Whether the challenges name this realm."""
    other: Leg | None = None
    for leg, said, _ in traffic.challenges():
        if said == realm:
            return confirmed("the registry's challenge names this realm", leg)
        other = other or leg
    return (
        refuted(
            "the registry's challenge names another realm: it does not run with this file", other
        )
        if other
        else None
    )


def by_upload_scheme(_: object, traffic: Traffic) -> Ruling | None:
    """Whether the registry answers https requests with http addresses."""
    good: Leg | None = None
    for leg in traffic.of_uploads():
        if leg.url.scheme == "https" and leg.location:
            if leg.location.scheme == "http":
                return confirmed("an upload over https got a Location that begins http://", leg)
            good = good or leg
    return refuted("the Location of an upload over https stays at https", good) if good else None


def by_upload_host(_: object, traffic: Traffic) -> Ruling | None:
    """Whether the registry sends uploads to another host and port than they came to."""
    good: Leg | None = None
    for leg in traffic.of_uploads():
        if leg.location:
            if leg.location.authority != leg.url.authority:
                return confirmed("the Location of an upload names another host or port", leg)
            good = good or leg
    return (
        refuted("the Location of an upload names the host that was asked", good) if good else None
    )
