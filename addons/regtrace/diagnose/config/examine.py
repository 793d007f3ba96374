"""Asks every check about the files, and the capture about what they found."""

from __future__ import annotations

from collections.abc import Sequence

from regtrace.diagnose.config.check import Check, Judged, Outcome, Wrong
from regtrace.diagnose.config.traffic import Bearing, Ruling, Traffic, by_findings
from regtrace.diagnose.rule import DOES_NOT_APPLY, NotSeen
from regtrace.wire.settings import SetUp


def examine_setup(
    setup: SetUp, checks: Sequence[Check], traffic: Traffic | None = None
) -> tuple[Judged, ...]:
    """What each check says. One that raises costs its own answer."""
    return tuple(_judged(check, setup, traffic) for check in checks)


def _judged(check: Check, setup: SetUp, traffic: Traffic | None) -> Judged:
    try:
        verdict = check.examine(setup)
        if isinstance(verdict, tuple) and verdict:
            rulings = tuple(_ruling(check, wrong, traffic) for wrong in verdict) if traffic else ()
            return Judged(check, Outcome.WRONG, verdict, rulings)
    except Exception as fault:
        verdict = NotSeen(
            f"rule {check.number} {check.slug}",
            f"it stopped with {type(fault).__name__}: a fault of that rule",
            "this fault would not have been recognised",
        )
    if isinstance(verdict, NotSeen):
        return Judged(check, Outcome.NOT_SEEN, not_seen=verdict)
    return Judged(check, Outcome.NOT_THERE if verdict is DOES_NOT_APPLY else Outcome.FINE)


def _ruling(check: Check, wrong: Wrong, traffic: Traffic) -> Ruling:
    """What the check reads from the traffic; but what is found there of the faults that it leads
    to can't be refuted."""
    by_rules = by_findings(check.leads_to, traffic)
    own = check.against(wrong, traffic) if check.against else None
    if own is None or (own.bearing is Bearing.REFUTED and by_rules.bearing is Bearing.CONFIRMED):
        return by_rules
    return own
