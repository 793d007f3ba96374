"""What stands before or beside pushes and pulls: pings, logins, tunnels, lists, foreign traffic."""

from __future__ import annotations

import pytest
from retelling import check, operations_of

from regtrace.wire.leg import Kind

PUSH = """
    GET /v2/ -> 401
    token push,pull team/app -> 200
    HEAD blob L1 -> 200
    PUT manifest 1 [cfg L1] -> 201
"""
PUSHED = """
    push team/app 1: ok
      L1 existed
      manifest 1 uploaded
"""


def test_a_ping_and_then_nothing() -> None:
    check("client docker/24.0.7\nGET /v2/ -> 401", "other: incomplete")


def test_a_health_check() -> None:
    check('client "kube-probe/1.29"\nregistry https://r.test open\nGET /v2/ -> 200', "other: ok")


def test_docker_login() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token -> 200
        GET /v2/ auth -> 200
        """,
        "login: ok",
    )


def test_docker_login_with_a_wrong_password() -> None:
    check("client docker/24.0.7\nGET /v2/ -> 401\ntoken -> 401", "login: failed")


def test_a_token_server_may_ask_for_a_password() -> None:
    """Its realm has no service, so nothing but the registry's challenge tells what it is."""
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
          < WWW-Authenticate: Bearer realm="https://auth.test/login"
        GET https://auth.test/login?account=ann&client_id=docker&offline_token=true -> 401
          > Authorization: Basic YW5uOnB3
          < WWW-Authenticate: Basic realm="tokens"
        """,
        "login: failed",
    )


@pytest.mark.parametrize(
    "body", ["<!DOCTYPE html><html><title>Sign in</title></html>", '{"token": ""}', "[]", ""]
)
def test_docker_login_that_gets_something_else_than_a_token(body: str) -> None:
    story = f"client docker/24.0.7\nGET /v2/ -> 401\ntoken -> 200\n << {body}"
    check(story, "login: failed")


def test_a_token_reply_that_was_not_kept_may_have_been_one() -> None:
    check("client docker/24.0.7\nGET /v2/ -> 401\ntoken -> 200\n << ?", "login: ok")
    packed = "client docker/24.0.7\nGET /v2/ -> 401\ntoken -> 200\n < Content-Encoding: br\n << x"
    check(packed, "login: ok")


def test_an_identity_token_is_a_token() -> None:
    """ACR's /oauth2/exchange gives a refresh token only."""
    story = 'client docker/24.0.7\nGET /v2/ -> 401\ntoken -> 200\n << {"refresh_token": "abc"}'
    check(story, "login: ok")


def test_a_person_at_a_login_page_asks_for_no_token() -> None:
    """CAS has a service= and a path like a token server's, and answers with its page."""
    story = 'client "Mozilla/5.0"\nGET https://sso.test/auth?service=x&account=y -> 200\n << <html>'
    check(story, "login: ok")


def test_a_token_request_is_one_wherever_it_is_redirected_to() -> None:
    story = """
        client docker/24.0.7
        GET /v2/ -> 401
        token -> 302
          < Location: https://sso.test/login?next=token
        GET https://sso.test/login?next=token -> 200
          << <html>
    """
    (login,) = operations_of(story)
    assert [leg.kind for leg in login.legs] == [Kind.PING, Kind.TOKEN, Kind.TOKEN]
    check(story, "login: failed")


def test_login_with_basic_authentication() -> None:
    story = (
        "client docker/24.0.7\nregistry https://r.test basic\nGET /v2/ -> 401\nGET /v2/ auth -> "
    )
    check(story + "200", "login: ok")
    check(story + "401", "login: failed")


def test_login_and_push_at_once() -> None:
    login = "client docker/24.0.7\nGET /v2/ -> 401\ntoken -> 200\n"
    check(login + PUSH, "login: ok\n" + PUSHED.replace("\n    ", "\n").strip())


def test_push_then_login_then_push() -> None:
    story = "client docker/24.0.7" + PUSH + "GET /v2/ -> 401\ntoken -> 200\n" + PUSH
    kinds = [operation.kind.value for operation in operations_of(story)]
    assert kinds == ["push", "login", "push"]


def test_pushes_at_once_after_each_other() -> None:
    check("client docker/24.0.7" + PUSH + PUSH, PUSHED.rstrip() + PUSHED)


def test_each_push_has_its_ping() -> None:
    operations = operations_of("client crane/0.19.1" + PUSH + PUSH.replace("1", "2"))
    assert [len(op.legs_of_kind(Kind.PING)) for op in operations] == [1, 1]


def test_a_token_without_a_scope_may_still_be_for_the_push() -> None:
    """ECR Public and Gitea: the scope names no repository."""
    check(
        """
        client crane/0.19.1
        GET /v2/ -> 401
        token -> 200
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        PUSHED,
    )


def test_the_token_server_cannot_be_reached() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        CONNECT auth.test:443 -> ! Connect call failed
        CONNECT auth.test:443 -> ! Connect call failed
        """,
        "other: failed",
    )


def test_a_tunnel_that_failed_during_a_push_belongs_to_it() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 200
        POST uploads -> 202
        CONNECT registry.test:443 -> ! server-tls: certificate has expired
        """,
        """
        push team/app: failed
          unknown incomplete
        """,
    )


def test_https_fails_and_http_works() -> None:
    check(
        """
        client docker/24.0.7
        CONNECT registry.test:5000 -> ! server-tls: wrong version number
        registry http://registry.test:5000 open
        GET /v2/ -> 200
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        PUSHED,
    )


def test_a_ping_that_moves_to_https() -> None:
    check(
        """
        client docker/24.0.7
        GET http://registry.test/v2/ -> 301 https://registry.test/v2/
        GET /v2/ -> 401
        token push,pull team/app -> 200
        HEAD blob L1 -> 200
        PUT manifest 1 [cfg L1] -> 201
        """,
        PUSHED,
    )


def test_the_token_is_refused() -> None:
    check(
        """
        client docker/24.0.7
        GET /v2/ -> 401
        token push,pull team/app -> 401
        """,
        "push team/app: failed",
    )


def test_tags_of_an_empty_repository() -> None:
    check(
        """
        client crane/0.19.1
        GET /v2/ -> 401
        token pull team/app -> 200
        GET tags -> 404
        """,
        "other team/app: ok",
    )


def test_delete() -> None:
    check(
        """
        client skopeo/1.14.2
        GET /v2/ -> 401
        token * team/app -> 200
        image M1 = cfg L1
        GET manifest 1 M1 -> 200
        DELETE manifest @M1 -> 202
        """,
        """
        delete team/app 1: ok
          manifest 1 downloaded
        """,
    )


def test_foreign_traffic_never_fails() -> None:
    check('client "curl/8.5"\nGET https://example.org/missing -> 404', "other: ok")
