"""Digests of bodies that pass, taken on one thread beside the event loop.

hashlib lets go of the interpreter while it hashes, so the traffic goes on meanwhile. What waits for
the thread is bounded for all bodies together, and so is the time for which the loop must wait: a
few milliseconds at most, when the bound is reached and at a body's end. That end can't be awaited:
while a hook is, the other side may leave, and mitmproxy then fails on the connection that is gone
(proxy/layers/http/_http1.py: send).
"""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from weakref import WeakSet

#: Bytes of one body that are handed over at once. Each time that the thread needs the interpreter
#: again, it takes it from the traffic: with 256 KiB, hashing on the loop is as fast.
_BATCH = 1024 * 1024
#: Bytes of all bodies that wait for more, to make a batch.
_COLLECTED = 16 * _BATCH
#: Batches that wait for the thread at most.
_MOST = 4

# One thread keeps the order of the batches. It outlives a script that is loaded anew.
_thread = ThreadPoolExecutor(1, "regtrace-hashing")
_waiting: deque[Future[None]] = deque()
_spare: deque[bytearray] = deque(maxlen=_MOST)
"""Batches to be filled again: new memory would cost as much as hashing what is put there."""
_bodies: WeakSet[Hashing] = WeakSet()


class Hashing:
    """The digest of one body, of which the chunks come one after the other."""

    def __init__(self, algorithm: str) -> None:
        """``algorithm``: ``sha256``, ``sha512``."""
        self._algorithm = algorithm
        self._hash = hashlib.new(algorithm)
        self._batch, self._size = bytearray(), 0
        self._handed_over: Future[None] | None = None

    def take(self, chunk: bytes) -> None:
        _bodies.add(self)
        end = self._size + len(chunk)
        self._batch[self._size : end] = chunk
        self._size = end
        if end >= min(_BATCH, _COLLECTED // len(_bodies)):
            while _waiting and (_waiting[0].done() or len(_waiting) >= _MOST):
                wait((_waiting.popleft(),))
            self._handed_over = _thread.submit(
                self._update_aside, self._batch, end, self._handed_over
            )
            _waiting.append(self._handed_over)
            self._batch, self._size = _spare.pop() if _spare else bytearray(_BATCH), 0

    def digest(self) -> str:
        """Of all chunks; there must be no more. Raises what went wrong on the thread."""
        self._update(self._batch, self._size, self._handed_over)
        return f"{self._algorithm}:{self._hash.hexdigest()}"

    def _update_aside(self, batch: bytearray, size: int, before: Future[None] | None) -> None:
        self._update(batch, size, before)
        _spare.append(batch)

    def _update(self, batch: bytearray, size: int, before: Future[None] | None) -> None:
        if before:
            before.result()  # what broke there must not leave a gap in the sum
        with memoryview(batch) as view:
            self._hash.update(view[:size])
