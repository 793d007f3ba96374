"""Digests are right whatever comes beside, and neither memory nor the loop pays for them."""

from __future__ import annotations

import hashlib
import threading
from itertools import cycle, islice

import pytest

from regtrace.proxy import hashing
from regtrace.proxy.hashing import Hashing

CHUNK = bytes(range(256)) * 256  # 64 KiB


def chunks(seed: int, count: int) -> list[bytes]:
    """Of many lengths, the longest of which is more than a batch."""
    lengths = cycle((1, 16_384, 65_535, 3, 100_000, 1_500_000))
    return [bytes([(seed + n) % 256]) * length for n, length in enumerate(islice(lengths, count))]


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_bodies_that_pass_at_once(algorithm: str) -> None:
    bodies = [chunks(seed, 10 * seed) for seed in range(6)]
    digests = [Hashing(algorithm) for _ in bodies]
    for turn in range(max(map(len, bodies))):
        for body, taken in zip(bodies, digests, strict=True):
            if turn < len(body):
                taken.take(body[turn])
    assert [taken.digest() for taken in digests] == [
        f"{algorithm}:{hashlib.new(algorithm, b''.join(body)).hexdigest()}" for body in bodies
    ]


def test_what_waits_is_bounded() -> None:
    """When the thread stands still, so does who hands over, instead of filling the memory."""
    stands, goes_on, taken = threading.Event(), threading.Event(), 0

    def stand() -> None:
        stands.set()
        goes_on.wait(10)

    def sends() -> None:
        nonlocal taken
        body = Hashing("sha256")
        for _ in range(1_000):
            body.take(CHUNK)
            taken += len(CHUNK)

    standing = hashing._thread.submit(stand)
    hashing._waiting.append(standing)
    stands.wait(10)
    sender = threading.Thread(target=sends)
    sender.start()
    sender.join(0.5)
    assert sender.is_alive()
    assert taken <= (hashing._MOST + 1) * hashing._BATCH
    goes_on.set()
    sender.join(10)
    assert taken == 1_000 * len(CHUNK)


def test_many_bodies_share_what_is_collected() -> None:
    bodies = [Hashing("sha256") for _ in range(1_000)]
    for _ in range(4):
        for body in bodies:
            body.take(CHUNK)
    assert sum(body._size for body in bodies) == 0
    for body in bodies[:3]:
        assert body.digest() == f"sha256:{hashlib.sha256(CHUNK * 4).hexdigest()}"


def test_a_batch_that_is_lost_is_no_gap_in_the_sum() -> None:
    class Broken:
        def update(self, batch: memoryview) -> None:
            raise MemoryError

    body = Hashing("sha256")
    whole, body._hash = body._hash, Broken()  # type: ignore[assignment]
    for _ in range(20):
        body.take(CHUNK)
    assert body._handed_over is not None
    assert isinstance(body._handed_over.exception(10), MemoryError)
    body._hash = whole
    for _ in range(20):
        body.take(CHUNK)
    with pytest.raises(MemoryError):
        body.digest()
