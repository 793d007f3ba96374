"""What looks like a failure and is normal: the push or pull is ok, and no attempt is made up."""

from __future__ import annotations

import pytest
from retelling import operations_of

from normal_traffic import DONE, PING, STORIES, UPLOAD
from regtrace.follow.life import Ending, Fate


@pytest.mark.parametrize("name", STORIES)
def test_nothing_failed(name: str) -> None:
    operations = operations_of(STORIES[name])
    told = [op for op in operations if op.repository or op.kind.value == "login"]
    assert [op.ending for op in told] == [Ending.OK]
    transfers = told[0].transfers
    assert not [t for t in transfers if t.fate is Fate.FAILED]
    if not name.startswith("J23"):  # the client's own retry, counted and no more
        assert {t.attempts for t in transfers} <= {1}
    # What stands beside it did not fail either.
    assert not [op for op in operations if op.ending is Ending.FAILED]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_once_refused_then_done(status: int) -> None:
    """J23: the client's own retry, counted and no more."""
    operation = operations_of(
        "client crane/0.19.1\n"
        + PING
        + f"POST uploads -> 202\nPATCH u1 L1 -> {status}\n+1s "
        + UPLOAD.replace("u1", "u2")
        + DONE
    )[0]
    assert operation.ending is Ending.OK
    assert [t.attempts for t in operation.transfers if t.size == 1_000_000] == [2]


def test_a_diagnostic_read_after_a_refused_probe_adds_no_attempt() -> None:
    """J27: containerd asks with GET for what HEAD could not say."""
    operation = operations_of(
        "client containerd/2.3.4\ntoken pull team/app -> 200\n"
        "HEAD manifest 1 -> 403\nGET manifest 1 -> 403\n"
    )[0]
    assert operation.ending is Ending.FAILED
    assert [t.attempts for t in operation.transfers] == [1]
