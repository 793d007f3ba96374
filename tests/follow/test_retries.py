"""Attempts: what is a client's own retry, and which failed session it repeats."""

from __future__ import annotations

import pytest
from retelling import check, operations_of

from regtrace.wire.leg import Kind

DOCKER = """
    client docker/20.10.24
    GET /v2/ -> 401
    token push,pull team/app -> 200
"""


def test_docker_gives_up_after_five() -> None:
    tries = "".join(
        f"+{wait}s POST uploads -> 202\nPATCH u{n} 5MB -> 502 nginx sent=1MB\n"
        for n, wait in enumerate((0.1, 5, 10, 15, 20), 1)
    )
    check(
        DOCKER + tries,
        """
        push team/app: failed
          unknown failed in 5 attempts
        """,
    )


def test_docker_succeeds_at_the_third() -> None:
    check(
        DOCKER
        + """
        POST uploads -> 202
        PATCH u1 5MB -> ! server closed connection
        +5s POST uploads -> 202
        PATCH u2 5MB -> 500
        +10s POST uploads -> 202
        PATCH u3 5MB -> 202
        PUT u3 L1 -> 201
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded in 3 attempts
          manifest 1 uploaded
        """,
    )


def test_two_layers_fail_together_and_are_paired_in_order() -> None:
    check(
        DOCKER
        + """
        POST uploads -> 202
        & POST uploads -> 202
        PATCH u1 5MB took=1s -> 502
        & PATCH u2 5MB took=1.5s -> 502
        +4.5s POST uploads -> 202
        +0.4s POST uploads -> 202
        PATCH u3 5MB -> 202
        & PATCH u4 5MB -> 202
        PUT u3 L1 -> 201
        & PUT u4 L2 -> 201
        HEAD blob L1 -> 200
        & HEAD blob L2 -> 200
        PUT manifest 1 [cfg L1 L2] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded in 2 attempts
          L2 uploaded in 2 attempts
          manifest 1 uploaded
        """,
    )


def test_a_layer_that_begins_while_another_waits_is_no_retry() -> None:
    """docker waits five seconds first, so a session before that is another layer's."""
    check(
        DOCKER
        + """
        POST uploads -> 202
        PATCH u1 5MB -> 502
        +1s POST uploads -> 202
        PATCH u2 5MB -> 202
        PUT u2 L2 -> 201
        HEAD blob L2 -> 200
        +4s POST uploads -> 202
        PATCH u3 5MB -> 202
        PUT u3 L1 -> 201
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1 L2] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded in 2 attempts
          L2 uploaded
          manifest 1 uploaded
        """,
    )


def test_the_bytes_tell_which_layer_failed() -> None:
    check(
        DOCKER
        + """
        POST uploads -> 202
        PATCH u1 L1 -> 202
        PUT u1 L1 -> 500
        +5s POST uploads -> 202
        PATCH u2 L1 -> 500
        +10s POST uploads -> 202
        PATCH u3 L1 -> 202
        PUT u3 L1 -> 201
        HEAD blob L1 -> 200
        """,
        """
        push team/app: incomplete
          L1 uploaded in 3 attempts
        """,
    )


def test_docker_uploads_again_when_it_cannot_read_back() -> None:
    check(
        DOCKER
        + """
        POST uploads -> 202
        PATCH u1 5MB -> 202
        PUT u1 L1 -> 201
        HEAD blob L1 -> 307 s3
        HEAD s3 L1 -> 503
        +5s POST uploads -> 202
        PATCH u2 5MB -> ! server closed connection
        """,
        """
        push team/app: failed
          L1 failed in 2 attempts
        """,
    )


def test_containerd_sends_the_body_again_to_the_same_session() -> None:
    check(
        """
        client containerd/2.1.0
        token push,pull team/app -> 200
        HEAD blob L1 -> 404
        POST uploads -> 202
        PUT u1 L1 body=L1 -> 503
        PUT u1 L1 body=L1 -> 201
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded in 2 attempts
          manifest 1 uploaded
        """,
    )


