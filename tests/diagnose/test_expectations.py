"""What a site says of itself is read whole, or refused with the line and what would be right."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from regtrace.diagnose.expectations import (
    NOTHING_EXPECTED,
    Expectations,
    RegistryExpectation,
    parse_expectations,
)
from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rules import CATALOGUE
from regtrace.diagnose.yamltext import MOST, Mistake
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation
from regtrace.wire.signature import Verdict
from regtrace.wire.token import Token, parse_token
from regtrace.wire.trusted_keys import load_keys
from regtrace.wire.url import Url

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
KEY_ID = load_keys(PEM).keys[0].libtrust

PUSH = """
registry https://registry.test:5050
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
"""

WHOLE = """
registries:
  registry.test:5050:
    realm: https://AUTH.test/token
    service: registry.test
    issuer: auth.test
    storage: [s3.test:9000, "bucket.s3.test"]
    token_keys: keys/token.pem
    clock_tolerance: 30
    max_body: 100m
    read_timeout: 60s
  other.test: # nothing is known of it
"""


def no_file(name: str) -> bytes:
    raise FileNotFoundError(2, "No such file or directory")


def parsed(text: str) -> Expectations:
    return parse_expectations(text, "site.yml", CATALOGUE, lambda name: PEM)


def mistake(text: str) -> str:
    with pytest.raises(Mistake) as caught:
        parse_expectations(text, "site.yml", CATALOGUE, no_file)
    return str(caught.value)


def token(key: ec.EllipticCurvePrivateKey) -> Token:
    def segment(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    head = json.dumps({"alg": "ES256", "kid": KEY_ID}).encode()
    signed = f"{segment(head)}.{segment(b'{}')}"
    numbers = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    signature = b"".join(number.to_bytes(32, "big") for number in numbers)
    return parse_token(f"{signed}.{segment(signature)}")


def facts(site: Expectations) -> Facts:
    (operation,) = tell([decode(exchange) for exchange in read_notation(PUSH)])
    return Facts(operation, site)


def test_all_that_can_be_said() -> None:
    site = parsed(WHOLE)
    assert site.registries["registry.test:5050"] == RegistryExpectation(
        authority="registry.test:5050",
        realm=Url("https", "auth.test", 443, "/token"),
        service="registry.test",
        issuer="auth.test",
        storage=frozenset({"s3.test:9000", "bucket.s3.test:443"}),
        token_keys=load_keys(PEM),
        clock_tolerance=30.0,
        max_body=100 * 2**20,
        read_timeout=60.0,
    )
    assert site.registries["other.test:443"] == RegistryExpectation(authority="other.test:443")


def test_a_registry_is_found_by_its_host_whatever_stands_before_v2() -> None:
    site = parsed(WHOLE)
    known = site.registries["registry.test:5050"]
    assert site.for_registry("registry.test:5050") is known
    assert site.for_registry("registry.test:5050/artifactory") is known
    assert site.for_registry("registry.test:443") is None
    assert site.for_registry(None) is None


def test_facts_know_what_is_expected_of_their_registry() -> None:
    assert facts(parsed(WHOLE)).expected == parsed(WHOLE).registries["registry.test:5050"]
    assert facts(NOTHING_EXPECTED).expected is None


def test_who_signed_a_token_is_proved_with_the_registrys_keys_alone() -> None:
    own, other = token(KEY), token(ec.generate_private_key(ec.SECP256R1()))
    with_keys, without = facts(parsed(WHOLE)), facts(NOTHING_EXPECTED)
    for raw, verdict in ((own, Verdict.SIGNED), (other, Verdict.BAD_SIGNATURE)):
        proof = with_keys.proof(raw)
        assert proof is not None
        assert proof.verdict is verdict
        assert without.proof(raw) is None


def test_keys_stand_in_the_file_itself_too() -> None:
    inline = "\n".join(f"      {line}" for line in PEM.decode().splitlines())
    text = f"registries:\n  a.test:\n    token_keys:\n    - |\n{inline}\n    - other.pem\n"
    keys = parsed(text).registries["a.test:443"].token_keys
    assert keys is not None
    assert [key.libtrust for key in keys.keys] == [KEY_ID, KEY_ID]


@pytest.mark.parametrize(
    ("size", "count"),
    [("1", 1), ("10 MB", 10**7), ("10m", 10 * 2**20), ("1.5GiB", 3 * 2**29), ("2kb", 2000)],
)
def test_sizes(size: str, count: int) -> None:
    text = f"registries: {{a.test: {{max_body: {size}}}}}"
    assert parsed(text).registries["a.test:443"].max_body == count


def test_an_empty_file_says_nothing() -> None:
    for text in ("", "# later\n", "registries:\nsuppress:\n", "{}"):
        assert parsed(text) == Expectations()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("registry:\n  a.test: {}", "line 1: unknown registry; did you mean registries?"),
        ("registries:\n\n  https://a.test: {}", "line 3: https://a.test is a URL; write host:port"),
        ("registries:\n  a.test/x: {}", "line 2: a.test/x is no host"),
        ("registries:\n  a.test:99999: {}", "line 2: a.test:99999 is no host"),
        ("registries:\n  a.test: {relm: x}", "line 2: unknown relm; did you mean realm?"),
        ("registries:\n  a.test: {xyz: x}", "there are realm, service, issuer"),
        ("registries:\n  a.test: {service: 5}", "service: 5 is read as a number; put it in quotes"),
        ("registries:\n  a.test: {service: [a]}", "service: expected text, found a list"),
        ("registries:\n  a.test: {realm: auth}", "auth is no URL; write it like https://"),
        ("registries:\n  a.test: {}\n  a.test: {}", "line 3: a.test stands in line 2 too"),
        ("registries:\n  a.test: {}\n  A.test:443: {}", "line 3: a.test:443 is described twice"),
        ("registries: [1]", "registries: expected a mapping (name: value), found a list"),
        ("registries:\n  a.test: {token_keys: x.pem}", "x.pem: can't be read: No such file"),
        ("registries:\n  a.test: {token_keys: '{}'}", "token_keys: the JWKS has no public key"),
        ("registries:\n  a.test: {clock_tolerance: 1 min}", "no number of seconds; write it like"),
        ("registries:\n  a.test: {max_body: 0}", "leave it out where there is no limit"),
        ("registries:\n  a.test: {max_body: 1 ell}", "1 ell is no size; write it like 100m"),
        ("- a", "the file: expected a mapping (name: value), found a list"),
        ("? [a]\n: b", "expected a single value, found a list"),
        ("!!python/object:os.system {}", "expected a mapping (name: value), found something else"),
        ("a: [", "line 1: no valid YAML: while parsing a flow node: expected the node"),
        ("\n\ta: b", "line 2: no valid YAML: while scanning for the next token: found char"),
        ("a: 1\nb: \x00", "line 2: no valid YAML: a control character"),
        ("a: 1\n---\nb: 1", "line 2: no valid YAML: expected a single document"),
        ("a: &x [1]\nb: [*x, *x]", "line 2: the alias *x is not read; write the value out"),
        ("[" * 100_000, "more than 20 levels deep"),
        ("#" * (MOST + 1), "site.yml: has more than 131072 characters"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_would_be_right(text: str, words: str) -> None:
    said = mistake(text)
    assert said.startswith("site.yml")
    assert words in said


def test_a_private_key_is_refused() -> None:
    block = "-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----"
    text = f'registries:\n  a.test:\n    token_keys: "{block}"'
    assert "line 3: token_keys: PEM block 1 is a private key" in mistake(text)


@given(st.text(alphabet=st.sampled_from("registies: \n-[]{}&*!|>\"'#a.t0\\\t,?%@"), max_size=80))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    for whole in (text, f"registries:\n  a.test:\n    {text}", f"suppress: {text}"):
        with contextlib.suppress(Mistake):
            assert isinstance(parsed(whole), Expectations)


def test_the_example_of_the_readme_is_right() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (example,) = (part for part in readme.split("```") if part.startswith("yaml\nregistries:"))
    site = parsed(example.removeprefix("yaml\n"))
    (registry,) = site.registries.values()
    assert registry.realm
    assert registry.token_keys
    assert registry.max_body
    assert site.suppressions
