"""Why a signed URL was used outside its time: kept too long, handed out old, or by a wrong clock.

What counts is the storage's clock. That of the proxy is a third witness, asked only whose of the
two is the wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regtrace.diagnose.facts.answers import server_time
from regtrace.diagnose.facts.clocks import in_words
from regtrace.diagnose.facts.hops import begins_in, expired_for
from regtrace.diagnose.facts.storage_errors import Reason, StorageRefusal
from regtrace.diagnose.rule import Owner
from regtrace.wire.leg import Leg

if TYPE_CHECKING:
    from regtrace.diagnose.facts import Facts

#: Seconds by which clocks and the time that an answer takes may differ without a meaning.
_SLACK = 60.0


@dataclass(frozen=True, slots=True)
class Lateness:
    owner: Owner
    sentence: str
    """What happened, in words of ours."""


def read_lateness(facts: Facts, refusal: StorageRefusal) -> Lateness:
    """Of a URL that was over, or not valid yet, when the storage got it."""
    if refusal.reason is Reason.NOT_YET_VALID:
        return _early(facts, refusal)
    over = expired_for(refusal.leg)
    began = f"It had ended {in_words(over)} before. " if over is not None and over >= 1 else ""
    why = _late(facts, refusal)
    return Lateness(why.owner, began + why.sentence)


def _early(facts: Facts, refusal: StorageRefusal) -> Lateness:
    ahead = begins_in(refusal.leg)
    by = in_words(ahead) if ahead is not None and ahead > 0 else "a good while"
    owner = whose_clock(facts, refusal)
    if owner is Owner.STORAGE:
        return Lateness(owner, f"The storage's clock is {by} behind the one that signed.")
    return Lateness(owner, f"The clock that signed is {by} ahead of the storage's.")


def _late(facts: Facts, refusal: StorageRefusal) -> Lateness:
    signature, redirect = refusal.leg.presigned, refusal.redirect
    ends = signature.expires_at if signature else None
    if signature is None or ends is None or redirect is None:
        return Lateness(
            Owner.REGISTRY,
            "Either the client kept it too long, or the clock that signed is behind the storage's.",
        )
    handed_out = server_time(redirect)
    if handed_out is not None and ends < handed_out:
        return Lateness(
            Owner.FRONT_PROXY,
            "By the registry's own clock it was over when the client was given it: something in"
            " front of the registry answers with an old redirect from a cache.",
        )
    began = signature.signed_at if signature.signed_at is not None else handed_out
    kept = max(0.0, refusal.leg.started - (redirect.ended or redirect.started))
    if began is None or kept >= ends - began - 1:
        return Lateness(
            Owner.CLIENT,
            f"The client had been given it {in_words(kept)} earlier and used it too late: after a"
            " pause, a slow mirror, or for a download that it went on with.",
        )
    owner = whose_clock(facts, refusal)
    when = "at once" if kept < 2 else f"{in_words(kept)} after it was given it"
    used = f"The client used it {when}, so a clock is wrong: "
    if owner is Owner.STORAGE:
        return Lateness(owner, f"{used}the storage's is ahead of the one that signed.")
    return Lateness(owner, f"{used}the one that signed is behind the storage's.")


def whose_clock(facts: Facts, refusal: StorageRefusal) -> Owner:
    """Which of the two is further from the proxy's clock; the registry's where that can't be told,
    since a storage's clock is seldom wrong."""
    storage = facts.clocks.get(refusal.leg.url.authority)
    signer = _signer_ahead(facts, refusal)
    if storage is None or signer is None:
        return Owner.REGISTRY
    return Owner.STORAGE if abs(storage.ahead) > abs(signer) + _SLACK else Owner.REGISTRY


def _signer_ahead(facts: Facts, refusal: StorageRefusal) -> float | None:
    """Seconds that the signer's clock is ahead of the proxy's: by the time that it signed, else by
    the registry's Date."""
    redirect: Leg | None = refusal.redirect
    if redirect is None:
        return None
    signature = refusal.leg.presigned
    if signature is not None and signature.signed_at is not None:
        return signature.signed_at - redirect.started
    clock = facts.clocks.get(redirect.url.authority)
    return clock.ahead if clock else None
