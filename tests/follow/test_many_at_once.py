"""Two and more pushes at once: every case in which legs could be taken for another push's."""

from __future__ import annotations

from retelling import check, operations_of

from regtrace.wire.leg import Kind


def test_two_clients_two_repositories() -> None:
    check(
        """
        client A = docker/24.0.7 from 10.0.0.7
        client B = docker/24.0.7 from 10.0.0.8
        A: GET /v2/ -> 401
        B: GET /v2/ -> 401
        A: token push,pull team/one -> 200
        B: token push,pull team/two -> 200
        A: HEAD blob L1 in=team/one -> 200
        B: HEAD blob L1 in=team/two -> 200
        B: PUT manifest 1 [cfg L1] in=team/two -> 201
        A: PUT manifest 1 [cfg L1] in=team/one -> 201
        """,
        """
        push team/one 1: ok
          L1 existed
          manifest 1 uploaded
        push team/two 1: ok
          L1 existed
          manifest 1 uploaded
        """,
    )


def test_one_repository_two_addresses() -> None:
    story = """
        client A = docker/24.0.7 from 10.0.0.7
        client B = docker/24.0.7 from 10.0.0.8
        A: GET /v2/ -> 401
        B: GET /v2/ -> 401
        A: token push,pull team/app -> 200
        B: token push,pull team/app -> 200
        A: POST uploads -> 202
        B: POST uploads -> 202
        A: PATCH u1 5MB -> 202
        B: PATCH u2 5MB -> 500
        A: PUT u1 L1 -> 201
        A: HEAD blob L1 -> 200
        A: PUT manifest a [cfg L1] -> 201
    """
    expected = """
        push team/app a: ok
          L1 uploaded
          manifest a uploaded
        push team/app: failed
          unknown failed
    """
    check(story, expected)
    # Two programs on one machine, or behind one gateway.
    check(story.replace("10.0.0.8", "10.0.0.7").replace("B = docker/24", "B = docker/20"), expected)


def test_two_jobs_behind_one_address() -> None:
    """Same User-Agent, same repository, a connection per request: only the tokens tell."""
    check(
        """
        client A = docker/20.10.24 from 10.0.0.7
        client B = docker/20.10.24 from 10.0.0.7
        A: GET /v2/ -> 401
        B: GET /v2/ -> 401
        B: token push,pull team/app -> 200
        A: token push,pull team/app -> 200
        A: POST uploads -> 202
        B: POST uploads -> 202
        B: PATCH u2 5MB -> 202
        A: PATCH u1 5MB -> 202
        A: PUT u1 L1 -> 201
        B: PUT u2 L2 -> 201
        A: HEAD blob L1 -> 200
        B: HEAD blob L2 -> 200
        A: HEAD blob cfgA -> 200
        B: HEAD blob cfgB -> 200
        A: PUT manifest a [cfgA L1] -> 201
        B: PUT manifest b [cfgB L2] -> 201
        """,
        """
        push team/app a: ok
          L1 uploaded
          cfgA existed
          manifest a uploaded
        push team/app b: ok
          L2 uploaded
          cfgB existed
          manifest b uploaded
        """,
    )


def test_two_jobs_without_tokens_are_told_apart_by_their_manifests() -> None:
    """Basic authentication: pings say that there are two, manifests say what is whose."""
    check(
        """
        registry https://ecr.test basic
        client A = docker/20.10.24 from 10.0.0.7
        client B = docker/20.10.24 from 10.0.0.7
        A: GET /v2/ -> 401
        B: GET /v2/ -> 401
        A: HEAD blob L1 -> 404
        B: HEAD blob L2 -> 404
        A: POST uploads -> 202
        B: POST uploads -> 202
        A: PATCH u1 5MB -> 202
        B: PATCH u2 5MB -> 202
        B: PUT u2 L2 -> 201
        A: PUT u1 L1 -> 201
        A: HEAD blob L1 -> 200
        B: HEAD blob L2 -> 200
        B: HEAD blob cfgB -> 200
        A: HEAD blob cfgA -> 200
        A: PUT manifest a [cfgA L1] -> 201
        B: PUT manifest b [cfgB L2] -> 201
        """,
        """
        push team/app b: ok
          L2 uploaded
          cfgB existed
          manifest b uploaded
        push team/app a: ok
          L1 uploaded
          cfgA existed
          manifest a uploaded
        """,
    )


