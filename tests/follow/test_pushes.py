"""A push by each client, as it really goes over the wire (its order of requests and its habits)."""

from __future__ import annotations

import pytest
from retelling import check, operations_of

PUSHED = """
    push team/app 1: ok
      L1 uploaded
      L2 uploaded
      cfg uploaded
      manifest 1 uploaded
"""


def test_docker_fresh() -> None:
    check(
        """
        client docker/20.10.24
        GET /v2/ -> 401
        token push,pull team/app -> 200
        POST uploads -> 202
        & POST uploads -> 202
        PATCH u1 5MB -> 202
        & PATCH u2 5MB -> 202
        PUT u1 L1 -> 201
        HEAD blob L1 -> 307 s3
        HEAD s3 L1 -> 200
        PUT u2 L2 -> 201
        HEAD blob L2 -> 200
        HEAD blob cfg -> 404
        POST uploads -> 202
        PATCH u3 cfg -> 202
        PUT u3 cfg -> 201
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1 L2] -> 201
        """,
        PUSHED,
    )


def test_docker_keeps_connections_since_29_4() -> None:
    check(
        """
        client docker/29.4.0
        GET /v2/ -> 401
        token push,pull team/app -> 200
        POST uploads -> 202
        & POST uploads c=2 -> 202
        PATCH u1 L1 -> 202
        & PATCH u2 L2 c=2 -> 202
        PUT u1 L1 -> 201
        & PUT u2 L2 c=2 -> 201
        HEAD blob L1 -> 200
        & HEAD blob L2 c=2 -> 200
        HEAD blob cfg -> 404
        POST uploads -> 202
        PATCH u3 cfg -> 202
        PUT u3 cfg -> 201
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1 L2] -> 201
        """,
        PUSHED,
    )


def test_docker_all_present() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        & HEAD blob L2 -> 200
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1 L2] -> 201
        """,
        """
        push team/app 1: ok
          L1 existed
          L2 existed
          cfg existed
          manifest 1 uploaded
        """,
    )


def test_docker_mount_granted() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 200
        token push,pull team/app pull base/app -> 200
        POST uploads mount=L1 from=base/app -> 201
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 mounted
          cfg existed
          manifest 1 uploaded
        """,
    )


def test_docker_mounts_declined_twice_and_one_session_cancelled() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app pull base/one pull base/two -> 200
        HEAD blob L1 -> 404
        POST uploads mount=L1 from=base/one -> 202
        POST uploads mount=L1 from=base/two -> 202
        DELETE u1 -> 401
        HEAD blob L1 -> 404
        PATCH u2 L1 -> 202
        PUT u2 L1 -> 201
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          cfg existed
          manifest 1 uploaded
        """,
    )


def test_docker_mount_refused_then_uploaded() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 200
        POST uploads mount=L1 from=secret/app -> 403
        POST uploads -> 202
        PATCH u1 L1 -> 202
        PUT u1 L1 -> 201
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          manifest 1 uploaded
        """,
    )


@pytest.mark.parametrize("client", ["docker/24.0.7", "-"])
def test_a_token_for_the_mount_names_one_repository(client: str) -> None:
    """docker fetches one for each mount, and a rule of somebody's rewrote what it asks for. It is
    the ping that opens a push: also of who does not say that he is docker."""
    check(
        f"""
        client {client}
        GET /v2/ -> 401
        token push,pull team/app -> 200
        token push,pull team/app -> 200
        POST uploads mount=L1 from=base/app -> 202
        PATCH u1 L1 -> 202
        PUT u1 L1 -> 201
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          manifest 1 uploaded
        """,
    )


def test_an_upload_goes_on_after_a_long_silence() -> None:
    check(
        """
        client skopeo/1.14.2
        GET /v2/ -> 401
        token pull,push team/app -> 200
        POST uploads -> 202
        +200s PATCH u1 L1 -> 202
        PUT u1 L1 -> 201
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          manifest 1 uploaded
        """,
    )


