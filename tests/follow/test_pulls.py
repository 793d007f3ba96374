"""A pull by each client, whole, resumed, from a mirror, and with layers that are there already."""

from __future__ import annotations

import pytest
from retelling import check, operations_of

from regtrace.follow.life import Ending


def test_docker() -> None:
    check(
        """
        client docker/24.0.7
        image M1 = cfg L1 L2 docker
        GET /v2/ -> 401
        token pull team/app -> 200
        HEAD manifest 1 M1 -> 200
        GET manifest @M1 -> 200
        GET blob cfg -> 200
        & GET blob L1 -> 307 s3
        & GET blob L2 -> 307 s3
        GET s3 L1 -> 200
        & GET s3 L2 -> 200
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
          cfg downloaded
          L1 downloaded
          L2 downloaded
        """,
    )


def test_docker_has_every_layer_already() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 200
        """,
        """
        pull team/app 1: ok
          manifest 1 existed
        """,
    )


def test_containerd_index() -> None:
    check(
        """
        client containerd/1.7.20
        image M1 = cfg L1
        index I1 = M1
        HEAD manifest 1 I1 -> 401
        token pull team/app -> 200
        HEAD manifest 1 I1 -> 200
        GET manifest @I1 -> 200
        GET manifest @M1 -> 200
        GET blob cfg -> 200
        & GET blob L1 c=2 -> 200
        GET referrers I1 -> 404
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
          manifest M1 downloaded
          cfg downloaded
          L1 downloaded
        """,
    )


def test_podman_asks_for_signatures_first() -> None:
    check(
        """
        client podman/5.29.2
        GET /v2/ -> 401
        token pull team/app -> 200
        GET manifest 1 [cfg L1] -> 200
        GET /v2/team/app/manifests/sha256-%s.sig -> 404
        GET blob L1 -> 200
        & GET blob cfg c=2 -> 200
        """.replace("%s", "ab" * 32),
        """
        pull team/app 1: ok
          manifest 1 downloaded
          L1 downloaded
          cfg downloaded
        """,
    )


def test_docker_resumes_a_layer() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 200
        GET blob cfg -> 200
        GET blob L1 -> 200 ! server closed connection
        +5s GET blob L1 range=300000- -> 206
        """,
        """
        pull team/app 1: ok
          manifest 1 existed
          cfg downloaded
          L1 downloaded in 2 attempts
        """,
    )


def test_parts_of_a_layer_in_parallel() -> None:
    check(
        """
        client containerd/2.1.0
        token pull team/app -> 200
        GET manifest 1 [cfg L1] -> 200
        GET blob L1 range=0-499999 -> 206
        & GET blob L1 range=500000-999999 c=2 -> 206
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
          L1 downloaded
        """,
    )


def test_a_layer_that_could_not_be_read() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token pull team/app -> 200
        GET manifest 1 [cfg L1] -> 200
        GET blob cfg -> 200
        & GET blob L1 -> 307 s3
        GET s3 L1 -> 403
        """,
        """
        pull team/app 1: failed
          manifest 1 downloaded
          cfg downloaded
          L1 failed
        """,
    )


def test_an_image_that_is_not_there() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token pull team/app -> 200
        HEAD manifest 9 -> 404
        GET manifest 9 -> 404
        """,
        """
        pull team/app 9: failed
          manifest 9 failed
        """,
    )


def test_the_storage_is_not_asked_through_this_proxy() -> None:
    check(
        """
        client containerd/1.7.20
        token pull team/app -> 200
        GET manifest 1 [cfg L1] -> 200
        GET blob cfg -> 200
        GET blob L1 -> 307 s3
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
          cfg downloaded
          L1 incomplete
        """,
    )


def test_a_login_that_takes_long_past_this_proxy_is_no_new_pull() -> None:
    check(
        """
        client containerd/1.7.20
        HEAD manifest 1 c=? -> 401
        +8s HEAD manifest 1 [cfg L1] c=? -> 200
        GET manifest 1 [cfg L1] c=? -> 200
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
        """,
    )


def test_containerd_mirror_does_not_have_it() -> None:
    check(
        """
        client containerd/1.7.20
        registry https://mirror.test open
        HEAD https://mirror.test/v2/team/app/manifests/1?ns=registry.test -> 404
        registry https://registry.test
        HEAD manifest 1 [cfg L1] -> 401
        token pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 200
        GET manifest 1 [cfg L1] -> 200
        GET blob L1 -> 200
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
          L1 downloaded
        """,
    )


