"""Steps of an upload: an answer that announces where to go on, and the request that went there.

What distribution tells itself in ``_state`` is read here too: of one refused step it says whether
the registry was given back what it had announced (registry/handlers/blobupload.go).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from regtrace.diagnose.facts.answers import codes, said, sent
from regtrace.diagnose.rule import Evidence
from regtrace.follow.story import Chain, Transfer
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.url import Url, parse_url

_ANNOUNCES = frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.UPLOAD_CHUNK, Kind.UPLOAD_STATUS})
_GOES_ON = frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT, Kind.UPLOAD_STATUS})


class Doubt(str, Enum):
    """Why a registry refused a ``_state`` (BLOB_UPLOAD_INVALID), by the error's ``detail``."""

    SECRET = "secret"
    """It was signed with another secret: ``invalid secret``, or ``{}`` in distribution 2.x, where
    errors have no text."""
    UNREADABLE = "unreadable"
    """It is no base64: the detail is a position, or says so."""
    OFFSET = "offset"
    """Its signature is good, what it says is not so: no detail, after bytes were stored."""
    UNSAID = "unsaid"


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
        after = self.after
        return after is not None and after.last.succeeded and not after.became_a_read

    @property
    def lost(self) -> bool:
        """Nothing came after it, or nothing good."""
        return not self.went_well and not (self.after and self.after.last.in_flight)

    @property
    def end(self) -> Leg:
        """The last leg of it: what became of the next request, or the answer nobody followed."""
        return self.after.last if self.after else self.before

    @property
    def outcome(self) -> tuple[Evidence, ...]:
        """What became of the next request; nothing where none was seen."""
        if self.after is None:
            return ()
        where = "error" if self.end.broken else "response.status"
        return (Evidence(self.end, where, "what became of the next step"),)

    @property
    def leaves(self) -> bool:
        """The next URL is at another host or port than the client asked, as it wrote it in Host."""
        named = parse_url(f"{self.before.url.scheme}://{sent(self.before).get('Host') or ''}")
        asked = {self.before.url.authority, named.authority if named else None}
        return self.announced is not None and self.announced.authority not in asked

    @property
    def keeps_state(self) -> bool:
        """The next request brought back the ``_state`` that was announced, and it is about this
        session: if the registry does not know it, it is not the client's fault."""
        if self.after is None or self.announced is None or self.before.state is None:
            return False
        brought = self.after.first.url.param("_state")
        state, endpoint = self.before.state, self.after.first.endpoint
        about = endpoint is None or (state.name, state.uuid) == (
            endpoint.repository,
            endpoint.session,
        )
        return brought == self.announced.param("_state") and about

    @property
    def doubt(self) -> Doubt | None:
        """Why the registry refused the ``_state`` that came back; None when it did not."""
        if self.after is None or "BLOB_UPLOAD_INVALID" not in codes(self.end):
            return None
        given = self.after.first.state
        details = [item.detail for item in self.end.error.items] if self.end.error else []
        text = said(self.end)
        if "illegal base64" in text or any(type(detail) is int for detail in details):
            return Doubt.UNREADABLE
        if "invalid secret" in text or {} in details:
            return Doubt.SECRET
        if self.end.status == 416 or (given and given.offset and not any(details)):
            return Doubt.OFFSET
        return Doubt.UNSAID


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