def test_docker_all_tags() -> None:
    """``docker push -a``: layers that this push has seen are not asked for again."""
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1] -> 201
        PUT manifest latest [cfg L1] -> 201
        HEAD blob cfgB -> 200
        PUT manifest 2 [cfgB L1] -> 201
        """,
        """
        push team/app latest: ok
          L1 existed
          cfg existed
          manifest 1 uploaded
          manifest latest uploaded
        push team/app 2: ok
          cfgB existed
          manifest 2 uploaded
        """,
    )


def test_docker_manifest_push_pings_before_each_request() -> None:
    opened = "GET /v2/ -> 401\ntoken pull,push team/app -> 200\n"
    check(
        f"""
        client "Docker-Client/24.0.7 (linux)"
        image M1 = cfg1 L1
        image M2 = cfg2 L2
        index I1 = M1 M2
        index I2 = M2
        {opened} PUT manifest @M1 -> 201
        {opened} PUT manifest @M2 -> 201
        {opened} PUT manifest 1 I1 -> 201
        {opened} PUT manifest @M2 -> 201
        {opened} PUT manifest 2 I2 -> 201
        """,
        """
        push team/app 1: ok
          manifest M1 uploaded
          manifest M2 uploaded
          manifest 1 uploaded
        push team/app 2: ok
          manifest M2 uploaded
          manifest 2 uploaded
        """,
    )


def test_docker_second_tag_is_refused() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1] -> 201
        PUT manifest latest [cfg L1] -> 403
        """,
        """
        push team/app 1: ok
          L1 existed
          manifest 1 uploaded
        push team/app latest: failed
          manifest latest failed
        """,
    )


def test_docker_with_containerd_store() -> None:
    check(
        """
        client docker-containerd/29.1.0
        HEAD blob L1 -> 401
        & HEAD blob L2 c=2 -> 401
        & HEAD blob cfg c=3 -> 401
        token POST push,pull team/app -> 405
        token push,pull team/app -> 200
        HEAD blob L1 -> 404
        & HEAD blob L2 c=2 -> 404
        & HEAD blob cfg c=3 -> 404
        POST uploads -> 202
        & POST uploads c=2 -> 202
        & POST uploads c=3 -> 202
        PUT u1 L1 body=L1 -> 201
        & PUT u2 L2 body=L2 c=2 -> 201
        & PUT u3 cfg body=cfg c=3 -> 201
        HEAD manifest 1 [cfg L1 L2] -> 404
        PUT manifest 1 [cfg L1 L2] -> 201
        """,
        PUSHED,
    )


def test_containerd_nothing_to_do() -> None:
    check(
        """
        client containerd/1.7.20
        HEAD blob L1 -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        HEAD manifest 1 [cfg L1] -> 200
        """,
        """
        push team/app 1: ok
          L1 existed
          cfg existed
          manifest 1 existed
        """,
    )


def test_containerd_fetches_another_token_for_a_mount() -> None:
    """No connection ties what came before the second token to what came after it."""
    check(
        """
        client containerd/1.7.20
        HEAD blob L1 c=? -> 401
        token pull,push team/app c=? -> 200
        HEAD blob L1 c=? -> 404
        token pull,push team/app pull base/app c=? -> 200
        POST uploads mount=L1 from=base/app c=? -> 201
        HEAD manifest 1 [cfg L1] c=? -> 404
        PUT manifest 1 [cfg L1] c=? -> 201
        """,
        """
        push team/app 1: ok
          L1 mounted
          manifest 1 uploaded
        """,
    )


@pytest.mark.parametrize("found", ["200", "404"])
def test_skopeo_looks_elsewhere_before_it_writes_anything(found: str) -> None:
    """By its cache of blob infos, for one to mount; without a login or a connection in common."""
    check(
        f"""
        client skopeo/1.9
        registry http://registry.test:5000 open
        GET /v2/ c=1 -> 200
        HEAD blob L1 c=2 -> 404
        HEAD blob L1 in=base/app c=3 -> {found}
        POST uploads {"mount=L1 from=base/app" if found == "200" else ""} c=4 -> 202
        PATCH u1 L1 c=5 -> 202
        PUT u1 L1 c=6 -> 201
        PUT manifest 1 [L1] c=7 -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          manifest 1 uploaded
        """,
    )


