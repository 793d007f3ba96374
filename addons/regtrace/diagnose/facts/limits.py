"""Limits of a registry that were reached, or nearly: quotas of storage, rates of requests."""

from __future__ import annotations

import re
from dataclasses import dataclass

from regtrace.diagnose.facts.answers import codes, received, said
from regtrace.wire.leg import Kind, Leg

# --- storage

_SIZE = r"([0-9]{1,20}(?:\.[0-9]{1,6})?) ?((?:[kmgtp]i?)?b)\b"
#: Harbor, src/pkg/quota/errors.go ResourceOverflow: its usage is that without this push.
_HARBOR = re.compile(
    rf"(?:adding {_SIZE} of storage resource, )?which when (?:updated|added) to current usage of"
    rf" {_SIZE} will exceed the configured upper limit of {_SIZE}"
)
#: DigitalOcean counts repositories.
_COUNTED = re.compile(r"limit is ([0-9]{1,9})\b")

#: In lower case; each is said of room, not of speed.
_QUOTA_WORDS = (
    "will exceed the configured upper limit",
    "over the quota",
    "quota has been exceeded",
    "quota exceeded",
    "exceeded your storage quota",
    "exceeded the storage quota",
    "storage quota",
    "storage limit",
    "quota is full",
    "exceeds quota",
    "repositories, limit is",
)


@dataclass(frozen=True, slots=True)
class Quota:
    """What was said of a quota of storage, in the registry's units."""

    used: str | None = None
    limit: str | None = None
    added: str | None = None
    """What this push would add to what is in use."""


def read_quota(leg: Leg) -> Quota | None:
    """The quota that a refusal speaks of; None where it speaks of none."""
    text = said(leg)
    if leg.status == 429 or "TOOMANYREQUESTS" in codes(leg):
        return None
    if (match := _HARBOR.search(text)) is not None:
        used, limit = _size(match[3], match[4]), _size(match[5], match[6])
        return Quota(used, limit, _size(match[1], match[2]) if match[1] else None)
    if not any(words in text for words in _QUOTA_WORDS):
        return None
    counted = _COUNTED.search(text)
    if counted is None:
        return Quota()
    return Quota(limit=f"{counted[1]} {'repository' if counted[1] == '1' else 'repositories'}")


def _size(number: str, unit: str) -> str:
    return f"{number} {unit[:-1].capitalize()}B"


# --- rates


def is_throttled(leg: Leg) -> bool:
    """Refused for too many requests, by a registry or its token server."""
    if leg.kind is Kind.STORAGE:
        return False
    asked_too_often = codes(leg) & {"TOOMANYREQUESTS", "TOO_MANY_REQUEST", "TOO_MANY_REQUESTS"}
    return leg.status == 429 or ((leg.status or 0) >= 400 and bool(asked_too_often))


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many pulls are allowed, and left (Docker Hub's ``ratelimit-limit: 100;w=21600``)."""

    leg: Leg
    limit: int
    remaining: int
    window: int | None
    """Seconds."""

    @property
    def nearly_used_up(self) -> bool:
        return self.remaining * 10 <= self.limit


_RATE = re.compile(r"([0-9]{1,9})(?:\s*;\s*w=([0-9]{1,9}))?")


def read_allowance(leg: Leg) -> Allowance | None:
    """From an answer's headers (docs.docker.com, "Pull usage and limits")."""
    limit = _RATE.match(received(leg).get("RateLimit-Limit") or "")
    left = _RATE.match(received(leg).get("RateLimit-Remaining") or "")
    if limit is None or left is None or int(limit[1]) == 0:
        return None
    window = limit[2] or left[2]
    return Allowance(leg, int(limit[1]), int(left[1]), int(window) if window else None)


_SECONDS = re.compile(r"[0-9]{1,9}")


def retry_after(leg: Leg) -> int | None:
    """Seconds that the answer asks to wait; None where it does not say so in seconds."""
    value = (received(leg).get("Retry-After") or "").strip()
    return int(value) if _SECONDS.fullmatch(value) else None


#: GHCR writes its rate into the message.
_PER_MINUTE = re.compile(r"allowed: ([0-9]{1,9})/minute")


def allowed_per_minute(leg: Leg) -> int | None:
    match = _PER_MINUTE.search(said(leg))
    return int(match[1]) if match else None