def test_docker_mirror_does_not_have_it() -> None:
    check(
        """
        client docker/24.0.7
        registry https://mirror.test open
        GET /v2/ -> 200
        HEAD manifest 1 -> 404
        GET manifest 1 -> 404
        registry https://registry.test
        GET /v2/ -> 401
        token pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 200
        GET blob cfg -> 200
        GET blob L1 -> 200
        """,
        """
        pull team/app 1: ok
          manifest 1 existed
          cfg downloaded
          L1 downloaded
        """,
    )


def test_docker_mirror_has_lost_a_layer() -> None:
    check(
        """
        client docker/24.0.7
        registry https://mirror.test open
        GET /v2/ -> 200
        HEAD manifest 1 [cfg L1] -> 200
        GET blob cfg -> 200
        GET blob L1 -> 404
        registry https://registry.test
        GET /v2/ -> 401
        token pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 200
        GET blob L1 -> 200
        """,
        """
        pull team/app 1: ok
          manifest 1 existed
          cfg downloaded
          L1 downloaded in 2 attempts
        """,
    )


@pytest.mark.parametrize(
    ("client", "mirror", "operations"),
    [
        ("containerd/2.1.0", "CONNECT mirror.test:443 -> ! Name or service not known", 1),
        ("podman/5.29", "GET https://mirror.test/v2/ -> 502 nginx", 1),
        # It did answer, or has no mirrors, or is another attempt.
        ("podman/5.29", "GET https://mirror.test/v2/ -> 401", 2),
        ("crane/0.20", "CONNECT mirror.test:443 -> ! Name or service not known", 2),
        ("podman/5.29", "GET https://mirror.test/v2/ -> 502 nginx\n+2s", 2),
    ],
)
def test_a_mirror_that_can_not_be_asked(client: str, mirror: str, operations: int) -> None:
    told = operations_of(
        f"""
        client {client}
        {mirror}
        GET manifest 1 [cfg L1] -> 200
        GET blob L1 -> 200
        """
    )
    assert len(told) == operations
    assert told[-1].ending is Ending.OK


def test_two_pulls_in_a_row() -> None:
    check(
        """
        client containerd/1.7.20
        HEAD manifest 1 [cfg L1] -> 401
        token pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 200
        GET manifest 1 [cfg L1] -> 200
        GET blob L1 -> 200
        HEAD manifest 2 [cfg L2] -> 200
        GET manifest 2 [cfg L2] -> 200
        GET blob L2 -> 200
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
          L1 downloaded
        pull team/app 2: ok
          manifest 2 downloaded
          L2 downloaded
        """,
    )


def test_pull_then_push_by_one_client() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token pull base/app -> 200
        GET manifest 1 [cfg L1] in=base/app -> 200
        GET blob L1 in=base/app -> 200
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        pull base/app 1: ok
          manifest 1 downloaded
          L1 downloaded
        push team/app 1: ok
          L1 existed
          manifest 1 uploaded
        """,
    )


def test_a_challenge_that_the_capture_ends_with_is_no_refusal() -> None:
    """ctr logs in for its HEAD and again for its GET; a capture may be cut in between."""
    check(
        """
        client containerd/1.6.20
        HEAD manifest 1 -> 401
        token pull team/app -> 200
        HEAD manifest 1 -> 200
        GET manifest 1 no-auth -> 401
        """,
        """
        pull team/app 1: incomplete
          manifest 1 existed
        """,
    )


def test_a_redirect_that_is_followed_late() -> None:
    """A signed URL is good until it ends; who kept it is still at the same pull."""
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token pull team/app -> 200
        GET manifest 1 -> 200
        GET blob L1 -> 307 s3
        +1800s GET s3 L1 -> 403
        """,
        """
        pull team/app 1: failed
          manifest 1 downloaded
          L1 failed
        """,
    )


SIGNED = (
    "https://layers.s3.eu-west-1.amazonaws.com/opaque?X-Amz-Credential=AKIAMADEUP%2F20260115"
    "%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20260115T120000Z&X-Amz-Expires=1200"
    "&X-Amz-Signature=00ff"
)


def test_a_signed_url_is_asked_again_without_a_redirect() -> None:
    """Go's transports repeat the hop alone; ECR's paths say nothing of the blob."""
    check(
        f"""
        client crane/0.19.1
        GET /v2/ -> 401
        token pull team/app -> 200
        GET manifest 1 [cfg L1] -> 200
        GET blob L1 -> 307 {SIGNED}
        GET {SIGNED} -> 503
        +1s GET {SIGNED} -> 200
        GET blob cfg -> 200
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
          L1 downloaded in 2 attempts
          cfg downloaded
        """,
    )


