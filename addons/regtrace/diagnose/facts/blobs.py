"""What an operation did about each blob and manifest that it speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from regtrace.diagnose.facts.answers import codes
from regtrace.diagnose.facts.last_words import digests_in
from regtrace.follow.life import Fate
from regtrace.follow.story import Transfer
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.manifest import referenced

if TYPE_CHECKING:
    from regtrace.diagnose.facts import Facts


class Standing(str, Enum):
    STORED = "stored"
    """Sent in this operation, and the registry took it."""
    SKIPPED = "skipped"
    """Not sent, because the registry said that it has it."""
    MOUNTED = "mounted"
    FAILED = "failed"
    """Begun, and not finished."""
    UNTOUCHED = "untouched"
    """Neither asked for nor sent."""


_STANDINGS = {
    Fate.UPLOADED: Standing.STORED,
    Fate.EXISTED: Standing.SKIPPED,
    Fate.MOUNTED: Standing.MOUNTED,
    Fate.DOWNLOADED: Standing.SKIPPED,
    Fate.FAILED: Standing.FAILED,
    Fate.INCOMPLETE: Standing.FAILED,
}


@dataclass(frozen=True, slots=True)
class History:
    """What was done about one digest."""

    digest: str
    standing: Standing
    leg: Leg | None
    """The answer that shows it; None for what was not touched."""


def history(facts: Facts, digest: str) -> History:
    """What this operation did about a blob, or about a manifest by digest."""
    transfer = next((t for t in facts.operation.transfers if t.digest == digest), None)
    if transfer is None:
        return History(digest, Standing.UNTOUCHED, None)
    return History(digest, _STANDINGS[transfer.fate], _shows(transfer))


def _shows(transfer: Transfer) -> Leg:
    answers = [chain.last for chain in transfer.chains]
    good = (leg for leg in reversed(answers) if leg.succeeded)
    return next(good, answers[-1])


def said_to_be_there(facts: Facts, digest: str) -> Leg | None:
    """The registry's own word (a HEAD answered 200, no storage asked) that it has this blob, or
    that it mounted it; None where it did not say so or got the bytes anew."""
    found = history(facts, digest)
    own = found.leg is not None and found.leg.kind in {Kind.BLOB_HEAD, Kind.MOUNT}
    return found.leg if own and found.standing in _TRUSTED else None


_TRUSTED = frozenset({Standing.SKIPPED, Standing.MOUNTED})


def sizes(legs: Iterable[Leg]) -> dict[str, int]:
    """Digest → bytes, as the manifests that passed announce them."""
    announced: dict[str, int] = {}
    for leg in legs:
        for entry in referenced(leg.manifest) if leg.manifest else ():
            if entry.size is not None:
                announced[entry.digest] = entry.size
    return announced


def children(facts: Facts) -> frozenset[str]:
    """Digests of the manifests that an index of this operation lists."""
    indexes = (leg.manifest for leg in facts.legs if leg.manifest)
    return frozenset(entry.digest for index in indexes for entry in index.manifests)


def names_missing(leg: Leg) -> bool:
    """A PUT can't miss the blob or the manifest that it asks for: only what it lists."""
    return bool(codes(leg) & {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"})


def missing_of(facts: Facts, leg: Leg) -> list[History]:
    """What the refusal names; where it names nothing, what this push left undone, or else all that
    the manifest lists."""
    manifest = leg.manifest
    listed = [e for e in referenced(manifest) if e != manifest.subject] if manifest else []
    known = {entry.digest for entry in listed}
    named = [digest for digest in digests_in(leg) if not known or digest in known]
    if named:
        return [history(facts, digest) for digest in named]
    found = [history(facts, entry.digest) for entry in listed if not (entry.urls or entry.data)]
    undone = [each for each in found if each.standing in {Standing.UNTOUCHED, Standing.FAILED}]
    return undone or found
