"""Key files of operators: what is read, and what is said when nothing can be."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from signers import certificate, pem, private_pem, public_pem

from regtrace.wire.trusted_keys import MAX_KEYS, TrustedKeys, load_keys, read_jwk

EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()

#: The example of RFC 7638 3.1, with its thumbprint.
RFC_7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJ"
    "ECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Qvz"
    "qY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0"
    "fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}
#: The example of RFC 8037 A.2, A.3.
RFC_8037 = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}


def jwks(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


def test_a_bundle_of_certificates_gives_roots_and_named_keys() -> None:
    keys = load_keys(pem(certificate(EC)) + b"\n# a comment\n" + pem(certificate(RSA)))
    assert len(keys.roots) == 2
    assert [key.key for key in keys.keys] == [EC.public_key(), RSA.public_key()]
    assert keys.keys[0].libtrust.count(":") == 11
    assert all(len(group) == 4 for group in keys.keys[0].libtrust.split(":"))


@pytest.mark.parametrize("signer", [EC, RSA, ED], ids=["ec", "rsa", "ed25519"])
def test_a_public_key_alone_is_trusted_without_being_a_root(
    signer: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
) -> None:
    keys = load_keys(public_pem(signer.public_key()))
    assert [key.key for key in keys.keys] == [signer.public_key()]
    assert keys.roots == ()


def test_the_thumbprints_of_the_rfcs() -> None:
    rsa_key, okp_key = load_keys(jwks(RFC_7638, RFC_8037)).keys
    assert rsa_key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert rsa_key.name == "2011-04-29"
    assert okp_key.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert okp_key.name is None


def test_a_coordinate_with_a_zero_in_front_has_two_thumbprints() -> None:
    signer = next(
        key
        for key in (ec.derive_private_key(number, ec.SECP256R1()) for number in range(1, 2000))
        if key.public_key().public_numbers().x.bit_length() <= 248
    )
    (short,) = load_keys(public_pem(signer.public_key())).keys
    assert short.thumbprint != short.unpadded
    (usual,) = load_keys(public_pem(ec.derive_private_key(1, ec.SECP256R1()).public_key())).keys
    assert usual.thumbprint == usual.unpadded


def test_a_single_jwk_is_a_set_of_one() -> None:
    assert len(load_keys(b"\n " + json.dumps(RFC_8037).encode()).keys) == 1


def test_a_symmetric_key_in_a_jwks_is_passed_over() -> None:
    secret = {"kty": "oct", "k": base64.b64encode(b"made up").decode(), "kid": "a"}
    assert len(load_keys(jwks(secret, RFC_8037)).keys) == 1
    with pytest.raises(ValueError, match="no public key that signs tokens"):
        load_keys(jwks(secret))


def test_the_private_half_in_a_jwks_is_not_read() -> None:
    (key,) = load_keys(jwks({**RFC_8037, "d": "made-up"})).keys
    assert isinstance(key.key, ed25519.Ed25519PublicKey)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no key found"),
        (b"\x30\x82\x01\x0a", "no key found"),
        (b"-----BEGIN CERTIFICATE-----", "no key found"),
        (pem(certificate(EC)).replace(b"M", b"!", 5), "certificate in PEM block 1 can't be read"),
        (
            public_pem(EC.public_key()).replace(b"-\nM", b"-\nN", 1),
            "public key in PEM block 1 can't be read",
        ),
        (
            public_pem(dsa.generate_private_key(1024).public_key()),
            "neither RSA, EC nor Ed25519",
        ),
        (private_pem(EC), "private key: give its certificate"),
        (pem(certificate(EC)) + private_pem(EC), "PEM block 2 is a private key"),
        (b"{", "not valid JSON"),
        (b'{"keys":{}}', "not a list"),
        (b'{"keys":[]}', "no public key"),
        (b'{"keys":[1,null,"x",{"kty":"EC"}]}', "no public key"),
        (b" " * (MAX_KEYS + 1), "more than"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load_keys(data)


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        [],
        {},
        {"kty": "RSA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "n": "_" * 8000, "e": "AQAB"},
        {"kty": "RSA", "n": RFC_7638["n"], "e": "_" * 4000},
        {"kty": "RSA", "n": 5, "e": []},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": ["P-256"], "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "\ud800"},
        {"kty": ["EC"]},
    ],
)
def test_what_is_no_key(jwk: object) -> None:
    assert read_jwk(jwk) is None


PARTS = st.sampled_from(
    [
        b"-----BEGIN CERTIFICATE-----\n",
        b"-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\n",
        b"-----END PUBLIC KEY-----\n",
        pem(certificate(EC)),
        public_pem(ED.public_key()),
        b'{"keys":[',
        json.dumps(RFC_8037).encode(),
        b"]}",
    ]
)


@given(st.lists(PARTS | st.binary(max_size=20), max_size=6).map(b"".join))
def test_any_file_gives_keys_or_a_reason(data: bytes) -> None:
    try:
        keys: TrustedKeys | None = load_keys(data)
    except ValueError:
        keys = None
    assert keys is None or keys.keys
