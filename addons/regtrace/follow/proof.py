"""Whether the bytes that passed are those that their digest names, of one blob or one manifest.

Only what passed in one piece and was hashed on its way tells; the last of it counts. Of a blob in
several chunks, or of one whose upload began before the capture, nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from regtrace.follow.story import Chain
from regtrace.wire.integrity import is_received_intact, is_sent_intact
from regtrace.wire.leg import Kind, Leg

_OPENS = frozenset({Kind.UPLOAD_START, Kind.MOUNT})
_CARRIES = frozenset({Kind.UPLOAD_START, Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT})


def blob_verified(chains: Sequence[Chain], digest: str | None) -> bool | None:
    """Whether a blob's bytes have the digest that it was announced with, in either direction."""
    if digest is None or all(leg.digest != digest for chain in chains for leg in chain.legs):
        return None
    sent = {leg.id for leg in _sent_whole(chains)}
    last = None
    for leg in (chain.last for chain in chains):
        known = is_sent_intact(digest, leg.exchange.request) if leg.id in sent else leg.intact
        last = last if known is None else known
    return last


def _sent_whole(chains: Iterable[Chain]) -> Iterator[Leg]:
    """Requests that carried all of the blob: the only chunk of an upload that was seen to begin, or
    a POST or PUT that had no chunks before it (containerd sends its PUT again when it failed)."""
    opened: set[str] = set()
    carried: dict[str, list[Leg]] = {}
    for leg in (chain.last for chain in chains):
        session = leg.session or ""
        if leg.kind in _OPENS:
            opened.add(session)
        # What came without a login was refused before it was stored.
        if leg.kind in _CARRIES and leg.exchange.request.body.size and leg.status != 401:
            carried.setdefault(session, []).append(leg)
    for session, legs in carried.items():
        in_one = len(legs) == 1 or all(leg.kind is not Kind.UPLOAD_CHUNK for leg in legs)
        if in_one and session in opened:
            yield from legs


def manifest_verified(chains: Iterable[Chain]) -> bool | None:
    """Whether the last manifest that passed has the digest in its path, or that the registry named.

    Of schema 1 the digest leaves the signatures out.
    """
    last = None
    for leg in (chain.last for chain in chains):
        response = leg.exchange.response
        if response is None or leg.manifest is None or leg.manifest.kind == "schema1":
            continue
        path = leg.endpoint.digest if leg.endpoint else None
        said = response.headers.get("Docker-Content-Digest") if leg.succeeded else None
        named = path or said
        if named is None:
            continue
        if leg.kind is Kind.MANIFEST_PUT:
            known = is_sent_intact(named, leg.exchange.request)
        else:
            known = is_received_intact(named, leg.exchange.request, response)
        last = last if known is None else known
    return last
