"""Redirects that were followed from the registry to a storage, and their signatures' windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from regtrace.diagnose.facts.answers import server_time
from regtrace.follow.story import Transfer
from regtrace.wire.leg import Leg


@dataclass(frozen=True, slots=True)
class Hop:
    """A redirect from the registry and the storage's answer to it."""

    transfer: Transfer | None
    redirect: Leg
    storage: Leg

    @property
    def now(self) -> float | None:
        """The storage's own clock, when it answered; epoch seconds UTC."""
        return server_time(self.storage)

    @property
    def expired_for(self) -> float | None:
        """Seconds since the signed URL ended, by the storage's clock; negative while it is valid.
        None where that is not known."""
        return expired_for(self.storage)

    @property
    def begins_in(self) -> float | None:
        """Seconds until the signed URL begins, by the storage's clock; negative once it has."""
        return begins_in(self.storage)

    @property
    def in_time(self) -> bool:
        """By the storage's clock the signed URL was neither over nor from the future. False too
        where that can't be known."""
        if self.expired_for is None or self.expired_for > 0:
            return False
        return self.begins_in is None or self.begins_in <= 1


def expired_for(leg: Leg) -> float | None:
    """Of an answer of a storage: seconds since its signed URL ended, by its own clock."""
    now, signature = server_time(leg), leg.presigned
    if now is None or signature is None or signature.expires_at is None:
        return None
    # The end counts at the start of the request; the Date is written at its end.
    took = max(0.0, (leg.ended or leg.started) - leg.started)
    return now - min(took, 60.0) - signature.expires_at


def begins_in(leg: Leg) -> float | None:
    """Of an answer of a storage: seconds until its signed URL begins, by its own clock."""
    now, signature = server_time(leg), leg.presigned
    if now is None or signature is None or signature.signed_at is None:
        return None
    return signature.signed_at - now


def sent_to(legs: Iterable[Leg]) -> dict[str, Leg]:
    """Authority of another host → the last redirect by which the registry sent a reader there."""
    return {
        leg.location.authority: leg
        for leg in legs
        if leg.redirects
        and leg.location is not None
        and leg.endpoint is not None
        and leg.method in {"GET", "HEAD"}
        and leg.location.authority != leg.url.authority
    }
