"""How much of a long report is drawn: what matters first, and how many are left out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Few(Generic[Item]):
    items: list[Item]
    left_out: int


def few(items: Sequence[Item], most: int, matters: Callable[[Item], bool]) -> Few[Item]:
    """At most so many of the items, those that matter before the others, in the old order."""
    if len(items) <= most:
        return Few(list(items), 0)
    ranked = sorted(range(len(items)), key=lambda place: not matters(items[place]))
    return Few([items[place] for place in sorted(ranked[:most])], len(items) - most)


def within(room: int, pieces: Mapping[Key, str]) -> dict[Key, str]:
    """Of these pieces of a page, as many as have room, the first ones first: bytes of UTF-8."""
    kept = {}
    for key, piece in pieces.items():
        bulk = len(piece.encode())
        if bulk <= room:
            kept[key] = piece
            room -= bulk
    return kept
