"""Feeding and retiring: bounded memory, live legs that are still on their way, what has ended."""

from __future__ import annotations

from dataclasses import replace

from retelling import legs_of, operations_of

from regtrace.follow.life import Ending
from regtrace.follow.tracker import LINGER, Tracker, has_ended
from regtrace.wire.decode import decode
from regtrace.wire.leg import Leg

PUSH = """
    client docker/24.0.7
    GET /v2/ -> 401
    token push,pull team/app -> 200
    HEAD blob L1 -> 200
    PUT manifest 1 [cfg L1] -> 201
"""


def pushes(count: int) -> list[Leg]:
    """So many pushes, one each ten minutes."""
    text = "\n".join(PUSH + "+600s" for _ in range(count))
    return legs_of(text)


def test_what_is_over_leaves_and_memory_stays_flat() -> None:
    tracker = Tracker()
    told = 0
    held = 0
    for leg in pushes(300):
        tracker.feed(leg)
        if tracker.crowded:
            told += len(tracker.retire())
            held = max(held, sum(len(op.legs) for op in tracker.operations()))
    assert held <= 4
    assert told + len(tracker.finish()) == 300
    assert tracker.cut == 0


def test_too_many_legs_at_once_are_cut_and_counted() -> None:
    begun = PUSH.rpartition("PUT manifest")[0]
    tracker = Tracker(most_legs=40)
    for leg in legs_of("\n".join(f"client C{n} = docker/24.0.7\n{begun}" for n in range(20))):
        tracker.feed(leg)
    (going_on,) = {len(operation.legs) for operation in tracker.operations()}
    leaving = tracker.retire()
    assert len(leaving) == 20 - 40 // going_on
    assert tracker.cut == len(leaving) * going_on
    assert len(tracker.finish()) == 40 // going_on


def test_what_has_ended_leaves_first_and_is_not_cut() -> None:
    tracker = Tracker(most_legs=40)
    begun = "GET /v2/ -> 401\ntoken push,pull team/other -> 200"
    for leg in legs_of("\n".join([begun, *[PUSH] * 20])):
        tracker.feed(leg)
    leaving = tracker.retire()
    assert len(leaving) >= 10
    assert tracker.cut == 0
    (still_going_on, *_) = tracker.finish()
    assert still_going_on.ending is Ending.INCOMPLETE


def test_an_upload_on_its_way_does_not_leave() -> None:
    tracker = Tracker()
    legs = legs_of("client docker/24.0.7\nPOST uploads -> 202\nPATCH u1 5MB -> ?")
    for leg in legs:
        tracker.feed(leg)
    later = legs[-1].started + LINGER + 60
    assert tracker.retire(later) == ()
    assert not has_ended(tracker.operations()[0], later)


def test_a_leg_fed_again_replaces_what_was_known() -> None:
    tracker = Tracker()
    for leg in legs_of(PUSH):
        begun = replace(leg.exchange, response=None)
        tracker.feed(decode(begun))
        tracker.feed(leg)
    assert tracker.finish() == operations_of(PUSH)


def test_a_push_has_ended_when_its_manifest_is_written() -> None:
    operation = operations_of(PUSH)[0]
    assert has_ended(operation, operation.last_seen)


def test_a_push_that_found_its_manifest_may_still_write_it() -> None:
    operation = operations_of(
        "client crane/0.19.1\ntoken push,pull team/app -> 200\nHEAD manifest 1 [cfg L1] -> 200"
    )[0]
    assert operation.ending is Ending.OK
    assert not has_ended(operation, operation.last_seen)
    assert has_ended(operation, operation.last_seen + 10)


def test_a_failed_push_ends_after_the_clients_own_patience() -> None:
    operation = operations_of(
        "client docker/24.0.7\nPOST uploads -> 202\nPATCH u1 5MB -> 502 nginx"
    )[0]
    assert not has_ended(operation, operation.last_seen + 20)
    assert has_ended(operation, operation.last_seen + 26)


def test_a_throttled_client_waits_longer() -> None:
    operation = operations_of(
        "client skopeo/1.14.2\ntoken push,pull team/app -> 200\nHEAD blob L1 -> 429"
    )[0]
    assert not has_ended(operation, operation.last_seen + 20)
    assert has_ended(operation, operation.last_seen + 70)


def test_hundreds_of_pushes_that_nothing_tells_apart_lose_no_leg() -> None:
    """One gateway, one repository, no tokens: only so many are held open, and none is dropped."""
    legs = legs_of(
        "registry https://ecr.test basic\nclient docker/24.0.7\n"
        + "".join(f"& GET /v2/ -> 401\n& POST uploads -> 202 s{n}\n" for n in range(300))
    )
    tracker = Tracker()
    for leg in legs:
        tracker.feed(leg)
    told = [leg.id for operation in tracker.finish() for leg in operation.legs]
    assert sorted(told) == sorted(leg.id for leg in legs)
