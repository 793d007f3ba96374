"""What stands before the registry: what it ended an operation by, who it is, how long it waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regtrace.diagnose.facts.answers import is_registrys_own, sent
from regtrace.diagnose.rule import Owner
from regtrace.follow.story import by_start
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.storage import Vendor, read_vendor
from regtrace.wire.term import Term, plain
from regtrace.wire.transport import Failure

if TYPE_CHECKING:
    from regtrace.diagnose.facts import Facts

#: Proxies that stand on the client's side: what lets people out, not what leads in.
_OUTWARD = frozenset(
    {"bluecoat", "fortinet", "privoxy", "skyhigh", "squid", "tinyproxy", "zscaler"}
)

#: Seconds after which proxies close a request, whatever passes meanwhile: Traefik's readTimeout and
#: most load balancers (60), others by their defaults or by habit.
_LIMITS = (30, 60, 90, 100, 120, 180, 240, 300, 600, 900, 1200, 1800, 3600)
#: Seconds that a cut may be off its limit: a connection's set-up, and the proxy's own timer.
_SLACK = 2.0
#: Seconds between the ends of two cuts that one event (a restart) can't have made.
_APART = 5.0

#: How a connection ends that was there; HTTP/2's own means of ending are told apart.
_BREAKS = frozenset({Failure.CUT, Failure.UNSENT, Failure.TIMEOUT, Failure.OTHER})

_CARRIES = frozenset({Kind.UPLOAD_START, Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT})


def ended_by(facts: Facts, matches: Callable[[Leg], bool]) -> tuple[Leg, ...]:
    """The legs that the operation ended by and that match, with the earlier tries in the same
    transfers that match too, by start. Nothing when it did not fail, or failed otherwise."""
    found: dict[str, Leg] = {}
    for fatal in facts.fatal:
        if matches(fatal.leg):
            tries = fatal.transfer.legs if fatal.transfer else ()
            found |= {leg.id: leg for leg in (*tries, fatal.leg) if matches(leg)}
    return tuple(sorted(found.values(), key=by_start))


def front(leg: Leg) -> Term:
    """Who answered, at the beginning of a sentence."""
    return plain(leg.answerer.product if leg.answerer else "A proxy in front of the registry")


def front_owner(leg: Leg) -> Owner:
    """Who runs what answered."""
    product = leg.answerer.product if leg.answerer else None
    if product == "mitmproxy":
        return Owner.INTERCEPTION
    return Owner.NETWORK if product in _OUTWARD else Owner.FRONT_PROXY


def seconds(leg: Leg) -> float:
    """From the beginning of the request to its answer, or to its end without one."""
    response = leg.exchange.response
    return max(0.0, (response.started if response else leg.last_seen) - leg.started)


def stores(facts: Facts) -> dict[Vendor, Leg]:
    """The storages that the registry sent its clients to → a redirect that shows it."""
    known = {hop.redirect.id: hop.storage.vendor for hop in facts.hops}
    found: dict[Vendor, Leg] = {}
    for leg in facts.legs:
        if leg.redirects and leg.location and leg.kind in {Kind.BLOB_HEAD, Kind.BLOB_GET}:
            vendor = known.get(leg.id) or read_vendor(leg.location)
            if vendor:
                found.setdefault(vendor, leg)
    return found


@dataclass(frozen=True, slots=True)
class Cut:
    """Uploads that were all cut after the same time, by whatever happened in it."""

    legs: tuple[Leg, ...]
    limit: int
    """Seconds."""


def read_cut(facts: Facts) -> Cut | None:
    """The limit in time that the operation ended by: two cuts at least, not of one moment."""
    legs = ended_by(facts, is_cut_short)
    for limit in _LIMITS:
        near = tuple(leg for leg in legs if abs(seconds(leg) - limit) <= _SLACK)
        ends = [leg.started + seconds(leg) for leg in near]
        if near and max(ends) - min(ends) > _APART and any(map(facts.is_fatal, near)):
            return Cut(near, limit)
    return None


def is_cut_short(leg: Leg) -> bool:
    """An upload that ended without the registry's answer after bytes had passed, and not by the
    client. (In a commit without a body they had passed before.)"""
    if leg.kind not in _CARRIES or leg.left_by_client:
        return False
    if leg.status is not None:
        return leg.status in {408, 499, 504} and is_being_sent(leg)
    commits = leg.kind is Kind.UPLOAD_COMMIT and leg.failure is Failure.CUT
    return leg.failure in _BREAKS and (commits or bool(leg.exchange.request.body.size))


def is_being_sent(leg: Leg) -> bool:
    """The client had not sent all of the body when the leg ended."""
    request = leg.exchange.request
    return request.ended is None and bool(request.body.size)


def body_size(leg: Leg) -> int:
    """Bytes of the request's body: those that were seen, or that its header announced."""
    announced = sent(leg).get("Content-Length") or ""
    size = int(announced) if announced.isascii() and announced.isdigit() else 0
    return max(leg.exchange.request.body.size or 0, size)


def speaks(facts: Facts, authority: str) -> bool:
    """Whether a registry was heard at this host: its own voice, a challenge, or a success."""
    return any(
        is_registrys_own(leg) or leg.challenges or leg.succeeded
        for leg in facts.legs
        if leg.endpoint is not None and leg.url.authority == authority and leg.status is not None
    )
