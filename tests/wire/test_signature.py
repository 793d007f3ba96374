"""Given these trusted keys and this token, that is proved. Keys are generated here."""

from __future__ import annotations

import base64
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hmac import HMAC
from hypothesis import given
from hypothesis import strategies as st
from jwts import segment
from signers import (
    SINCE,
    UNTIL,
    PrivateKey,
    as_json,
    certificate,
    jwk_of,
    pem,
    public_pem,
    sign,
    x5c,
)

from regtrace.proxy.capture import Reader
from regtrace.wire.decode import decode
from regtrace.wire.jwt import split_jws
from regtrace.wire.signature import MAX_CHAIN, Lookup, Proof, Verdict, verify
from regtrace.wire.token import parse_token
from regtrace.wire.trusted_keys import TrustedKeys, load_keys

EC = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()
ROOT = certificate(EC, "root")
KEYS = load_keys(pem(ROOT))
(KEY,) = KEYS.keys
SIGNED = sign(EC, "ES256", {"kid": KEY.libtrust})

SIGNERS: dict[str, PrivateKey] = {
    "ES256": EC,
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ED,
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSA),
}


def prove(raw: str, keys: TrustedKeys = KEYS) -> Proof:
    return verify(parse_token(raw), keys)


# --- algorithms --------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_every_algorithm(algorithm: str) -> None:
    keys = load_keys(public_pem(SIGNERS[algorithm].public_key()))
    raw = sign(SIGNERS[algorithm], algorithm, {"kid": keys.keys[0].thumbprint})
    assert prove(raw, keys) == Proof(
        verdict=Verdict.SIGNED,
        algorithm=algorithm,
        key_id=keys.keys[0].thumbprint,
        lookup=Lookup.THUMBPRINT,
    )
    head, claims, signature = raw.split(".")
    forged = f"{head}.{segment({'iss': 'auth.test', 'sub': 'root'})}.{signature}"
    assert prove(forged, keys).verdict is Verdict.BAD_SIGNATURE
    assert prove(f"{head}.{claims}.", keys).verdict is Verdict.BAD_SIGNATURE
    assert prove(f"{head}.{claims}.{signature[:-8]}", keys).verdict is Verdict.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_an_algorithm_of_another_kind_of_key_proves_nothing(algorithm: str) -> None:
    raw = sign(SIGNERS[algorithm], algorithm, {"kid": "a"})
    for signer in {id(key): key for key in SIGNERS.values()}.values():
        (key,) = load_keys(public_pem(signer.public_key())).keys
        named = TrustedKeys((type(key)(key.key, "l", "t", "u", "a"),))
        expected = Verdict.SIGNED if signer is SIGNERS[algorithm] else Verdict.BAD_SIGNATURE
        assert prove(raw, named).verdict is expected


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 5, [], "ES256K"])
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_a_token_without_an_algorithm_is_never_trusted(algorithm: Any, signature: str) -> None:
    head = segment({"alg": algorithm, "kid": KEY.libtrust, "x5c": x5c(ROOT)})
    proof = prove(f"{head}.{segment({})}.{signature}")
    assert proof.verdict is Verdict.UNSUPPORTED
    assert proof.lookup is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_whoever_knows_the_public_key_can_not_sign_with_it(algorithm: str) -> None:
    for secret in (public_pem(EC.public_key()), pem(ROOT)):
        signed = f"{segment({'alg': algorithm, 'kid': KEY.libtrust})}.{segment({})}"
        digest = {"HS256": hashes.SHA256(), "HS384": hashes.SHA384()}.get(algorithm)
        mac = HMAC(secret, digest or hashes.SHA512())
        mac.update(signed.encode())
        assert prove(f"{signed}.{segment(mac.finalize())}").verdict is Verdict.UNSUPPORTED


@pytest.mark.parametrize("raw", ["", "made-up", "a.b.c", "..", f"{segment({})}.{segment([])}.x"])
def test_an_opaque_token_proves_nothing(raw: str) -> None:
    assert prove(raw) == Proof(verdict=Verdict.OPAQUE)


# --- how a token names its key -----------------------------------------------------------------


def test_the_key_id_of_distribution_2() -> None:
    proof = prove(sign(EC, "ES256", {"kid": KEY.libtrust}))
    assert (proof.verdict, proof.lookup) == (Verdict.SIGNED, Lookup.LIBTRUST)


def test_the_name_in_a_jwks() -> None:
    keys = load_keys(as_json({"keys": [{**jwk_of(EC), "kid": "2026-11"}]}))
    proof = prove(sign(EC, "ES256", {"kid": "2026-11"}), keys)
    assert (proof.verdict, proof.key_id, proof.lookup) == (Verdict.SIGNED, "2026-11", Lookup.JWKS)