def test_skopeo_sync_asks_first_whether_the_image_is_there() -> None:
    check(
        """
        client skopeo/1.9
        registry http://registry.test:5000 open
        GET /v2/ -> 200
        GET manifest 1 -> 404
        +1s GET /v2/ c=2 -> 200
        HEAD blob L1 c=2 -> 404
        POST uploads c=2 -> 202
        PATCH u1 L1 c=2 -> 202
        PUT u1 L1 c=2 -> 201
        PUT manifest 1 [L1] c=2 -> 201
        """,
        """
        push team/app 1: ok
          manifest 1 uploaded
          L1 uploaded
        """,
    )


@pytest.mark.parametrize(
    ("asked", "pause", "written"), [("404", "20s", "1"), ("404", "1s", "2"), ("403", "1s", "1")]
)
def test_a_pull_in_vain_is_no_question_of_a_push(asked: str, pause: str, written: str) -> None:
    """Long before, under another tag, or refused for another reason."""
    told = operations_of(
        f"""
        client skopeo/1.9
        registry http://registry.test:5000 open
        GET /v2/ -> 200
        GET manifest 1 -> {asked}
        +{pause} GET /v2/ c=2 -> 200
        POST uploads c=2 -> 202
        PUT u1 L1 body=L1 c=2 -> 201
        PUT manifest {written} [L1] c=2 -> 201
        """
    )
    assert [operation.ending.value for operation in told] == ["failed", "ok"]


def test_an_old_manifest_under_the_tag_is_not_the_end() -> None:
    """crane asks for the tag first; another digest there means that there is work to do."""
    check(
        """
        client crane/0.19.1
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD manifest 1 [cfgOld L0] -> 200
        HEAD blob L1 -> 404
        POST uploads -> 202
        PATCH u1 L1 -> 500
        """,
        """
        push team/app 1: failed
          manifest 1 existed
          L1 failed
        """,
    )


BUILD = """
    client CLI = containerd/1.7.20 from 10.0.0.50
    client buildkit/v0.16.0 from 10.0.0.60
    image M1 = cfg L1
    image A1 = cfgA att1
    index I1 = M1 A1
    HEAD blob L1 -> 401
    CLI: token push,pull team/app for=Builder -> 200
    HEAD blob L1 -> 404
    & HEAD blob att1 c=2 -> 404
    POST uploads -> 202
    & POST uploads c=2 -> 202
    PUT u1 L1 body=L1 -> 201
    & PUT u2 att1 body=att1 c=2 -> 201
    HEAD blob cfg -> 404
    POST uploads -> 202
    PUT u3 cfg body=cfg -> 201
    HEAD blob cfgA -> 200
    HEAD manifest @M1 -> 404
    PUT manifest @M1 -> 201
    HEAD manifest @A1 -> 404
    PUT manifest @A1 -> 201
    HEAD manifest 1 I1 -> 404
    PUT manifest 1 I1 -> 201
""".replace("client buildkit/", "client Builder = buildkit/")

BUILT = """
    push team/app 1: ok
      L1 uploaded
      att1 uploaded
      cfg uploaded
      cfgA existed
      manifest M1 uploaded
      manifest A1 uploaded
      manifest 1 uploaded
"""


def test_buildkit_with_attestations_and_a_token_from_its_caller() -> None:
    check(BUILD, BUILT)


def test_buildkit_pushes_two_tags_in_turn() -> None:
    again = """
        HEAD blob L1 -> 200
        HEAD blob att1 -> 200
        HEAD blob cfg -> 200
        HEAD blob cfgA -> 200
        HEAD manifest @M1 -> 200
        HEAD manifest @A1 -> 200
        HEAD manifest latest I1 -> 404
        PUT manifest latest I1 -> 201
    """
    second = """
    push team/app latest: ok
      L1 existed
      att1 existed
      cfg existed
      cfgA existed
      manifest M1 existed
      manifest A1 existed
      manifest latest uploaded
    """
    check(BUILD + again, BUILT.rstrip() + second)