def test_crane_tries_three_times_from_the_head_on() -> None:
    once = "HEAD blob L1 -> 404\nPOST uploads -> 202\nPATCH {} L1 -> 503\n"
    check(
        "client crane/0.19.1\nGET /v2/ -> 401\ntoken push,pull team/app -> 200\n"
        + once.format("u1")
        + "+1s "
        + once.format("u2")
        + "+3s "
        + once.format("u3"),
        """
        push team/app: failed
          L1 failed in 3 attempts
        """,
    )


def test_a_whole_copy_begins_again() -> None:
    """podman push --retry: a new ping, a new token, and the blobs that are there by now."""
    check(
        """
        client podman/5.29.2
        GET /v2/ -> 401
        token pull,push team/app -> 200
        HEAD blob L1 -> 404
        POST uploads -> 202
        PATCH u1 L1 -> 202
        PUT u1 L1 -> 201
        HEAD blob L2 -> 404
        POST uploads -> 202
        PATCH u2 L2 -> 502 nginx
        +1s GET /v2/ -> 401
        token pull,push team/app -> 200
        HEAD blob L1 -> 200
        HEAD blob L2 -> 404
        POST uploads -> 202
        PATCH u3 L2 -> 202
        PUT u3 L2 -> 201
        PUT manifest 1 [cfg L1 L2] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          L2 uploaded in 2 attempts
          manifest 1 uploaded
        """,
    )


def test_a_push_again_by_hand_is_another_push() -> None:
    again = DOCKER.partition("docker/20.10.24")[2]
    failed = "POST uploads -> 202\nPATCH {} 5MB -> 403\n"
    check(
        DOCKER + failed.format("u1") + again + failed.format("u2"),
        """
        push team/app: failed
          unknown failed
        push team/app: failed
          unknown failed
        """,
    )


def test_what_is_asked_again_in_vain_is_a_retry_and_nothing_else_is() -> None:
    operation = operations_of(
        DOCKER
        + """
        HEAD blob L1 -> 404
        POST uploads -> 401 insufficient_scope
        token push,pull team/app -> 200
        POST uploads -> 202
        PATCH u1 L1 -> 500
        +5s HEAD blob L1 -> 404
        POST uploads -> 202
        PATCH u2 L1 -> 202
        PUT u2 L1 -> 201
        HEAD blob L1 -> 200
        """
    )[0]
    chunks = [leg.id for leg in operation.legs_of_kind(Kind.UPLOAD_CHUNK)]
    assert operation.retry_of == {chunks[1]: chunks[0]}


@pytest.mark.parametrize("refused", ["GET /v2/ -> 502 nginx", "CONNECT registry.test:443 -> ! x"])
@pytest.mark.parametrize("seconds", [2, 30])
def test_an_attempt_that_reached_nobody_hides_behind_no_other_operation(
    refused: str, seconds: int
) -> None:
    """Before it, only at once is it an earlier try of the same; after a push, never."""
    push = """
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        PUT manifest 1 [L1] -> 201
        """
    before = operations_of(f"client podman/5.29\n{refused}\n+{seconds}s\n{push}")
    after = operations_of(f"client podman/5.29\n{push}\n+{seconds}s {refused}")
    assert [op.ending.value for op in before] == (["ok"] if seconds == 2 else ["failed", "ok"])
    assert [op.ending.value for op in after] == ["ok", "failed"]


def test_a_tunnel_that_is_refused_while_a_layer_is_sent_belongs_to_that_push() -> None:
    (told,) = operations_of(
        DOCKER
        + """
        POST uploads -> 202
        PATCH u1 900MB took=120s -> ?
        +60s & CONNECT registry.test:443 -> ! [Errno 111] Connect call failed
        """
    )
    assert told.ending.value == "incomplete"
