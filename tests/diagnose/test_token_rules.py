"""Refused tokens where a story's own tokens don't reach: real signatures, what a site expects,
times that no clock explains."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from regtrace.diagnose.engine import examine
from regtrace.diagnose.expectations import NOTHING_EXPECTED, Expectations, RegistryExpectation
from regtrace.diagnose.rule import Finding
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.notation import BEGINNING, read_notation
from regtrace.wire.trusted_keys import load_keys
from regtrace.wire.url import parse_url
from wire.jwts import segment

KEY = ec.generate_private_key(ec.SECP256R1())
KEYS = load_keys(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
KEY_ID = KEYS.keys[0].libtrust
CLAIMS = {
    "iss": "auth.example.com",
    "sub": "alice",
    "aud": "registry.test",
    "nbf": BEGINNING,
    "exp": BEGINNING + 300,
    "access": [{"type": "repository", "name": "team/app", "actions": ["pull", "push"]}],
}


def signed(kid: str = KEY_ID, **claims: Any) -> str:
    """A token of this key, or of another when it goes by another name."""
    head = f"{segment({'alg': 'ES256', 'kid': kid})}.{segment(CLAIMS | claims)}"
    key = KEY if kid == KEY_ID else ec.generate_private_key(ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(head.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{head}.{segment(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def push(token: str, answer: str = "401 invalid_token", *, lives: int = 300, wait: str = "") -> str:
    """A push that is refused with this token."""
    return f"""
        client docker/24.0.7
        GET /v2/                     -> 401
        token push,pull team/app     -> 200
          << {{"token": "{token}", "expires_in": {lives}}}
        {wait} POST uploads          -> {answer}
          > Authorization: Bearer {token}
    """


def expecting(**expected: Any) -> Expectations:
    registry = RegistryExpectation(authority="registry.test:443", **expected)
    return Expectations({registry.authority: registry})


def root(story: str, site: Expectations = NOTHING_EXPECTED) -> Finding:
    """What the only operation failed by."""
    (operation,) = tell([decode(exchange) for exchange in read_notation(story)])
    (finding,) = examine(operation, site=site).roots
    return finding


def verdict(story: str, site: Expectations = NOTHING_EXPECTED) -> tuple[str, str, str]:
    found = root(story, site)
    return found.rule.slug, found.fails.confidence.value, found.owner.value


def test_without_keys_the_signature_is_what_is_left() -> None:
    assert verdict(push(signed())) == ("token-signed-by-untrusted-key", "likely", "registry")


def test_with_the_registrys_keys_it_is_proved() -> None:
    slug = "token-signed-by-untrusted-key"
    assert verdict(push(signed(kid="KEYS:OTHER")), expecting(token_keys=KEYS)) == (
        slug,
        "certain",
        "registry",
    )


def test_a_trusted_key_under_another_name_is_told_apart() -> None:
    token = signed().split(".")
    misnamed = f"{segment({'alg': 'ES256', 'kid': 'other'})}.{token[1]}"
    r, s = decode_dss_signature(KEY.sign(misnamed.encode(), ec.ECDSA(hashes.SHA256())))
    misnamed += "." + segment(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    found = root(push(misnamed), expecting(token_keys=KEYS))
    assert found.rule.slug == "token-signed-by-untrusted-key"
    assert "another name" in found.fails.fields["why"].text


def test_where_the_signature_is_good_the_issuer_is_what_is_left() -> None:
    site = expecting(token_keys=KEYS)
    assert verdict(push(signed()), site)[:2] == ("token-issuer-mismatch", "likely")


def test_the_sites_issuer_decides() -> None:
    story = push(signed())
    site = expecting(issuer="harbor-token-issuer")
    assert verdict(story, site) == ("token-issuer-mismatch", "certain", "token-server")
    site = expecting(issuer="auth.example.com")
    assert verdict(story, site)[0] == "token-signed-by-untrusted-key"


def test_the_sites_service_says_who_is_wrong_about_the_audience() -> None:
    story = push(signed(aud="container_registry"))
    assert verdict(story) == ("token-audience-mismatch", "certain", "token-server")
    site = expecting(service="container_registry")
    assert verdict(story, site) == ("token-audience-mismatch", "certain", "registry")


def test_the_sites_realm_is_compared_with_every_challenge() -> None:
    site = expecting(realm=parse_url("https://auth.example.com/token"))
    assert verdict(push(signed()), site) == ("realm-mismatch", "certain", "registry")
    unreachable = "client docker/24.0.7\nGET /v2/ -> 401\nCONNECT auth.test:443 -> ! refused"
    assert verdict(unreachable, site) == ("realm-mismatch", "certain", "registry")
    assert verdict(push(signed()), expecting(realm=parse_url("https://auth.test/token")))[0] == (
        "token-signed-by-untrusted-key"
    )


def test_a_wrong_realm_that_works_is_worth_a_warning() -> None:
    story = (
        "client docker/24.0.7\nGET /v2/ -> 401\ntoken pull team/app -> 200\nGET manifest 1 -> 200"
    )
    found = root(story, expecting(realm=parse_url("https://auth.example.com/token")))
    assert (found.rule.slug, found.severity.value) == ("realm-mismatch", "warning")


def test_a_proved_token_that_the_registry_did_not_get() -> None:
    story = push(signed(), "401").rstrip() + (
        '\n < WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"'
    )
    assert verdict(story)[:2] == ("bearer-lost-before-registry", "likely")
    site = expecting(token_keys=KEYS)
    assert verdict(story, site)[:2] == ("bearer-lost-before-registry", "certain")


@pytest.mark.parametrize(
    ("claims", "judged"),
    [
        ({"nbf": BEGINNING + 600, "exp": BEGINNING + 900}, "not valid yet"),
        ({"nbf": BEGINNING - 900, "exp": BEGINNING - 600}, "already over"),
    ],
)
def test_a_token_server_that_writes_wrong_times(claims: dict[str, float], judged: str) -> None:
    """Both clocks agree, so it is no clock that is wrong."""
    found = root(push(signed(**claims)))
    assert found.rule.slug == "token-clock-skew"
    assert found.owner.value == "token-server"
    assert found.fails.fields["judged"].text == judged
    assert "writes wrong times" in found.fails.fields["culprit"].text


def test_the_site_may_be_stricter_about_clocks() -> None:
    story = push(signed(), "401 invalid_token clock=-30s")
    assert verdict(story)[0] == "token-signed-by-untrusted-key"
    assert verdict(story, expecting(clock_tolerance=5.0))[0] == "token-clock-skew"


def test_a_reply_that_promises_more_than_the_token() -> None:
    story = push(signed(exp=BEGINNING + 60), lives=3600, wait="+80s")
    found = root(story)
    assert found.rule.slug == "token-expired-during-upload"
    assert "expires_in for longer" in found.fails.fields["overstated"].text
    assert "expires_in" not in root(story.replace("3600", "60")).fails.fields["overstated"].text


def test_a_token_that_went_past_this_proxy_still_says_what_it_grants() -> None:
    token = signed(access=[{"type": "repository", "name": "team/app", "actions": ["pull"]}])
    story = f"""
        client docker/24.0.7
        POST uploads                 -> 401 insufficient_scope
          > Authorization: Bearer {token}
    """
    found = root(story)
    assert (found.rule.slug, found.fails.confidence.value) == (
        "token-grants-less-than-asked",
        "certain",
    )
    assert found.fails.evidence[0].where == "request.header.Authorization"