def test_buildkit_whose_caller_gets_no_token() -> None:
    check(
        """
        client CLI = containerd/1.7.20 from 10.0.0.50
        client buildkit/v0.16.0 from 10.0.0.60
        HEAD blob L1 -> 401
        CLI: token push,pull team/app -> 401
        """,
        """
        push team/app: failed
          L1 incomplete
        """,
    )


def test_buildkit_by_digest_only() -> None:
    check(
        """
        client buildkit/v0.16.0
        image M1 = cfg L1
        HEAD blob L1 -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        HEAD manifest @M1 -> 404
        PUT manifest @M1 -> 201
        """,
        """
        push team/app M1: ok
          L1 existed
          cfg existed
          manifest M1 uploaded
        """,
    )


def test_an_index_is_not_done_when_a_later_blob_fails() -> None:
    check(
        """
        client crane/0.19.1
        image M1 = cfg L1
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        HEAD manifest @M1 -> 404
        PUT manifest @M1 -> 201
        HEAD blob L2 -> 404
        POST uploads -> 202
        PATCH u1 L2 -> 507
        """,
        """
        push team/app M1: failed
          L1 existed
          cfg existed
          manifest M1 uploaded
          L2 failed
        """,
    )


def test_podman() -> None:
    check(
        """
        client podman/5.29.2
        GET /v2/ -> 401
        token pull,push team/app -> 200
        HEAD blob L1 -> 404
        & HEAD blob L2 c=2 -> 404
        HEAD blob L1 -> 404
        POST uploads -> 202
        & POST uploads c=2 -> 202
        PATCH u1 L1 -> 202
        & PATCH u2 L2 c=2 -> 202
        PUT u1 L1 -> 201
        & PUT u2 L2 c=2 -> 201
        HEAD blob cfg -> 404
        POST uploads -> 202
        PATCH u3 cfg -> 202
        PUT u3 cfg -> 201
        PUT manifest 1 [cfg L1 L2] -> 201
        """,
        PUSHED,
    )


def test_skopeo_mounts_another_compression_from_another_repository() -> None:
    check(
        """
        client skopeo/1.14.2
        GET /v2/ -> 401
        token pull,push team/app -> 200
        HEAD blob L1gz -> 404
        token pull base/app -> 200
        HEAD blob L1zst in=base/app -> 200
        POST uploads mount=L1zst from=base/app -> 201
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1zst] -> 201
        """,
        """
        push team/app 1: ok
          L1zst mounted
          cfg existed
          manifest 1 uploaded
        """,
    )


def test_skopeo_cancels_the_session_of_a_declined_mount() -> None:
    check(
        """
        client skopeo/1.14.2
        GET /v2/ -> 401
        token pull,push team/app -> 200
        HEAD blob L1 -> 404
        POST uploads mount=L1 from=base/app -> 202
        DELETE u1 -> 405
        POST uploads -> 202
        PATCH u2 L1 -> 202
        PUT u2 L1 -> 201
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          manifest 1 uploaded
        """,
    )


def test_podman_falls_back_to_another_manifest_format() -> None:
    check(
        """
        client podman/5.29.2
        image D1 = cfg L1 docker
        image M1 = cfg L1
        GET /v2/ -> 401
        token pull,push team/app -> 200
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        PUT manifest 1 D1 -> 400 MANIFEST_INVALID
        PUT manifest 1 M1 -> 201
        """,
        """
        push team/app 1: ok
          L1 existed
          cfg existed
          manifest 1 uploaded in 2 attempts
        """,
    )


def test_skopeo_copies_between_registries() -> None:
    check(
        """
        client skopeo/1.14.2
        registry https://source.test
        repository base/app
        GET /v2/ -> 401
        token pull base/app -> 200
        GET manifest 1 [cfg L1] -> 200
        registry https://registry.test
        repository team/app
        GET /v2/ -> 401
        token pull,push team/app -> 200
        HEAD blob L1 -> 404
        POST uploads -> 202
        registry https://source.test
        & GET blob L1 in=base/app took=3s -> 200
        registry https://registry.test
        & PATCH u1 L1 took=3s -> 202
        PUT u1 L1 -> 201
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        pull base/app 1: ok
          manifest 1 downloaded
          L1 downloaded
        push team/app 1: ok
          L1 uploaded
          cfg existed
          manifest 1 uploaded
        """,
    )


