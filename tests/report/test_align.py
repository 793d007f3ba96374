"""Legs are paired with their like, whatever came between, in time that grows with their number."""

from __future__ import annotations

import random
import time
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from sample_reports import blob, good_push

from regtrace.report.compare.align import align, pair_transfers
from regtrace.report.model import Transfer

Entry = tuple[str, int]


def aligned(good: list[Entry], bad: list[Entry]) -> list[tuple[int | None, int | None]]:
    return align(good, bad, lambda entry: entry[0])


HEAD, POST, PATCH, PUT = ("HEAD", 404), ("POST", 202), ("PATCH", 202), ("PUT", 201)


def test_the_same_is_paired_one_to_one() -> None:
    assert aligned([HEAD, POST], [HEAD, POST]) == [(0, 0), (1, 1)]


def test_another_answer_is_a_pair_and_what_never_came_is_alone() -> None:
    got = aligned([POST, PATCH, PUT], [POST, ("PATCH", 500)])
    assert got == [(0, 0), (1, 1), (2, None)]


def test_a_retry_is_additional_and_the_good_answer_keeps_its_like() -> None:
    got = aligned([POST, PATCH, PUT], [POST, ("PATCH", 500), PATCH, PUT])
    assert got == [(0, 0), (None, 1), (1, 2), (2, 3)]


def test_a_challenge_before_is_additional() -> None:
    assert aligned([HEAD], [("HEAD", 401), HEAD]) == [(None, 0), (0, 1)]


def test_what_asks_something_else_is_no_pair() -> None:
    assert {*aligned([HEAD], [POST])} == {(0, None), (None, 0)}


entries = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([200, 404])), max_size=40)


@given(entries, entries)
def test_every_leg_stands_once_and_in_order(good: list[Entry], bad: list[Entry]) -> None:
    pairs = aligned(good, bad)
    assert [one for one, _ in pairs if one is not None] == list(range(len(good)))
    assert [other for _, other in pairs if other is not None] == list(range(len(bad)))
    assert all(
        good[one][0] == bad[other][0]
        for one, other in pairs
        if one is not None and other is not None
    )


def test_beyond_a_window_what_was_put_in_is_still_found() -> None:
    """One leg more in the middle of thousands, and another at the end: all others keep their like,
    though no two neighbours of the alphabet are equal."""
    good = [("PATCH", number % 7) for number in range(3_000)]
    bad = [*good[:1_000], ("PATCH", 500), *good[1_000:2_900], ("PUT", 1), *good[2_900:]]
    pairs = aligned(good, bad)
    alone = [other for one, other in pairs if one is None]
    assert alone == [1_000, 2_901]
    assert len(pairs) == len(bad)


def test_hostile_sizes_take_time_that_grows_with_their_number() -> None:
    dice = random.Random(1)
    took = []
    for count in (2_000, 16_000):
        good, bad = (
            [(dice.choice("abcdef"), dice.randrange(9)) for _ in range(count)] for _ in range(2)
        )
        begun = time.process_time()
        aligned(good, bad)
        took.append(time.process_time() - begun)
    assert took[1] < 24 * took[0]  # eight times as many; their square would be 64


def pairs_of(good: list[Transfer], bad: list[Transfer]) -> list[tuple[str, str]]:
    (operation,) = good_push().operations
    both = (replace(operation, transfers=tuple(some)) for some in (good, bad))
    return [
        (one.id if one else "", other.id if other else "") for one, other in pair_transfers(*both)
    ]


def test_blobs_are_paired_by_digest_then_size_then_order() -> None:
    a, b, c = (f"sha256:{letter * 64}" for letter in "abc")
    good = [blob(1, (), digest=a), blob(2, (), digest=b, size=7), blob(3, (), digest=None, size=1)]
    bad = [
        blob(11, (), digest=c, size=2),
        blob(12, (), digest=None, size=7),
        blob(13, (), digest=a),
        blob(14, (), digest=None, size=None),
    ]
    assert pairs_of(good, bad) == [("t1", "t13"), ("t2", "t12"), ("t3", "t11"), ("", "t14")]


def test_a_manifest_is_no_blob() -> None:
    manifest = replace(blob(9, ()), kind="manifest")
    assert pairs_of([blob(1, ())], [manifest]) == [("t1", ""), ("", "t9")]
