"""Steps of an upload: an answer that announces where to go on, and the request that went there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from regtrace.follow.story import Chain, Transfer
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.url import Url

_ANNOUNCES = frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.UPLOAD_CHUNK, Kind.UPLOAD_STATUS})
_GOES_ON = frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT, Kind.UPLOAD_STATUS})


@dataclass(frozen=True, slots=True)
class Step:
    """From one answer of an upload session to the client's next request in it."""

    transfer: Transfer
    before: Leg
    """The answer (2xx) that announces the next URL, or fails to."""
    after: Chain | None
    """The next request of the session, with the redirects it followed. None: none was seen."""

    @property
    def announced(self) -> Url | None:
        return self.before.location

    @property
    def went_well(self) -> bool:
        return self.after is not None and self.after.last.succeeded


def read_steps(transfers: Iterable[Transfer]) -> tuple[Step, ...]:
    """Every step of every upload session, by start."""
    steps: list[Step] = []
    for transfer in transfers:
        for n, chain in enumerate(transfer.chains):
            if chain.last.kind in _ANNOUNCES and chain.last.succeeded:
                after = _next(chain.last, transfer.chains[n + 1 :])
                steps.append(Step(transfer, chain.last, after))
    return tuple(sorted(steps, key=lambda step: step.before.started))


def _next(leg: Leg, later: Iterable[Chain]) -> Chain | None:
    """The first later request of the same session."""
    for chain in later:
        same = chain.first.session == leg.session or chain.first.session is None
        if chain.first.kind in _GOES_ON and (same or leg.session is None):
            return chain
        if chain.first.kind in {Kind.UPLOAD_START, Kind.MOUNT} and leg.session is None:
            return None
    return None