def test_crane() -> None:
    check(
        """
        client crane/0.19.1
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD manifest 1 [cfg L1 L2] -> 404
        HEAD blob L1 -> 404
        & HEAD blob L2 -> 404
        & HEAD blob cfg -> 404
        POST uploads -> 202
        & POST uploads -> 202
        & POST uploads -> 202
        PATCH u1 L1 -> 202
        & PATCH u2 L2 -> 202
        & PATCH u3 cfg -> 202
        PUT u1 L1 -> 201
        & PUT u2 L2 -> 201
        & PUT u3 cfg -> 201
        PUT manifest 1 [cfg L1 L2] -> 201
        """,
        """
        push team/app 1: ok
          manifest 1 uploaded
          L1 uploaded
          L2 uploaded
          cfg uploaded
        """,
    )


def test_crane_finds_the_manifest_there() -> None:
    check(
        """
        client crane/0.19.1
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 200
        """,
        """
        push team/app 1: ok
          manifest 1 existed
        """,
    )


def test_crane_tags_again() -> None:
    check(
        """
        client crane/0.19.1
        image M1 = cfg L1
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        PUT manifest 1 M1 -> 201
        HEAD manifest latest M1 -> 404
        PUT manifest latest M1 -> 201
        """,
        """
        push team/app latest: ok
          L1 existed
          cfg existed
          manifest 1 uploaded
          manifest latest uploaded
        """,
    )


def test_kaniko_asks_for_the_permission_minutes_before() -> None:
    check(
        """
        client kaniko/1.23.2
        GET /v2/ -> 401
        token push,pull team/app -> 200
        POST uploads -> 202
        DELETE u1 -> 404
        +240s GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 404
        HEAD blob L1 -> 404
        POST uploads -> 202
        PATCH u2 L1 -> 202
        PUT u2 L1 -> 201
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        other team/app: ok
        push team/app 1: ok
          manifest 1 uploaded
          L1 uploaded
          cfg existed
        """,
    )


def test_kaniko_may_not_push() -> None:
    check(
        """
        client kaniko/1.23.2
        GET /v2/ -> 401
        token push,pull team/app grant=pull -> 200
        POST uploads -> 401 insufficient_scope
        """,
        """
        push team/app: failed
          unknown failed
        """,
    )


def test_regctl_with_two_tokens_and_an_anonymous_mount() -> None:
    check(
        """
        client regctl/v0.8.0
        HEAD manifest 1 [cfg L1] -> 401
        token pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 404
        HEAD blob L1 -> 404
        POST uploads mount=L1 -> 401 insufficient_scope
        token pull,push team/app -> 200
        POST uploads mount=L1 -> 202
        PUT u1 L1 body=L1 -> 201
        HEAD blob cfg -> 404
        POST uploads mount=cfg -> 201
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          manifest 1 uploaded
          L1 uploaded
          cfg mounted
        """,
    )


def test_regctl_goes_on_in_chunks_within_the_session() -> None:
    check(
        """
        client regctl/v0.8.0
        blob L1 3MB
        HEAD blob L1 -> 401
        token pull,push team/app -> 200
        HEAD blob L1 -> 404
        POST uploads -> 202
        PUT u1 L1 body=L1 -> 413 nginx sent=1MB
        PATCH u1 1MB -> 202
        PATCH u1 1MB -> 416
        GET u1 -> 204
        PATCH u1 1MB -> 202
        PUT u1 L1 -> 201
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded in 2 attempts
          manifest 1 uploaded
        """,
    )


def test_oras_pushes_by_digest_then_tags() -> None:
    check(
        """
        client oras/1.2.0
        image M1 = cfg L1
        HEAD manifest @M1 -> 401
        token pull,push team/app -> 200
        HEAD manifest @M1 -> 404
        HEAD blob L1 -> 404
        & HEAD blob cfg -> 200
        POST uploads -> 202
        PUT u1 L1 body=L1 -> 201
        PUT manifest @M1 -> 201
        PUT manifest 1 M1 -> 201
        """,
        """
        push team/app 1: ok
          manifest 1 uploaded
          L1 uploaded
          cfg existed
        """,
    )


