"""Given this token request, reply or Authorization, this is what is known. All secrets made up."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwts import jwt

from regtrace.wire.exchange import Headers
from regtrace.wire.scope import parse_scopes
from regtrace.wire.token import (
    DEFAULT_LIFETIME,
    MAX_FORM,
    MAX_REPLY,
    Token,
    TokenReply,
    TokenRequest,
    parse_token,
    read_bearer,
    read_credentials,
    read_token_reply,
    read_token_request,
)
from regtrace.wire.url import parse_url

BASIC = "Basic " + base64.b64encode(b"ann:made-up-password").decode()
PUSH = "repository:x:pull,push"


def get(url: str, authorization: str | None = None) -> TokenRequest | None:
    parsed = parse_url(url)
    assert parsed is not None
    headers = Headers([("Authorization", authorization)] if authorization else [])
    return read_token_request("GET", parsed, headers, b"")


def post(form: str | bytes | None, url: str = "https://auth.example/token") -> TokenRequest | None:
    parsed = parse_url(url)
    assert parsed is not None
    headers = Headers([("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")])
    body = form.encode() if isinstance(form, str) else form
    return read_token_request("POST", parsed, headers, body)


class TestGetForm:
    def test_docker(self) -> None:
        url = "https://auth.example/token?account=ann&scope=repository%3Ax%3Apush%2Cpull&service=s"
        assert get(url, BASIC) == TokenRequest(
            service="s", scopes=parse_scopes(PUSH), account="ann", credentials="basic"
        )

    def test_docker_login(self) -> None:
        url = "https://h/t?account=ann&client_id=docker&offline_token=true&service=s"
        request = get(url, BASIC)
        assert request is not None
        assert (request.client_id, request.offline, request.scopes) == ("docker", True, ())

    @pytest.mark.parametrize(
        "url",
        [
            # Several scopes: repeated, or blanks inside one.
            "https://h/t?service=s&scope=repository:x:pull,push&scope=repository:y:pull",
            "https://h/t?service=s&scope=repository:x:pull,push%20repository:y:pull",
            "https://h/t?service=s&scope=repository:x:pull,push+repository:y:pull",
        ],
    )
    def test_two_scopes(self, url: str) -> None:
        request = get(url)
        assert request is not None
        assert set(request.scopes) == set(parse_scopes(f"{PUSH} repository:y:pull"))
        assert request.credentials == "none"

    @pytest.mark.parametrize(
        "url",
        [
            "https://public.ecr.aws/token/?scope=aws&service=public.ecr.aws",
            "https://gitea.example/v2/token?service=container_registry&scope=*",
            "https://quay.example/v2/auth?service=quay.example",
            "https://gitlab.example/jwt/auth?service=container_registry",
            "https://gar.example/v2/token?scope=repository:p/r/x:pull",
            "https://h/artifactory/api/docker/local/v2/token?service=h&scope=repository:x:pull",
            "https://h/any?scope=registry:catalog:*",
        ],
    )
    def test_other_registries(self, url: str) -> None:
        assert get(url) is not None

    @pytest.mark.parametrize(
        "url",
        [
            "https://git.example/a.git/info/refs?service=git-upload-pack",
            "https://sso.example/cas/login?service=https://app.example/",
            "https://idp.example/authorize?client_id=a&scope=openid+profile&response_type=code",
            "https://github.example/login/oauth?scope=read:org",
            "https://h/token",
            "https://h/token?scope=repository",
            "https://h/v2/x/manifests/y?service=s&scope=repository:x:pull",
            "https://h/v2/",
        ],
    )
    def test_not_a_token_request(self, url: str) -> None:
        assert get(url) is None

    def test_a_bearer_is_no_anonymous_request(self) -> None:
        request = get("https://h/token?service=s", "Bearer made-up")
        assert request is not None
        assert request.credentials == "access_token"


class TestPostForm:
    def test_containerd_password(self) -> None:
        request = post(
            "client_id=containerd-client&grant_type=password&password=made-up-password"
            "&scope=repository%3Ax%3Apull%2Cpush+repository%3Ay%3Apull&service=s&username=ann"
        )
        assert request == TokenRequest(
            service="s",
            scopes=parse_scopes(f"{PUSH} repository:y:pull"),
            account="ann",
            client_id="containerd-client",
            grant_type="password",
            credentials="password",
        )
        assert "made-up-password" not in repr(request)

    def test_containers_image_repeats_the_scope(self) -> None:
        request = post(
            "grant_type=refresh_token&refresh_token=made-up&service=s&client_id=containers/image"
            "&scope=repository:x:pull,push&scope=repository:y:pull&access_type=offline"
        )
        assert request is not None
        assert request.scopes == parse_scopes(f"{PUSH} repository:y:pull")
        assert (request.credentials, request.offline) == ("refresh_token", True)

    @pytest.mark.parametrize("grant", ["access_token", "access_token_refresh_token"])
    def test_acr_exchange(self, grant: str) -> None:
        request = post(
            f"grant_type={grant}&service=r.azurecr.io&tenant=t&access_token=made-up",
            "https://r.azurecr.io/oauth2/exchange",
        )
        assert request is not None
        assert (request.service, request.credentials) == ("r.azurecr.io", "access_token")

    @pytest.mark.parametrize(
        "form",
        [
            None,
            b"",
            b"\xff\xfe",
            "service=s&scope=repository:x:pull",
            "grant_type=client_credentials&client_id=a&service=s",
            # Cloud logins next to a registry's.
            "grant_type=refresh_token&client_id=a&refresh_token=made-up&scope=openid",
            "grant_type=password&client_id=a&username=b&password=c",
            "grant_type=password&service=s&x=" + "y" * MAX_FORM,
            "grant_type=password&service=s" + "&x=y" * 300,
        ],
    )
    def test_not_a_token_request(self, form: str | bytes | None) -> None:
        assert post(form) is None

    def test_an_upload_is_none(self) -> None:
        form = "grant_type=password&service=s"
        assert post(form, "https://h/v2/x/blobs/uploads/") is None
        url = parse_url("https://h/token")
        assert url is not None
        assert read_token_request("POST", url, Headers(), form.encode()) is None
        assert read_token_request("PUT", url, Headers(), form.encode()) is None


class TestReply:
    def test_distribution(self) -> None:
        reply = read_token_reply(
            b'{"token":"made-up","expires_in":300,"issued_at":"2024-05-06T07:08:09.123456789Z"}'
        )
        assert reply is not None
        assert reply.token == parse_token("made-up")
        assert (reply.expires_in, reply.lifetime, reply.refresh) == (300, 300, False)
        assert reply.issued_at == pytest.approx(1714979289.123456789)

    def test_what_is_absent_stays_absent(self) -> None:
        reply = read_token_reply(b'{"token":"made-up"}')
        assert reply is not None
        assert (reply.expires_in, reply.issued_at, reply.scope_text) == (None, None, None)
        assert reply.lifetime == DEFAULT_LIFETIME

    def test_oauth(self) -> None:
        reply = read_token_reply(
            b'{"access_token":"made-up","refresh_token":"secret","scope":"repository:x:pull"}'
        )
        assert reply is not None
        assert reply.token is not None
        assert (reply.refresh, reply.scope_text) == (True, "repository:x:pull")
        assert "secret" not in repr(reply)
        assert "made-up" not in repr(reply)

    @pytest.mark.parametrize(
        ("body", "raw"),
        [
            (b'{"token":"a","access_token":"a"}', "a"),
            (b'{"token":"a","access_token":"b"}', "b"),
            (b'{"token":"a","access_token":""}', "a"),
            (b'{"token":"","access_token":"b"}', "b"),
            (b'{"token":7,"access_token":null}', None),
            (b'{"refresh_token":"acr"}', None),
            (b'{"details":"incorrect username or password"}', None),
            (b"{}", None),
        ],
    )
    def test_which_token(self, body: bytes, raw: str | None) -> None:
        reply = read_token_reply(body)
        assert reply is not None
        assert (reply.token.raw if reply.token else None) == raw

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"[]",
            b'"token"',
            b"null",
            b"\xff",
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b'{"token":"' + b"x" * MAX_REPLY + b'"}',
        ],
        ids=lambda body: repr(body[:12]),
    )
    def test_no_reply(self, body: bytes) -> None:
        assert read_token_reply(body) is None

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("300", 300),
            ('"300"', 300),
            ("300.5", 300.5),
            ("0", 0),
            ("true", None),
            ("null", None),
            ('"soon"', None),
            ("1e999", None),
            ("NaN", None),
            ("9" * 5000, None),
            ("[]", None),
        ],
    )
    def test_expires_in(self, value: str, seconds: float | None) -> None:
        reply = read_token_reply(b'{"expires_in":' + value.encode() + b"}")
        assert reply is not None
        assert reply.expires_in == seconds

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("1970-01-01T00:01:00Z", 60),
            ("1970-01-01 00:01:00", 60),
            ("1970-01-01T02:01:00+02:00", 60),
            ("1969-12-31T23:01:00-01:00", 60),
            ("2024-02-29T00:00:00z", 1709164800),
            ("0001-01-01T00:00:00Z", None),
            ("9999-12-31T23:59:59-23:59", 253402387139),
            ("2024-13-01T00:00:00Z", None),
            ("yesterday", None),
            (1709164800, 1709164800),
            (None, None),
        ],
    )
    def test_issued_at(self, value: Any, seconds: float | None) -> None:
        reply = read_token_reply(json.dumps({"issued_at": value}).encode())
        assert reply is not None
        assert reply.issued_at == seconds


class TestAuthorization:
    def test_bearer_joins_with_its_reply(self) -> None:
        raw = jwt({"sub": "ann"})
        reply = read_token_reply(json.dumps({"token": raw}).encode())
        assert reply is not None
        bearer = read_bearer(Headers([("authorization", f"bearer  {raw} ")]))
        assert bearer == reply.token
        assert bearer is not None
        assert bearer.sha256 == hashlib.sha256(raw.encode()).hexdigest()

    @pytest.mark.parametrize("value", [BASIC, "Bearer", "Bearer ", "", "made-up"])
    def test_no_bearer(self, value: str) -> None:
        assert read_bearer(Headers([("Authorization", value)])) is None
        assert read_bearer(Headers()) is None

    @pytest.mark.parametrize(
        ("value", "scheme", "user"),
        [
            (BASIC, "basic", True),
            ("BASIC " + BASIC[6:], "basic", True),
            ("Basic Og==", "basic", False),  # ":"
            ("Basic !", "basic", False),
            ("Bearer made-up", "bearer", False),
            ("Negotiate made-up", "negotiate", False),
            ("made-up", "other", False),
            ("made-up secret", "other", False),
        ],
    )
    def test_credentials(self, value: str, scheme: str, user: bool) -> None:
        credentials = read_credentials(Headers([("Authorization", value)]))
        assert credentials is not None
        assert (credentials.scheme, credentials.user) == (scheme, user)
        assert value.split()[-1] not in repr(credentials)
        assert credentials.sha256 not in repr(credentials)

    @pytest.mark.parametrize("value", ["", " ", "Basic", "Basic "])
    def test_no_credentials(self, value: str) -> None:
        assert read_credentials(Headers([("Authorization", value)])) is None
        assert read_credentials(Headers()) is None

    def test_equal_credentials_join(self) -> None:
        first = read_credentials(Headers([("Authorization", BASIC)]))
        second = read_credentials(Headers([("authorization", "basic " + BASIC[6:])]))
        assert first == second


@given(st.text())
def test_any_token_is_survived_and_hidden(text: str) -> None:
    token = parse_token("made-up-secret" + text)
    assert "made-up-secret" not in repr(token)
    assert isinstance(parse_token(text), Token)
    headers = Headers([("Authorization", text), ("Authorization", "Bearer " + text)])
    read_bearer(headers)
    read_credentials(headers)


SCALARS: list[Any] = [None, True, -1, 10**18, 1e300, float("nan"), float("inf"), "", "x", "\ud800"]
JSON = st.sampled_from([*SCALARS, SCALARS, [[]], [{}], {}, {"a": {}}])


@given(st.dictionaries(st.sampled_from(["token", "access_token", "expires_in", "issued_at"]), JSON))
def test_any_reply_is_survived(reply: Any) -> None:
    assert isinstance(read_token_reply(json.dumps(reply).encode()), TokenReply)


@given(st.binary())
def test_any_body_is_survived(body: bytes) -> None:
    read_token_reply(body)
    post(body)
    post(b"grant_type=password&service=" + body)


@given(st.text())
def test_any_query_is_survived(text: str) -> None:
    url = parse_url("https://h/t?service=" + text)
    if url is not None:
        read_token_request("GET", url, Headers(), None)