def test_a_pull_that_was_broken_off() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 200
        GET blob cfg -> 200
        GET blob L1 -> 200 ! client disconnected
        """,
        """
        pull team/app 1: incomplete
          manifest 1 existed
          cfg downloaded
          L1 incomplete
        """,
    )


def test_a_part_that_its_client_leaves_is_no_harm() -> None:
    """Lazy pulls read ahead, and close what they do not need."""
    check(
        """
        client containerd/1.7.20
        token pull team/app -> 200
        GET manifest 1 [cfg L1] -> 200
        GET blob cfg -> 200
        GET blob L1 range=0-99 -> 206
        GET blob L1 range=100-999 -> 206 ! client disconnected
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
          cfg downloaded
          L1 downloaded
        """,
    )


def test_each_try_of_the_kubelet_is_a_pull_of_its_own() -> None:
    """It waits longer each time; containerd gives up at the first 404."""
    absent = "HEAD manifest 1 -> 401\ntoken pull team/app -> 200\nHEAD manifest 1 -> 404\n"
    check(
        f"client containerd/1.7.20\n{absent}+10s {absent}+20s "
        "HEAD manifest 1 [cfg L1] -> 200\nGET manifest 1 [cfg L1] -> 200\nGET blob L1 -> 200",
        """
        pull team/app 1: failed
          manifest 1 failed
        pull team/app 1: failed
          manifest 1 failed
        pull team/app 1: ok
          manifest 1 downloaded
          L1 downloaded
        """,
    )


@pytest.mark.parametrize(
    ("client", "leg", "told"),
    [
        ("docker/24.0.7", "GET s3 L1 -> 403", "pull: failed\n  L1 failed"),
        # It may be docker's that reads back what it pushed, or one that only asks.
        ("docker/24.0.7", "HEAD s3 L1 -> 403", "other: incomplete\n  L1 failed"),
        ("curl/8.5.0", "GET s3 L1 -> 403", "other: incomplete\n  L1 failed"),
        ("git-lfs/3.4.0", f"GET {SIGNED} -> 403", "other: ok"),
    ],
)
def test_a_storage_that_is_asked_past_its_registry(client: str, leg: str, told: str) -> None:
    check(f"client {client}\n{leg}", told)


def test_the_registry_by_its_image_name_on_a_mirror() -> None:
    """containerd asks its mirrors for docker.io, and registry-1.docker.io itself."""
    check(
        """
        client containerd/1.7.20
        repository library/app
        registry https://mirror.test open
        HEAD https://mirror.test/v2/library/app/manifests/1?ns=docker.io -> 404
        registry https://registry-1.docker.io
        HEAD manifest 1 [cfg L1] -> 401
        token pull library/app -> 200
        HEAD manifest 1 [cfg L1] -> 200
        GET manifest 1 [cfg L1] -> 200
        GET blob L1 -> 200
        """,
        """
        pull library/app 1: ok
          manifest 1 downloaded
          L1 downloaded
        """,
    )


@pytest.mark.parametrize("client", ["containerd/1.7.20", "podman/5.29.2"])
def test_a_proxy_cache_has_another_name_for_the_image(client: str) -> None:
    ping = "GET /v2/ -> 401" if client.startswith("podman") else ""
    named = "" if ping else "?ns=docker.io"
    check(
        f"""
        client {client}
        registry https://cache.test open
        {ping.replace("401", "200")}
        GET https://cache.test/v2/hub/library/app/manifests/1{named} -> 404
        registry https://registry-1.docker.io
        repository library/app
        {ping}
        token pull library/app -> 200
        GET manifest 1 [cfg L1] -> 200
        GET blob L1 -> 200
        """,
        """
        pull library/app 1: ok
          manifest 1 downloaded
          L1 downloaded
        """,
    )


def test_kaniko_finds_no_layer_in_its_cache() -> None:
    (told,) = operations_of(
        f"""
        client kaniko/1.23.0
        repository team/app/cache
        GET /v2/ -> 401
        token pull team/app/cache -> 200
        GET manifest {"0a" * 32} -> 404
        """
    )
    assert told.ending is Ending.INCOMPLETE


def test_docker_manifest_inspect_asks_for_more_than_it_needs() -> None:
    check(
        """
        client "Docker-Client/20.10.24 (linux)"
        GET /v2/ -> 401
        token push,pull team/app -> 200
        GET manifest 2 -> 404 MANIFEST_UNKNOWN
        """,
        """
        pull team/app 2: failed
          manifest 2 failed
        """,
    )