def test_oras_attaches_with_the_referrers_tag() -> None:
    check(
        """
        client oras/1.2.0
        image M1 = cfg L1
        image S1 = cfgS sig subject=M1
        HEAD manifest @S1 -> 401
        token pull,push team/app -> 200
        HEAD manifest @S1 -> 404
        HEAD blob sig -> 200
        HEAD blob cfgS -> 200
        PUT manifest @S1 -> 201
        GET referrers M1 -> 404
        GET /v2/team/app/manifests/sha256-%s -> 404
        PUT /v2/team/app/manifests/sha256-%s -> 201
        """.replace("%s", "ab" * 32),
        f"""
        push team/app sha256-{"ab" * 32}: ok
          manifest S1 uploaded
          sig existed
          cfgS existed
          manifest sha256-{"ab" * 32} uploaded
        """,
    )


def test_jib() -> None:
    check(
        """
        client jib/3.4.0
        GET /v2/ -> 401
        token pull,push team/app pull base/app -> 200
        HEAD blob L1 -> 404
        & HEAD blob L2 -> 404
        & HEAD blob cfg -> 404
        POST uploads mount=L1 from=base/app -> 202
        & POST uploads -> 202
        & POST uploads -> 202
        PATCH u1 L1 -> 202
        & PATCH u2 L2 -> 202
        & PATCH u3 cfg -> 202
        PUT u1 L1 -> 201
        & PUT u2 L2 -> 201
        & PUT u3 cfg -> 201
        PUT manifest 1 [cfg L1 L2] -> 201
        PUT manifest latest [cfg L1 L2] -> 201
        """,
        """
        push team/app latest: ok
          L1 uploaded
          L2 uploaded
          cfg uploaded
          manifest 1 uploaded
          manifest latest uploaded
        """,
    )


def test_dotnet_leaves_the_session_of_a_declined_mount_unused() -> None:
    check(
        """
        client "DOTNET"
        HEAD blob L1 -> 401
        token pull,push team/app -> 200
        HEAD blob L1 -> 404
        POST uploads mount=L1 from=dotnet/runtime -> 202
        HEAD blob L1 -> 404
        POST uploads -> 202
        PATCH u2 L1 -> 202
        PUT u2 L1 -> 201
        HEAD blob cfg -> 404
        POST uploads -> 202
        PATCH u3 cfg -> 202
        PUT u3 cfg -> 201
        PUT manifest 1 [cfg L1] -> 201
        """.replace('"DOTNET"', "dotnet/8.0.100"),
        """
        push team/app 1: ok
          L1 uploaded
          cfg uploaded
          manifest 1 uploaded
        """,
    )


def test_cosign_writes_blobs_after_the_manifest() -> None:
    check(
        """
        client cosign/2.4.0
        GET /v2/ -> 401
        token push,pull team/app -> 200
        PUT manifest sig [cfg bundle] -> 201
        HEAD blob bundle -> 404
        POST uploads -> 202
        PATCH u1 bundle -> 202
        PUT u1 bundle -> 201
        """,
        """
        push team/app sig: ok
          manifest sig uploaded
          bundle uploaded
        """,
    )


def test_locations_of_another_layout_are_followed_by_url_alone() -> None:
    """Artifact Registry and others announce paths outside of ``/v2/<name>/blobs/uploads/``."""
    story = """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 200
        POST uploads -> 202
          < Location: https://uploads.test/artifacts/one?b=2&a=1
          < -Docker-Upload-UUID
        PATCH https://uploads.test/artifacts/one?a=1&b=2 -> 202
          < Location: /artifacts/two?x=1
        PUT https://uploads.test/artifacts/two?digest=DIGEST&x=1 -> 201
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1] -> 201
    """
    digest = operations_of("HEAD blob L1 -> 200")[0].transfers[0].digest or ""
    check(
        story.replace("DIGEST", digest),
        """
        push team/app 1: ok
          L1 uploaded
          manifest 1 uploaded
        """,
    )