def test_one_daemon_shares_the_upload_of_a_common_layer() -> None:
    """docker push of two tags at once: the layer travels with the first one's token."""
    check(
        """
        client A = docker/24.0.7 from 10.0.0.7
        client B = docker/24.0.7 from 10.0.0.7
        A: GET /v2/ -> 401
        A: token push,pull team/app -> 200
        B: GET /v2/ -> 401
        A: POST uploads -> 202
        B: token push,pull team/app -> 200
        A: PATCH u1 5MB -> 202
        A: PUT u1 L1 -> 201
        A: HEAD blob L1 -> 200
        A: HEAD blob cfgA -> 200
        B: HEAD blob cfgB -> 200
        B: PUT manifest b [cfgB L1] -> 201
        A: PUT manifest a [cfgA L1] -> 201
        """,
        """
        push team/app a: ok
          L1 uploaded
          cfgA existed
          manifest a uploaded
        push team/app b: ok
          cfgB existed
          manifest b uploaded
        """,
    )


def test_one_daemon_with_containerd_store_uploads_twice() -> None:
    check(
        """
        client A = docker-containerd/29.1.0 from 10.0.0.7
        client B = docker-containerd/29.1.0 from 10.0.0.7
        A: HEAD blob L1 -> 401
        B: HEAD blob L1 -> 401
        A: token push,pull team/app -> 200
        B: token push,pull team/app -> 200
        A: HEAD blob L1 -> 404
        B: HEAD blob L1 -> 404
        A: POST uploads -> 202
        B: POST uploads -> 202
        A: PUT u1 L1 body=L1 -> 201
        B: PUT u2 L1 body=L1 -> 201
        A: PUT manifest a [cfgA L1] -> 201
        B: PUT manifest b [cfgB L1] -> 201
        """,
        """
        push team/app a: ok
          L1 uploaded
          manifest a uploaded
        push team/app b: ok
          L1 uploaded
          manifest b uploaded
        """,
    )


def test_two_builds_share_the_connections_of_one_buildkitd() -> None:
    check(
        """
        client A = buildkit/v0.16.0 from 10.0.0.7
        client B = buildkit/v0.16.0 from 10.0.0.7
        A: token push,pull team/app -> 200
        B: token push,pull team/app -> 200
        A: HEAD blob L1 c=*shared -> 404
        B: HEAD blob L2 c=*shared -> 404
        A: POST uploads c=*shared -> 202
        B: POST uploads c=*shared -> 202
        B: PUT u2 L2 body=L2 c=*shared -> 201
        A: PUT u1 L1 body=L1 c=*shared -> 201
        B: PUT manifest b [cfgB L2] c=*shared -> 201
        A: PUT manifest a [cfgA L1] c=*shared -> 201
        """,
        """
        push team/app a: ok
          L1 uploaded
          manifest a uploaded
        push team/app b: ok
          L2 uploaded
          manifest b uploaded
        """,
    )


def test_a_layer_twice_in_one_image_is_one_upload() -> None:
    check(
        """
        client podman/5.29.2
        GET /v2/ -> 401
        token pull,push team/app -> 200
        HEAD blob L1 -> 404
        POST uploads -> 202
        PATCH u1 L1 -> 202
        PUT u1 L1 -> 201
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1 L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          cfg existed
          manifest 1 uploaded
        """,
    )


def test_the_same_layer_in_two_images_of_one_build() -> None:
    check(
        """
        client buildkit/v0.16.0
        token push,pull team/one -> 200
        token push,pull team/two -> 200
        HEAD blob L1 in=team/one -> 404
        HEAD blob L1 in=team/two -> 404
        POST uploads in=team/one -> 202
        PUT u1 L1 body=L1 -> 201
        POST uploads mount=L1 from=team/one in=team/two -> 201
        PUT manifest 1 [cfg L1] in=team/one -> 201
        PUT manifest 1 [cfg L1] in=team/two -> 201
        """,
        """
        push team/one 1: ok
          L1 uploaded
          manifest 1 uploaded
        push team/two 1: ok
          L1 mounted
          manifest 1 uploaded
        """,
    )


def test_a_token_for_two_repositories() -> None:
    check(
        """
        client crane/0.19.1
        GET /v2/ -> 401
        token push,pull team/one push,pull team/two -> 200
        HEAD blob L1 in=team/one -> 200
        & HEAD blob L1 in=team/two -> 200
        PUT manifest 1 [cfg L1] in=team/one -> 201
        PUT manifest 1 [cfg L1] in=team/two -> 201
        """,
        """
        push team/one 1: ok
          L1 existed
          manifest 1 uploaded
        push team/two 1: ok
          L1 existed
          manifest 1 uploaded
        """,
    )


