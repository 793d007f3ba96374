"""Redirects that were followed from the registry to a storage, and their signatures' windows."""

from __future__ import annotations

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
        signature = self.storage.presigned
        if self.now is None or signature is None or signature.expires_at is None:
            return None
        # The end counts at the start of the request; the Date is written at its end.
        took = max(0.0, (self.storage.ended or self.storage.started) - self.storage.started)
        return self.now - min(took, 60.0) - signature.expires_at

    @property
    def begins_in(self) -> float | None:
        """Seconds until the signed URL begins, by the storage's clock; negative once it has."""
        signature = self.storage.presigned
        if self.now is None or signature is None or signature.signed_at is None:
            return None
        return signature.signed_at - self.now

    @property
    def in_time(self) -> bool:
        """By the storage's clock the signed URL was neither over nor from the future. False too
        where that can't be known."""
        if self.expired_for is None or self.expired_for > 0:
            return False
        return self.begins_in is None or self.begins_in <= 1
