"""Two captures of one client, the second right after the first, tell what each tells by itself.

Who tries again changes something first, which takes longer than a client waits before it tries
again by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import TypeVar

import pytest

from regtrace.follow.tracker import tell
from regtrace.proxy.capture import Reader
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Request, Response
from regtrace.wire.leg import Leg

CAPTURES = sorted((Path(__file__).parents[1] / "captures").glob("*.mitm"))
CLIENTS = sorted({path.stem.partition("-")[0] for path in CAPTURES})
#: Seconds from the end of the one to the beginning of the other: longer than docker's back-off.
PAUSE = 40.0

MessageT = TypeVar("MessageT", Request, Response)


@pytest.mark.parametrize("client", CLIENTS)
def test_each_tells_what_it_tells_alone(client: str) -> None:
    captures = {path.stem: _legs(path) for path in CAPTURES if path.stem.startswith(f"{client}-")}
    alone = {name: _told(legs) for name, legs in captures.items()}
    otherwise = []
    for one, other in permutations(captures, 2):
        end = max(leg.last_seen for leg in captures[one])
        later = end + PAUSE - min(leg.started for leg in captures[other])
        told = _told([*captures[one], *(_later(leg, later) for leg in captures[other])])
        if told != alone[one] + alone[other]:
            otherwise.append((one, other, told - alone[one] - alone[other]))
    assert otherwise == []


def test_there_are_pairs() -> None:
    assert len(CLIENTS) >= 5
    assert len(CAPTURES) >= 100


def _legs(path: Path) -> list[Leg]:
    with path.open("rb") as stream:
        return [decode(exchange) for exchange in Reader(str(path), stream)]


def _told(legs: Iterable[Leg]) -> Counter[tuple[str, str | None, str | None, str, int]]:
    return Counter(
        (op.kind.value, op.repository, op.reference, op.ending.value, len(op.legs))
        for op in tell(legs)
    )


def _later(leg: Leg, seconds: float) -> Leg:
    exchange = leg.exchange
    moved = replace(
        exchange,
        request=_message_later(exchange.request, seconds),
        response=exchange.response and _message_later(exchange.response, seconds),
        error_at=None if exchange.error_at is None else exchange.error_at + seconds,
    )
    return replace(leg, exchange=moved)


def _message_later(message: MessageT, seconds: float) -> MessageT:
    ended = None if message.ended is None else message.ended + seconds
    return replace(message, started=message.started + seconds, ended=ended)