def test_basic_authentication_has_no_tokens() -> None:
    """ECR: only the ping and the repository tie a push of docker together."""
    check(
        """
        registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com basic
        client docker/24.0.7
        GET /v2/ -> 401
        HEAD blob L1 -> 404
        POST uploads -> 202
        & POST uploads -> 202
        PATCH u1 5MB -> 201
        & PATCH u2 5MB -> 201
        PUT u1 L1 -> 201
        & PUT u2 L2 -> 201
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1 L2] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          L2 uploaded
          cfg existed
          manifest 1 uploaded
        """,
    )


def test_a_registry_without_login() -> None:
    check(
        """
        registry http://registry.test:5000 open
        client docker/24.0.7
        GET /v2/ -> 200
        POST uploads -> 202
        PATCH u1 5MB -> 202
        PUT u1 L1 -> 201
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          cfg existed
          manifest 1 uploaded
        """,
    )


def test_a_har_file_knows_neither_address_nor_connection() -> None:
    push = """
        client A = docker/24.0.7 from ?
        client B = crane/0.19.1 from ?
        A: GET /v2/ -> 401
        A: token push,pull team/app -> 200
        B: GET /v2/ -> 401
        B: token push,pull team/app -> 200
        A: HEAD blob L1 -> 200
        B: HEAD blob L1 -> 200
        B: HEAD blob cfg -> 200
        A: HEAD blob cfg -> 200
        B: PUT manifest b [cfg L1] -> 201
        A: PUT manifest a [cfg L1] -> 201
    """
    check(
        push,
        """
        push team/app a: ok
          L1 existed
          cfg existed
          manifest a uploaded
        push team/app b: ok
          L1 existed
          cfg existed
          manifest b uploaded
        """,
    )


def test_the_proxy_was_started_in_the_middle() -> None:
    check(
        """
        client docker/24.0.7
        PATCH https://registry.test/v2/team/app/blobs/uploads/one -> 202
          < Location: https://registry.test/v2/team/app/blobs/uploads/one
          < Docker-Upload-UUID: one
        PUT https://registry.test/v2/team/app/blobs/uploads/one?digest=sha256:%s -> 201
        PUT manifest 1 [cfg L1] -> 201
        """.replace("%s", "ab" * 32),
        """
        push team/app 1: ok
          unnamed uploaded
          manifest 1 uploaded
        """,
    )


def test_a_digest_that_nobody_announced_verifies_nothing() -> None:
    """docker names a layer's digest only at the commit; until then it is ours alone."""
    story = """
        client docker/20.10.24
        token push,pull team/app -> 200
        POST uploads             -> 202
        PATCH u1 L1              -> 202
    """
    (cut,) = operations_of(story)
    assert cut.transfers[0].digest is not None
    assert cut.transfers[0].digest_verified is None
    (whole,) = operations_of(story + "    PUT u1 L1 -> 201")
    assert whole.transfers[0].digest_verified is True


def test_containerd_that_may_not_push() -> None:
    """It asks for its token with POST, then with GET, and tries its upload twice."""
    check(
        """
        client containerd/1.6.20
        HEAD blob L1 -> 401
        token push,pull team/app POST -> 404
        token push,pull team/app grant=pull -> 200
        HEAD blob L1 -> 404
        POST uploads -> 401 insufficient_scope
        POST uploads -> 401 insufficient_scope
        """,
        """
        push team/app: failed
          L1 incomplete
          unknown failed
        """,
    )


def test_a_cache_that_is_not_there_is_no_failure_of_a_push_that_goes_on() -> None:
    """buildkit imports a cache from the repository that it pushes to; a first build finds none."""
    check(
        """
        client buildkit/0.23
        HEAD blob L1 -> 401
        token push,pull team/app -> 200
        HEAD manifest cache -> 404
        GET manifest cache -> 404
        HEAD blob L1 -> 404
        POST uploads -> 202
        PUT u1 L1 body=L1 -> 413 nginx
        """,
        """
        push team/app cache: failed
          L1 failed
          manifest cache incomplete
        """,
    )