def test_a_key_that_the_registry_does_not_know() -> None:
    (other,) = load_keys(public_pem(OTHER.public_key())).keys
    proof = prove(sign(OTHER, "ES256", {"kid": other.libtrust}))
    assert proof == Proof(verdict=Verdict.UNTRUSTED, algorithm="ES256", key_id=other.libtrust)


def test_a_trusted_key_under_a_name_that_the_registry_does_not_know() -> None:
    for header in ({"kid": "key-1"}, {}):
        proof = prove(sign(EC, "ES256", header))
        assert (proof.verdict, proof.key_id) == (Verdict.UNTRUSTED, header.get("kid"))
        assert proof.signer == KEY.libtrust


@pytest.mark.parametrize("kid", ["", None, 5, ["a"], {"a": 1}, "k" * 5000])
def test_a_kid_that_is_no_name(kid: Any) -> None:
    proof = prove(sign(OTHER, "ES256", {"kid": kid}))
    assert (proof.verdict, proof.key_id) == (Verdict.UNTRUSTED, None)


def test_the_key_itself_in_the_header() -> None:
    proof = prove(sign(EC, "ES256", {"jwk": jwk_of(EC)}))
    assert proof == Proof(
        verdict=Verdict.SIGNED, algorithm="ES256", key_id=KEY.libtrust, lookup=Lookup.JWK
    )


def test_a_strangers_key_in_the_header_is_not_trusted_for_being_there() -> None:
    (other,) = load_keys(public_pem(OTHER.public_key())).keys
    proof = prove(sign(OTHER, "ES256", {"jwk": jwk_of(OTHER)}))
    assert (proof.verdict, proof.key_id) == (Verdict.UNTRUSTED, other.libtrust)
    borrowed = prove(sign(OTHER, "ES256", {"jwk": {**jwk_of(OTHER), "kid": KEY.thumbprint}}))
    assert borrowed.verdict is Verdict.BAD_SIGNATURE


@pytest.mark.parametrize("jwk", ["x", 5, [], {}, {"kty": "oct", "k": "AAAA"}, True])
def test_a_jwk_that_is_no_key(jwk: Any) -> None:
    assert prove(sign(OTHER, "ES256", {"jwk": jwk})).verdict is Verdict.UNTRUSTED


# --- certificates ------------------------------------------------------------------------------


def test_the_root_itself_in_the_token() -> None:
    proof = prove(sign(EC, "ES256", {"x5c": x5c(ROOT)}))
    assert (proof.verdict, proof.lookup) == (Verdict.SIGNED, Lookup.X5C)
    assert proof.key_id == KEY.libtrust
    assert (proof.valid_from, proof.valid_until) == (SINCE.timestamp(), UNTIL.timestamp())


def test_a_chain_to_the_root_holds_as_long_as_its_shortest_certificate() -> None:
    middle_key, leaf_key = OTHER, RSA
    early, late = (datetime(2026, month, 1, tzinfo=timezone.utc) for month in (3, 6))
    middle = certificate(middle_key, "middle", ("root", EC), until=late)
    leaf = certificate(leaf_key, "leaf", ("middle", middle_key), ca=False, since=early)
    proof = prove(sign(leaf_key, "RS256", {"x5c": x5c(leaf, middle)}))
    assert (proof.verdict, proof.lookup) == (Verdict.SIGNED, Lookup.X5C)
    assert (proof.valid_from, proof.valid_until) == (early.timestamp(), late.timestamp())
    assert prove(sign(leaf_key, "RS256", {"x5c": x5c(leaf)})).verdict is Verdict.UNTRUSTED
    with_root = prove(sign(leaf_key, "RS256", {"x5c": x5c(leaf, ROOT, middle, ROOT)}))
    assert with_root.verdict is Verdict.SIGNED


def test_a_trusted_certificate_and_a_strangers_signature() -> None:
    proof = prove(sign(OTHER, "ES256", {"x5c": x5c(ROOT)}))
    assert (proof.verdict, proof.key_id) == (Verdict.BAD_SIGNATURE, KEY.libtrust)


def test_the_chain_in_a_jwk() -> None:
    proof = prove(sign(EC, "ES256", {"jwk": {**jwk_of(EC), "x5c": x5c(ROOT)}}))
    assert (proof.verdict, proof.lookup) == (Verdict.SIGNED, Lookup.X5C)


@pytest.mark.parametrize(
    ("leaf", "why"),
    [
        (certificate(OTHER, "stranger"), "signed by itself"),
        (certificate(OTHER, "root"), "a root's name, not its key"),
        (certificate(OTHER, "leaf", ("root", OTHER)), "says root, signed by another"),
        (certificate(OTHER, "leaf", ("other", EC)), "the root's key under another name"),
    ],
)
def test_a_certificate_that_leads_to_no_root(leaf: x509.Certificate, why: str) -> None:
    proof = prove(sign(OTHER, "ES256", {"x5c": x5c(leaf, ROOT)}))
    assert proof.verdict is Verdict.UNTRUSTED, why
    assert proof.key_id == load_keys(public_pem(OTHER.public_key())).keys[0].libtrust
    assert proof.valid_until is None


