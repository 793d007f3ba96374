"""What must have happened and is not in the capture: blind spots of an operation, never failures.

Traffic passes a proxy by where NO_PROXY, a credential helper or a builder of its own sends it
elsewhere; Go's clients never use a proxy for a loopback name (net/http httpproxy).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set

from regtrace.follow.life import Ending
from regtrace.follow.story import Blind, Chain, Transfer, Unseen
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.leg import Kind


def unseen(
    transfers: Iterable[Transfer],
    session: Iterable[Chain],
    ending: Ending,
    fetched: Set[str],
    sources: Mapping[str, str],
) -> tuple[Unseen, ...]:
    """The blind spots of one operation, one of each kind at most.

    ``fetched``: SHA-256 of every token that was seen to be given, to whichever operation.
    ``sources``: leg id → id of the leg whose redirect it follows.
    """
    transfers, session = list(transfers), list(session)
    spots = (
        *_logins(transfers, session, ending),
        *_tokens(transfers, session, fetched),
        *_redirects(transfers, session),
        *_uploads(transfers),
        *_ways_to_storage(transfers, sources),
    )
    first = {spot.blind: spot for spot in reversed(spots)}
    return tuple(first[blind] for blind in Blind if blind in first)


def _logins(transfers: list[Transfer], session: list[Chain], ending: Ending) -> Iterator[Unseen]:
    if ending is Ending.INCOMPLETE:
        for chain in [transfer.chains[-1] for transfer in transfers] or session[-1:]:
            if chain.last.is_challenge:
                yield Unseen(Blind.LOGIN, chain.last)


def _tokens(transfers: list[Transfer], session: list[Chain], fetched: Set[str]) -> Iterator[Unseen]:
    chains = [*session, *(chain for transfer in transfers for chain in transfer.chains)]
    legs = sorted((leg for chain in chains for leg in chain.legs), key=lambda leg: leg.started)
    challenged = False
    for leg in legs:
        if leg.kind is Kind.STORAGE:
            continue  # what is carried there by mistake
        if leg.bearer and challenged and leg.bearer.sha256 not in fetched:
            yield Unseen(Blind.TOKEN, leg)
        elif not leg.bearer and any(c.scheme == "bearer" and c.realm for c in leg.challenges):
            challenged = True


def _redirects(transfers: list[Transfer], session: list[Chain]) -> Iterator[Unseen]:
    """Not those whose host the client could not reach: there is nothing to see behind them."""
    tunnels = {chain.last.url.authority for chain in session if chain.last.kind is Kind.CONNECT}
    for transfer in transfers:
        for chain in transfer.chains:
            target = chain.last.location
            if chain.unfollowed and target is not None and target.authority not in tunnels:
                yield Unseen(Blind.REDIRECT, chain.last)


def _ways_to_storage(transfers: list[Transfer], sources: Mapping[str, str]) -> Iterator[Unseen]:
    for transfer in transfers:
        for first in (chain.first for chain in transfer.chains):
            if first.kind is Kind.STORAGE and first.id not in sources:
                yield Unseen(Blind.WAY_TO_STORAGE, first)


_OPENS = frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.UPLOAD_CHUNK})


def _uploads(transfers: list[Transfer]) -> Iterator[Unseen]:
    for transfer in transfers:
        last = transfer.chains[-1].last
        goes_on = last.kind in _OPENS and last.succeeded
        if goes_on and last.location and reach(last.location.host) is Reach.LOOPBACK:
            yield Unseen(Blind.UPLOAD, last)
