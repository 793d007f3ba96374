"""What a token says of itself. All tokens are made up."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwts import jwt, segment

from regtrace.wire.jwt import MAX_JWT, Jwt, parse_jwt
from regtrace.wire.scope import Scope, parse_scopes

PUSH = "repository:x:pull,push"


class TestJwt:
    def test_distribution(self) -> None:
        token = parse_jwt(
            jwt(
                {
                    "iss": "auth.example",
                    "sub": "ann",
                    "aud": "registry.example",
                    "exp": 1300,
                    "nbf": 990,
                    "iat": 1000,
                    "jti": "id-1",
                    "access": [{"type": "repository", "name": "x", "actions": ["push", "pull"]}],
                },
                {"alg": "ES256", "typ": "JWT", "kid": "AB:CD", "x5c": ["MII"]},
            )
        )
        assert token is not None
        assert (token.header.alg, token.header.typ, token.header.kid) == ("ES256", "JWT", "AB:CD")
        assert (token.header.x5c, token.header.jwk) == (True, False)
        assert (token.issuer, token.subject, token.id) == ("auth.example", "ann", "id-1")
        assert token.audience == ("registry.example",)
        assert (token.not_before, token.issued, token.expires) == (990, 1000, 1300)
        assert token.access == parse_scopes(PUSH)
        assert token.other_claims == ()

    @pytest.mark.parametrize(
        ("claims", "access"),
        [
            ({"access": []}, ()),
            ({"access": None}, ()),
            # zot: an expiry per entry; Docker Hub: parameters; GitLab: meta.
            (
                {"access": [{"type": "repository", "name": "x", "actions": ["pull"], "expiry": 1}]},
                parse_scopes("repository:x:pull"),
            ),
            (
                {"access": [{"type": "repository", "class": "plugin", "name": "x",
                             "actions": ["pull"], "parameters": {"pull_limit": "100"}}]},
                parse_scopes("repository(plugin):x:pull"),
            ),
            # Keys in another case.
            (
                {"access": [{"Type": "repository", "Name": "x", "Actions": ["pull"]}]},
                parse_scopes("repository:x:pull"),
            ),
            (
                {"access": [{"type": "repository", "name": "x", "actions": None}]},
                (Scope("repository", name="x"),),
            ),
            # What does not say: Artifactory, ACR's refresh token, Gitea, and nonsense.
            ({"scp": "applied-permissions/user api:*"}, None),
            ({"grant_type": "refresh_token", "permissions": {"actions": ["read"]}}, None),
            ({"UserID": 1}, None),
            ({"access": "repository:x:pull"}, None),
            ({"access": ["repository:x:pull"]}, None),
            ({"access": {"repository": "x"}}, None),
        ],
    )  # fmt: skip
    def test_access(self, claims: dict[str, Any], access: tuple[Scope, ...] | None) -> None:
        token = parse_jwt(jwt(claims))
        assert token is not None
        assert token.access == access

    def test_other_claims_by_name_only(self) -> None:
        token = parse_jwt(jwt({"sub": "", "context": {"user": "ann"}, "auth_type": "x"}))
        assert token is not None
        assert token.other_claims == ("auth_type", "context")
        assert token.subject == ""

    @pytest.mark.parametrize(
        ("claim", "audience"),
        [("a", ("a",)), (["a", "b"], ("a", "b")), ([1, "a"], ("a",)), (None, ()), ({}, ())],
    )
    def test_audience(self, claim: Any, audience: tuple[str, ...]) -> None:
        token = parse_jwt(jwt({"aud": claim}))
        assert token is not None
        assert token.audience == audience

    @pytest.mark.parametrize(
        "raw",
        [
            "",
            "opaque",
            "DockerToken.00000000-0000-0000-0000-000000000000",
            "a.b",
            "a.b.c",
            "a.b.c.d.e",
            f"{segment([])}.{segment({})}.c",
            f"{segment({})}.{segment([])}.c",
            f"{segment({})}.{segment(b'[' * 10_000)}.c",
            "é.é.é",
            jwt({"x": "y" * MAX_JWT}),
        ],
        ids=lambda raw: raw[:16],
    )
    def test_opaque(self, raw: str) -> None:
        assert parse_jwt(raw) is None

    def test_padding_and_the_other_alphabet_are_accepted(self) -> None:
        content = json.dumps({"iss": "ÿ?>~~"}, ensure_ascii=False).encode()
        raw = f"{segment({})}==.{base64.b64encode(content).decode()}.c"
        token = parse_jwt(raw)
        assert token is not None
        assert token.issuer == "ÿ?>~~"


SCALARS: list[Any] = [None, True, -1, 10**18, 1e300, float("nan"), float("inf"), "", "x", "\ud800"]
JSON = st.sampled_from([*SCALARS, SCALARS, [[]], [{}], {}, {"a": {}}])
ENTRY = st.dictionaries(st.sampled_from(["type", "name", "class", "actions"]), JSON)
CLAIMS = st.dictionaries(
    st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "access", "kid", "alg", "x"]),
    JSON | st.lists(ENTRY, max_size=2),
)


@given(CLAIMS, CLAIMS)
def test_any_claims_are_survived(header: Any, claims: Any) -> None:
    assert isinstance(parse_jwt(jwt(claims, header or {"alg": "none"})), Jwt)