def test_a_token_server_that_gives_the_same_token_each_time() -> None:
    """ghcr.io: the token says whose it is, not which push it serves."""
    story = """
        client A = docker/24.0.7 from 10.0.0.7
        client B = docker/24.0.7 from 10.0.0.7
        A: GET /v2/ -> 401
        A: token opaque push,pull team/app -> 200
          << {"token": "Z2hwX3NlY3JldA=="}
        B: GET /v2/ -> 401
        B: token opaque push,pull team/app -> 200
          << {"token": "Z2hwX3NlY3JldA=="}
        A: POST uploads -> 202
          > Authorization: Bearer Z2hwX3NlY3JldA==
        B: HEAD blob cfgB -> 200
          > Authorization: Bearer Z2hwX3NlY3JldA==
        A: PATCH u1 L1 -> 202
          > Authorization: Bearer Z2hwX3NlY3JldA==
        A: PUT u1 L1 -> 201
          > Authorization: Bearer Z2hwX3NlY3JldA==
        B: PUT manifest b [cfgB L1] -> 201
          > Authorization: Bearer Z2hwX3NlY3JldA==
        A: PUT manifest a [cfgA L1] -> 201
          > Authorization: Bearer Z2hwX3NlY3JldA==
    """
    operations = operations_of(story)
    assert sorted(op.reference or "" for op in operations) == ["a", "b"]
    assert all(len(op.legs_of_kind(Kind.PING)) == 1 for op in operations)


def test_the_registry_lost_a_blob_after_it_said_that_it_has_it() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        HEAD blob cfg -> 200
        PUT manifest 1 [cfg L1] -> 400 MANIFEST_BLOB_UNKNOWN
        """,
        """
        push team/app 1: failed
          L1 existed
          cfg existed
          manifest 1 failed
        """,
    )


def test_the_upload_is_lost_between_two_replicas() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 200
        POST uploads server=10.1.0.1 -> 202
        PATCH u1 L1 server=10.1.0.1 -> 202
        PUT u1 L1 server=10.1.0.2 -> 404
        """,
        """
        push team/app: failed
          L1 failed
        """,
    )


def test_a_connection_that_died_idle_is_no_attempt() -> None:
    """Go's transport sends the request again by itself, at once."""
    check(
        """
        client containerd/1.7.20
        token push,pull team/app -> 200
        POST uploads took=0.01s -> ! server closed connection
        POST uploads -> 202
        PUT u1 L1 body=L1 -> 201
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          manifest 1 uploaded
        """,
    )


def test_a_token_that_expires_during_the_push() -> None:
    check(
        """
        client containerd/1.7.20
        token push,pull team/app lives=60 -> 200
        HEAD blob L1 -> 404
        POST uploads -> 202
        PUT u1 L1 body=L1 took=80s -> 201
        HEAD blob L2 c=2 -> 401 invalid_token
        token push,pull team/app -> 200
        HEAD blob L2 c=2 -> 200
        PUT manifest 1 [cfg L1 L2] c=2 -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          L2 existed
          manifest 1 uploaded
        """,
    )


def test_each_architecture_is_pushed_by_a_job_of_its_own() -> None:
    check(
        """
        client A = buildkit/v0.16.0 from 10.0.0.7
        client B = buildkit/v0.16.0 from 10.0.0.8
        client C = docker/27.0.0 from 10.0.0.9
        image M1 = cfg1 L1
        image M2 = cfg2 L2
        index I1 = M1 M2
        A: token push,pull team/app -> 200
        B: token push,pull team/app -> 200
        A: HEAD blob L1 -> 200
        B: HEAD blob L2 -> 200
        A: PUT manifest @M1 -> 201
        B: PUT manifest @M2 -> 201
        C: GET /v2/ -> 401
        C: token push,pull team/app -> 200
        C: HEAD manifest @M1 -> 200
        C: HEAD manifest @M2 -> 200
        C: PUT manifest 1 I1 -> 201
        """,
        """
        push team/app M1: ok
          L1 existed
          manifest M1 uploaded
        push team/app M2: ok
          L2 existed
          manifest M2 uploaded
        push team/app 1: ok
          manifest M1 existed
          manifest M2 existed
          manifest 1 uploaded
        """,
    )


