"""Given this WWW-Authenticate, these challenges come out."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.challenge import MAX_CHALLENGES, MAX_VALUE, Challenge, parse_challenges
from regtrace.wire.scope import parse_scopes


def only(value: str) -> Challenge:
    (challenge,) = parse_challenges([value])
    return challenge


@pytest.mark.parametrize(
    ("value", "scheme", "realm", "service", "scope"),
    [
        # As registries send it.
        (
            'Bearer realm="https://a.example/token",service="s",scope="repository:library/x:pull,push"',
            "bearer",
            "https://a.example/token",
            "s",
            "repository:library/x:pull,push",
        ),
        ('Basic realm="harbor"', "basic", "harbor", None, ""),
        (
            'Basic realm="https://1.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com"',
            "basic",
            "https://1.dkr.ecr.us-east-1.amazonaws.com/",
            "ecr.amazonaws.com",
            "",
        ),
        (
            'Bearer realm="https://public.ecr.aws/token/",service="public.ecr.aws",scope="aws"',
            "bearer",
            "https://public.ecr.aws/token/",
            "public.ecr.aws",
            "aws",
        ),
        (
            'Bearer realm="https://gcr.io/v2/token",service=gcr.io',
            "bearer",
            "https://gcr.io/v2/token",
            "gcr.io",
            "",
        ),
        (
            'BASIC realm="Sonatype Nexus Repository Manager"',
            "basic",
            "Sonatype Nexus Repository Manager",
            None,
            "",
        ),
        (
            'bearer realm="https://zot.example/t",scope=""',
            "bearer",
            "https://zot.example/t",
            None,
            "",
        ),
        (
            'Bearer realm="https://h/v2/token",service="container_registry",scope="*"',
            "bearer",
            "https://h/v2/token",
            "container_registry",
            "*",
        ),
        # A mount asks for two repositories.
        (
            'Bearer realm="r",service="s",scope="repository:x:pull,push repository:y:pull"',
            "bearer",
            "r",
            "s",
            "repository:x:pull,push repository:y:pull",
        ),
        # Deviations.
        ('Bearer realm = "r" , service= "s"', "bearer", "r", "s", ""),
        ('Bearer REALM="r", Service="s"', "bearer", "r", "s", ""),
        ('Bearer realm="r" service="s"', "bearer", "r", "s", ""),
        ('Bearer realm="r"service="s"', "bearer", "r", "s", ""),
        ("Bearer realm=https://h/t?a=b,service=s", "bearer", "https://h/t?a=b", "s", ""),
        ('Bearer realm="https://h/t,service="s"', "bearer", "https://h/t", "s", ""),
        (
            'Bearer realm="https://h/t,service=s,scope="a:b:c"',
            "bearer",
            "https://h/t",
            "s",
            "a:b:c",
        ),
        ('Bearer realm=https://h/t",service="s"', "bearer", "https://h/t", "s", ""),
        ('Bearer realm="https://h/t', "bearer", "https://h/t", None, ""),
        ('Bearer service="s,realm="https://h/t', "bearer", "https://h/t", "s", ""),
        (
            'Bearer service="s",scope="repository:x:pull,push',
            "bearer",
            None,
            "s",
            "repository:x:pull,push",
        ),
        (
            "Bearer scope=repository:x:pull,push,realm=r",
            "bearer",
            "r",
            None,
            "repository:x:pull,push",
        ),
        ("Bearer scope=registry:catalog:*", "bearer", None, None, "registry:catalog:*"),
        (r'Basic realm="say \"hi\" \\ there"', "basic", 'say "hi" \\ there', None, ""),
        (',, Bearer realm="r",,service="s",', "bearer", "r", "s", ""),
        ("Bearer realm=,service=s", "bearer", "", "s", ""),
        ("Bearer realm=", "bearer", "", None, ""),
        ('Bearer realm="r",realm="other"', "bearer", "r", None, ""),
        ("Bearer", "bearer", None, None, ""),
    ],
)
def test_one_challenge(
    value: str, scheme: str, realm: str | None, service: str | None, scope: str
) -> None:
    challenge = only(value)
    assert (challenge.scheme, challenge.realm, challenge.service) == (scheme, realm, service)
    assert challenge.scopes == parse_scopes(scope)


def test_errors() -> None:
    challenge = only(
        'Bearer realm="r",error="insufficient_scope",error_description="need push, not pull"'
    )
    assert challenge.error == "insufficient_scope"
    assert challenge.error_description == "need push, not pull"
    assert challenge.param("error") == "insufficient_scope"
    assert challenge.param("nonce") is None


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        # Gitea: two lines.
        (['Bearer realm="a"', 'Basic realm="b"'], [("bearer", "a"), ("basic", "b")]),
        (['Bearer realm="a",service="s", Basic realm="b"'], [("bearer", "a"), ("basic", "b")]),
        (['Bearer realm="a" Basic realm="b"'], [("bearer", "a"), ("basic", "b")]),
        (['Basic, Bearer realm="a"'], [("basic", None), ("bearer", "a")]),
        (['NTLM, Basic realm="b"'], [("ntlm", None), ("basic", "b")]),
        (['Negotiate bWFkZSB1cA==, Basic realm="b"'], [("negotiate", None), ("basic", "b")]),
        (['Newauth realm="apps", type=1, title="Login, \\"x\\"", Basic realm="b"'],
         [("newauth", "apps"), ("basic", "b")]),
        (["", " , "], []),
        (['realm="no scheme"'], []),
    ],
)  # fmt: skip
def test_several_challenges(values: list[str], seen: list[tuple[str, str | None]]) -> None:
    assert [(found.scheme, found.realm) for found in parse_challenges(values)] == seen


def test_a_handshake_is_not_kept() -> None:
    assert "bWFkZSB1cA" not in repr(only("Negotiate bWFkZSB1cA=="))


def test_the_number_of_challenges_is_bounded() -> None:
    assert len(parse_challenges(["Basic, " * 100] * 3)) == MAX_CHALLENGES
    assert only('Basic realm="' + "x" * (2 * MAX_VALUE)).realm is not None


@given(st.lists(st.text(), max_size=3))
def test_any_text_is_survived(values: list[str]) -> None:
    parse_challenges(values)


@given(st.text(alphabet='ab=", \t\\/:~', max_size=60))
def test_any_punctuation_is_survived(value: str) -> None:
    parse_challenges(["Bearer " + value])


KEYS = st.sampled_from(["realm", "service", "error", "nonce", "error_description"])
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
SCHEMES = st.sampled_from(["Bearer", "BASIC", "digest"])


def quote(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(st.tuples(SCHEMES, st.lists(st.tuples(KEYS, VALUES), min_size=1)), max_size=3))
def test_what_is_written_well_comes_back(
    challenges: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    text = ", ".join(
        f"{scheme} " + ",".join(f"{key}={quote(value)}" for key, value in params)
        for scheme, params in challenges
    )
    expected = [(scheme.lower(), tuple(params)) for scheme, params in challenges]
    assert [(found.scheme, found.params) for found in parse_challenges([text])] == expected


@pytest.mark.parametrize("piece", ['a="\\",', 'a="b,', '"', "a ", "=", '\\"', ',a="\\', "a \t"])
def test_time_grows_with_the_text_only(piece: str) -> None:
    started = time.perf_counter()
    parse_challenges(["Bearer " + piece * 20_000])
    assert time.perf_counter() - started < 1