@pytest.mark.parametrize("constraint", [{"ca": False}, {"ca": None}, {"cert_sign": False}])
def test_a_certificate_that_may_not_issue_issues_nothing(constraint: dict[str, Any]) -> None:
    root = certificate(EC, "root", **constraint)
    leaf = certificate(OTHER, "leaf", ("root", EC), ca=False)
    keys = load_keys(pem(root))
    assert prove(sign(OTHER, "ES256", {"x5c": x5c(leaf)}), keys).verdict is Verdict.UNTRUSTED
    assert prove(sign(EC, "ES256", {"x5c": x5c(root)}), keys).verdict is Verdict.SIGNED


def test_a_renewed_certificate_of_a_known_key_is_said_to_be_that_key() -> None:
    keys = load_keys(pem(certificate(EC, "root", ca=False)))
    renewed = certificate(EC, "root", ca=False)
    proof = prove(sign(EC, "ES256", {"x5c": x5c(renewed)}), keys)
    assert (proof.verdict, proof.signer) == (Verdict.UNTRUSTED, KEY.libtrust)


@pytest.mark.parametrize(
    "chain", ["x", 5, {"a": 1}, [None], [5], ["!"], ["AAAA"], ["\ud800"], [[]], [{}], [""]]
)
def test_certificates_that_are_none(chain: Any) -> None:
    proof = prove(sign(OTHER, "ES256", {"x5c": chain}))
    assert (proof.verdict, proof.key_id) == (Verdict.UNTRUSTED, None)


def test_an_empty_chain_leaves_the_kid() -> None:
    assert prove(sign(EC, "ES256", {"x5c": [], "kid": KEY.libtrust})).verdict is Verdict.SIGNED


def test_a_hostile_chain_costs_no_more_than_its_bound() -> None:
    same_name = [certificate(OTHER, "root", ("root", EC)) for _ in range(MAX_CHAIN)]
    raw = sign(OTHER, "ES256", {"x5c": x5c(*same_name, *same_name)})
    assert prove(raw).verdict is Verdict.SIGNED
    assert prove(raw, load_keys(pem(certificate(RSA, "root")))).verdict is Verdict.UNTRUSTED


# --- strangers ---------------------------------------------------------------------------------

ODD: list[Any] = [None, True, 1, -1.5, "", "x", "AAAA", "\ud800", [], {}, [[]], {"kty": "EC"}]
JWKS = st.dictionaries(
    st.sampled_from(["kty", "crv", "x", "y", "n", "e", "x5c", "kid"]), st.sampled_from(ODD)
)
CHAINS = st.lists(st.binary().map(base64.b64encode).map(bytes.decode))
HEADERS = st.fixed_dictionaries(
    {"alg": st.sampled_from([*SIGNERS, "none", "HS256", *ODD])},
    optional={
        "kid": st.sampled_from([KEY.libtrust, *ODD]),
        "jwk": st.sampled_from([jwk_of(EC), *ODD]) | JWKS,
        "x5c": st.sampled_from([x5c(ROOT), *ODD]) | CHAINS,
    },
)


@given(HEADERS, st.binary(max_size=200))
def test_nobody_forges_a_token(header: dict[str, Any], signature: bytes) -> None:
    proof = prove(f"{segment(header)}.{segment({'sub': 'root'})}.{segment(signature)}")
    assert proof.verdict not in {Verdict.SIGNED, Verdict.OPAQUE}


@given(st.text(min_size=1).filter(lambda text: text.strip("=") != ""))
def test_any_token_is_judged(text: str) -> None:
    assert prove(text).verdict in Verdict
    assert prove(SIGNED + text).verdict is not Verdict.SIGNED


# --- a real registry's tokens ------------------------------------------------------------------

CAPTURES = Path(__file__).parents[2] / "captures"


@pytest.mark.parametrize("name", ["docker-push-ok", "skopeo-push-ok", "docker-push-413"])
def test_tokens_of_a_real_push_are_signed_by_their_servers_key(name: str) -> None:
    with (CAPTURES / f"{name}.mitm").open("rb") as stream:
        legs = [decode(exchange) for exchange in Reader(name, stream)]
    replies = [leg.token_reply.token for leg in legs if leg.token_reply and leg.token_reply.token]
    bearers = [leg.bearer for leg in legs if leg.bearer]
    assert replies
    assert bearers
    jws = split_jws(replies[0].raw)
    assert jws is not None
    own = x509.load_der_x509_certificate(base64.b64decode(jws.header["x5c"][0]))
    for token in [*replies, *bearers]:
        assert verify(token, load_keys(pem(own))).verdict is Verdict.SIGNED
        assert verify(token, KEYS).verdict is Verdict.UNTRUSTED