def test_a_signature_right_after_is_a_push_of_its_own() -> None:
    signature = "sha256-" + "ab" * 32 + ".sig"
    check(
        f"""
        client A = crane/0.19.1 from 10.0.0.7
        client B = cosign/2.4.0 from 10.0.0.7
        A: GET /v2/ -> 401
        A: token push,pull team/app -> 200
        A: HEAD blob L1 -> 200
        A: PUT manifest 1 [cfg L1] -> 201
        B: GET /v2/ -> 401
        B: token push,pull team/app -> 200
        B: GET /v2/team/app/manifests/{signature} -> 404
        B: HEAD blob sig -> 404
        B: POST uploads -> 202
        B: PATCH u1 sig -> 202
        B: PUT u1 sig -> 201
        B: PUT manifest {signature} [cfgS sig] -> 201
        """,
        f"""
        push team/app 1: ok
          L1 existed
          manifest 1 uploaded
        push team/app {signature}: ok
          sig uploaded
          manifest {signature} uploaded
        """,
    )


def test_replication_by_a_registry() -> None:
    check(
        """
        client "harbor-registry-client"
        HEAD manifest 1 [cfg L1] -> 401
        token push,pull team/app -> 200
        HEAD manifest 1 [cfg L1] -> 404
        HEAD blob L1 -> 404
        POST uploads -> 202
        PUT u1 L1 body=L1 -> 201
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          manifest 1 uploaded
          L1 uploaded
        """,
    )


def test_only_a_part_of_the_traffic_passes_the_proxy() -> None:
    """The storage and the token server are reached without it: nothing has failed."""
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        POST uploads -> 202
        PATCH u1 5MB -> 202
        PUT u1 L1 -> 201
        HEAD blob L1 -> 307 s3
        HEAD blob cfg -> 307 s3
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          cfg existed
          manifest 1 uploaded
        """,
    )


TRACES = tuple(f"00-{letter * 32}-{letter * 16}-01" for letter in "ab")


def test_two_builds_without_tokens_are_told_apart_by_their_traces() -> None:
    legs = (
        "A: HEAD blob L1 -> 404",
        "B: HEAD blob L2 -> 404",
        "A: POST uploads -> 202",
        "B: POST uploads -> 202",
        "B: PUT u2 L2 body=L2 -> 201",
        "A: PUT u1 L1 body=L1 -> 201",
        "B: PUT manifest b [cfgB L2] -> 201",
        "A: PUT manifest a [cfgA L1] -> 201",
    )
    traced = (
        f"{leg.replace(' ->', ' c=*shared ->')}\n  > traceparent: {TRACES['AB'.index(leg[0])]}"
        for leg in legs
    )
    check(
        """
        registry https://ecr.test basic
        client A = buildkit/v0.16.0 from 10.0.0.7
        client B = buildkit/v0.16.0 from 10.0.0.7
        """
        + "\n".join(traced),
        """
        push team/app a: ok
          L1 uploaded
          manifest a uploaded
        push team/app b: ok
          L2 uploaded
          manifest b uploaded
        """,
    )


def test_a_trace_of_its_own_for_each_request_tells_nothing_apart() -> None:
    """As a service mesh gives it to what has none."""
    legs = (
        "HEAD blob L1 c=1 -> 200",
        "HEAD blob L2 c=2 -> 200",
        "HEAD blob L1 c=1 -> 200",
        "PUT manifest 1 [cfg L1 L2] c=2 -> 201",
    )
    traced = (
        f"{leg}\n  > traceparent: 00-{number}{'0' * 31}-{'1' * 16}-01"
        for number, leg in enumerate(legs, 1)
    )
    check(
        "registry https://ecr.test basic\nclient buildkit/v0.16.0\n" + "\n".join(traced),
        """
        push team/app 1: ok
          L1 existed
          L2 existed
          manifest 1 uploaded
        """,
    )


def test_builds_that_begin_with_a_challenge_on_shared_connections() -> None:
    check(
        """
        client A = buildkit/v0.16.0 from 10.0.0.7
        client B = buildkit/v0.16.0 from 10.0.0.7
        A: HEAD blob L1 c=*1 -> 401
        A: token push,pull team/app -> 200
        A: HEAD blob L1 c=*1 -> 200
        B: HEAD blob L2 c=*1 -> 401
        & B: HEAD blob cfgB c=*2 -> 401
        B: token push,pull team/app POST -> 404
        B: token push,pull team/app -> 200
        B: HEAD blob L2 c=*2 -> 200
        & B: HEAD blob cfgB c=*1 -> 200
        A: PUT manifest a [cfgA L1] c=*1 -> 201
        B: PUT manifest b [cfgB L2] c=*2 -> 201
        """,
        """
        push team/app a: ok
          L1 existed
          manifest a uploaded
        push team/app b: ok
          L2 existed
          cfgB existed
          manifest b uploaded
        """,
    )
    assert [len(op.legs) for op in operations_of(BUILDS_IN_TURN)] == [4, 5]


BUILDS_IN_TURN = """
    client A = buildkit/v0.16.0 from 10.0.0.7
    client B = buildkit/v0.16.0 from 10.0.0.7
    A: HEAD blob L1 c=*1 -> 401
    A: token push,pull team/app -> 200
    A: HEAD blob L1 c=*1 -> 200
    B: HEAD blob L2 c=*1 -> 401
    B: token push,pull team/app POST -> 404
    B: token push,pull team/app -> 200
    B: HEAD blob L2 c=*1 -> 200
    A: PUT manifest a [cfgA L1] c=*1 -> 201
    B: PUT manifest b [cfgB L2] c=*1 -> 201
