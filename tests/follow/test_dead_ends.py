"""Uploads that end without a refusal: who can not go on from a 2xx has failed all the same."""

from __future__ import annotations

from retelling import check

DOCKER = """
    client docker/20.10.24
    GET /v2/ -> 401
    token push,pull team/app -> 200
"""
SKOPEO = """
    client skopeo/1.14
    GET /v2/ -> 401
    token push,pull team/app -> 200
"""


def test_an_upload_without_a_location_leads_nowhere() -> None:
    check(
        SKOPEO
        + """
        POST uploads -> 202
          < -Location
        """,
        """
        push team/app: failed
          unknown failed
        """,
    )


def test_a_client_that_knows_the_way_without_a_location_goes_on() -> None:
    check(
        SKOPEO
        + """
        POST uploads -> 202
        PATCH u1 L1 -> 202
          < -Location
        PUT u1 L1 -> 201
        PUT manifest 1 [cfg L1] -> 201
        """,
        """
        push team/app 1: ok
          L1 uploaded
          manifest 1 uploaded
        """,
    )


def test_docker_can_not_go_on_without_a_range() -> None:
    check(
        DOCKER
        + """
        POST uploads -> 202
        PATCH u1 L1 -> 202
          < -Range
        """,
        """
        push team/app: failed
          L1 failed
        """,
    )


def test_others_need_no_range() -> None:
    check(
        SKOPEO
        + """
        POST uploads -> 202
        PATCH u1 L1 -> 202
          < -Range
        """,
        """
        push team/app: incomplete
          L1 incomplete
        """,
    )


def test_a_redirect_to_get_writes_nothing() -> None:
    check(
        DOCKER
        + """
        POST uploads -> 202
        PATCH u1 L1 -> 302 https://hub.example.com/v2/team/app/blobs/uploads/x
        GET https://hub.example.com/v2/team/app/blobs/uploads/x -> 204
        """,
        """
        push team/app: failed
          L1 failed
        """,
    )


def test_a_manifest_that_was_read_in_place_of_written_is_not_pushed() -> None:
    check(
        DOCKER
        + """
        PUT manifest 1 [cfg L1] -> 301 https://hub.example.com/v2/team/app/manifests/1
        GET https://hub.example.com/v2/team/app/manifests/1 -> 200
        """,
        """
        push team/app 1: failed
          manifest 1 failed
        """,
    )


def test_a_challenge_in_the_middle_of_an_upload_that_nobody_answers() -> None:
    """The client gives its token to the host that it got it for, and to no other."""
    check(
        """
        client containerd/1.7.2
        HEAD blob L1 -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 404
        POST uploads -> 202
          < Location: http://registry.test/v2/team/app/blobs/uploads/u1
        PUT u1 L1 body=L1 no-auth -> 401
        """,
        """
        push team/app: failed
          L1 failed
        """,
    )


def test_a_web_page_is_no_answer_of_a_registry() -> None:
    check(
        """
        client containerd/1.7.2
        GET manifest 1 [cfg L1] -> 200
          < Content-Type: text/html
          << <html><title>Sign in</title></html>
        """,
        """
        pull team/app 1: failed
          manifest 1 failed
        """,
    )


LOST = "< Location: http://127.0.0.1:5000/v2/team/app/blobs/uploads/{}"


def test_uploads_that_are_opened_again_and_again_have_failed() -> None:
    """docker's push loop, where the rest of each upload goes past the proxy."""
    tries = "".join(
        f"+{wait}s POST uploads -> 202\n{LOST.format(n)}\n" for n, wait in enumerate((0.1, 5, 10))
    )
    check(
        DOCKER + tries,
        """
        push team/app: failed
          unknown incomplete
          unknown incomplete
          unknown incomplete
        """,
    )


def test_others_do_not_read_their_layers_back_so_nothing_is_known() -> None:
    tries = "".join(
        f"+{wait}s POST uploads -> 202\n{LOST.format(n)}\n" for n, wait in enumerate((0.1, 5, 10))
    )
    check(
        SKOPEO + tries,
        """
        push team/app: incomplete
          unknown incomplete
          unknown incomplete
          unknown incomplete
        """,
    )


def test_many_layers_that_begin_together_are_no_loop() -> None:
    begun = "".join(f"& POST uploads -> 202\n{LOST.format(n)}\n" for n in range(3))
    check(
        DOCKER + begun,
        """
        push team/app: incomplete
          unknown incomplete
          unknown incomplete
          unknown incomplete
        """,
    )


def test_an_upload_that_ended_well_past_the_proxy_is_no_loop() -> None:
    """docker reads each layer back before the next one begins."""
    check(
        DOCKER
        + f"""
        POST uploads -> 202
          {LOST.format(1)}
        +60s HEAD blob L1 -> 200
        POST uploads -> 202
          {LOST.format(2)}
        +60s HEAD blob L2 -> 200
        POST uploads -> 202
          {LOST.format(3)}
        """,
        """
        push team/app: incomplete
          unknown incomplete
          L1 existed
          unknown incomplete
          L2 existed
          unknown incomplete
        """,
    )
