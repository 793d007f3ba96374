"""Which leg of the good operation is like which of the bad one.

A client transfers several blobs at once, so the order of all legs says little. Legs are aligned
within a strand: those of one blob or manifest, and those outside of any. Strands are paired by
digest, then by size, then by their order; legs by a sequence alignment (Needleman and Wunsch) of
what each asks for and what it got.

The work grows with the number of legs, not with its square: equal ends are paired as they are,
and what is between is aligned by windows.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence

from regtrace.report.model import Operation, Transfer

Pair = tuple[int | None, int | None]

_WINDOW = 128
"""Legs of either side that are aligned at once."""
_SURE = _WINDOW * 3 // 4
"""Of a window, those that are kept; the rest is aligned again with what follows it."""

_EQUAL, _ALIKE = 5, 3
"""What a pair is worth that asks and gets the same, and one that asks the same."""


def pair_transfers(
    good: Operation, bad: Operation
) -> list[tuple[Transfer | None, Transfer | None]]:
    """In the order of the good side; those of the bad side that have no like stand last."""
    left, right = list(good.transfers), list(bad.transfers)
    like: dict[str, Transfer] = {}
    for key in (_digest, _size, _kind):
        waiting: dict[Hashable, deque[Transfer]] = defaultdict(deque)
        for transfer in right:
            waiting[key(transfer)].append(transfer)
        for transfer in left:
            of = key(transfer)
            if of is not None and waiting[of]:
                like[transfer.id] = waiting[of].popleft()
        left = [transfer for transfer in left if transfer.id not in like]
        taken = {transfer.id for transfer in like.values()}
        right = [transfer for transfer in right if transfer.id not in taken]
    paired: list[tuple[Transfer | None, Transfer | None]] = [
        (transfer, like.get(transfer.id)) for transfer in good.transfers
    ]
    return [*paired, *((None, transfer) for transfer in right)]


def _digest(transfer: Transfer) -> Hashable:
    return (transfer.kind, transfer.digest) if transfer.digest else None


def _size(transfer: Transfer) -> Hashable:
    return (transfer.kind, transfer.size) if transfer.size else None


def _kind(transfer: Transfer) -> Hashable:
    return transfer.kind


def align(
    good: Sequence[Hashable],
    bad: Sequence[Hashable],
    alike: Callable[[Hashable], Hashable],
) -> list[Pair]:
    """Places in either sequence, paired, in order; None where one side has no like.

    ``alike`` makes of an entry what it asks for, without what it got.
    """
    left, right = len(good), len(bad)
    head = _common(good, bad)
    tail = _common(good[head:][::-1], bad[head:][::-1])
    pairs: list[Pair] = [(place, place) for place in range(head)]
    pairs += _between(good, bad, alike, (head, left - tail), (head, right - tail))
    pairs += zip(range(left - tail, left), range(right - tail, right), strict=True)
    return pairs


def _common(good: Iterable[Hashable], bad: Iterable[Hashable]) -> int:
    """How many entries are equal from the beginning on."""
    count = 0
    for one, other in zip(good, bad, strict=False):
        if one != other:
            break
        count += 1
    return count


def _between(
    good: Sequence[Hashable],
    bad: Sequence[Hashable],
    alike: Callable[[Hashable], Hashable],
    left: tuple[int, int],
    right: tuple[int, int],
) -> list[Pair]:
    pairs: list[Pair] = []
    (here, end), (there, last) = left, right
    while here < end or there < last:
        some, others = (
            good[here : min(here + _WINDOW, end)],
            bad[there : min(there + _WINDOW, last)],
        )
        steps = _aligned(some, others, [alike(entry) for entry in some], [*map(alike, others)])
        if here + len(some) < end or there + len(others) < last:
            steps = _sure(steps)
        pairs += [
            (None if one is None else here + one, None if other is None else there + other)
            for one, other in steps
        ]
        here += sum(one is not None for one, _ in steps)
        there += sum(other is not None for _, other in steps)
    return pairs


def _sure(steps: list[Pair]) -> list[Pair]:
    """Up to the last pair in the first part of the window; all of it where there is none."""
    paired = [
        number
        for number, (one, other) in enumerate(steps)
        if one is not None and other is not None and max(one, other) < _SURE
    ]
    return steps[: paired[-1] + 1] if paired else steps


def _aligned(
    good: Sequence[Hashable],
    bad: Sequence[Hashable],
    good_asked: Sequence[Hashable],
    bad_asked: Sequence[Hashable],
) -> list[Pair]:
    """The alignment that is worth most; of equal ones, that which pairs earliest."""
    rows, columns = len(good), len(bad)
    worth = [[0] * (columns + 1) for _ in range(rows + 1)]
    for i in range(rows - 1, -1, -1):
        below, own = worth[i + 1], worth[i]
        for j in range(columns - 1, -1, -1):
            best = max(below[j], own[j + 1])
            if good_asked[i] == bad_asked[j]:
                best = max(best, below[j + 1] + (_EQUAL if good[i] == bad[j] else _ALIKE))
            own[j] = best
    pairs: list[Pair] = []
    i = j = 0
    while i < rows and j < columns:
        same = good_asked[i] == bad_asked[j]
        pair = _EQUAL if good[i] == bad[j] else _ALIKE
        if same and worth[i][j] == worth[i + 1][j + 1] + pair:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif worth[i][j] == worth[i + 1][j]:
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, j))
            j += 1
    pairs += [(place, None) for place in range(i, rows)]
    pairs += [(None, place) for place in range(j, columns)]
    return pairs