"""


def test_the_connections_of_a_proxy_in_front_are_nobodys() -> None:
    """What opens one for each request, or calls itself otherwise, does not own the one it is on."""
    story = """
        client A = docker/20.10.24 from 10.0.0.7
        client B = docker/20.10.24 from 10.0.0.7
        A: GET /v2/ c=*1 -> 401
        A: token push,pull team/app -> 200
        B: GET /v2/ c=*1 -> 401
        B: token push,pull team/app -> 200
        A: HEAD blob L1 c=*1 -> 200
        B: HEAD blob L2 c=*1 -> 200
        A: PUT manifest a [cfg L1] c=*1 -> 201
        B: PUT manifest b [cfg L2] c=*1 -> 201
    """
    expected = """
        push team/app a: ok
          L1 existed
          manifest a uploaded
        push team/app b: ok
          L2 existed
          manifest b uploaded
    """
    check(story, expected)
    check(story.replace("B = docker/20.10.24", "B = crane/0.19.1"), expected)
    check(story.replace("docker/20", "docker/29").replace("B = docker", "B = skopeo"), expected)


def test_two_registries_with_one_token_server() -> None:
    """Also on two ports of one host, and below two prefixes: one repository name, two places."""
    story = """
        client A = oras/1.2.0 from 10.0.0.7
        client B = oras/1.2.0 from 10.0.0.7
        registry FIRST
        A: GET manifest 1 [cfg L1] -> 401
        A: token pull team/app -> 200
        A: GET manifest 1 [cfg L1] -> 200
        registry SECOND
        B: HEAD blob L1 -> 401
        B: token pull,push team/app -> 200
        B: HEAD blob L1 -> 404
        B: POST uploads -> 202
        registry FIRST
        A: GET blob L1 -> 200
        registry SECOND
        B: PUT u1 L1 body=L1 -> 201
        B: PUT manifest 1 [cfg L1] -> 201
    """
    for first, second in (
        ("https://one.test", "https://two.test"),
        ("https://one.test:5000", "https://one.test:5001"),
        ("https://one.test/artifactory/api/docker/a", "https://one.test/artifactory/api/docker/b"),
    ):
        check(
            story.replace("FIRST", first).replace("SECOND", second),
            """
            pull team/app 1: ok
              manifest 1 downloaded
              L1 downloaded
            push team/app 1: ok
              L1 uploaded
              manifest 1 uploaded
            """,
        )


def test_one_engine_pulls_while_it_pushes() -> None:
    check(
        """
        client A = docker-containerd/29.1.0 from 10.0.0.7
        client B = docker-containerd/29.1.0 from 10.0.0.7
        A: HEAD manifest 1 [cfg L1] -> 401
        A: token pull team/app -> 200
        A: HEAD manifest 1 [cfg L1] -> 200
        A: GET manifest 1 [cfg L1] -> 200
        B: HEAD blob L2 -> 401
        B: token push,pull team/app -> 200
        A: GET blob L1 -> 200
        B: HEAD blob L2 -> 200
        B: PUT manifest 2 [cfg L2] -> 201
        A: GET blob cfg -> 200
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
          L1 downloaded
          cfg downloaded
        push team/app 2: ok
          L2 existed
          manifest 2 uploaded
        """,
    )


def test_a_token_that_was_refused_in_one_form_belongs_to_who_asks_in_the_other() -> None:
    operations = operations_of(
        """
        client A = jib/3.4.0 from 10.0.0.7
        client B = containerd/1.7.20 from 10.0.0.7
        A: GET /v2/ -> 401
        B: HEAD blob L2 -> 401
        B: token push,pull team/app POST -> 404
        A: token push,pull team/app -> 200
        B: token push,pull team/app -> 200
        B: HEAD blob L2 -> 200
        A: HEAD blob L1 -> 200
        A: PUT manifest a [cfg L1] -> 201
        B: PUT manifest b [cfg L2] -> 201
        """
    )
    assert [[leg.status for leg in op.legs_of_kind(Kind.TOKEN)] for op in operations] == [
        [200],
        [404, 200],
    ]
