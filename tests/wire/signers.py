"""Keys, certificates and signed tokens for the tests. All are made up, and made anew each time."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwts import segment

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = Any

#: When every certificate begins and ends to be valid.
SINCE = datetime(2026, 1, 1, tzinfo=timezone.utc)
UNTIL = datetime(2027, 1, 1, tzinfo=timezone.utc)

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


def certificate(
    key: PrivateKey,
    name: str = "signer",
    issuer: tuple[str, PrivateKey] | None = None,
    *,
    ca: bool | None = True,
    since: datetime = SINCE,
    until: datetime = UNTIL,
    cert_sign: bool = True,
) -> x509.Certificate:
    """Self-signed without an issuer. ``ca`` None leaves out the basic constraints."""
    issuer_name, issuer_key = issuer or (name, key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer_name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if not cert_sign:
        builder = builder.add_extension(_USAGE_WITHOUT_CERT_SIGN, critical=True)
    algorithm = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(issuer_key, algorithm)


_USAGE_WITHOUT_CERT_SIGN = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def sign(
    key: PrivateKey, algorithm: str, header: Mapping[str, Any] | None = None, **claims: Any
) -> str:
    """A JWT with this ``alg``, as a token server signs it."""
    head = segment({"typ": "JWT", "alg": algorithm, **(header or {})})
    signed = f"{head}.{segment({'iss': 'auth.test', **claims})}"
    return f"{signed}.{segment(_signature(key, algorithm, signed.encode()))}"


def _signature(key: PrivateKey, algorithm: str, signed: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(signed)
    digest = _HASHES[algorithm[2:]]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.curve.key_size + 7) // 8
        numbers = decode_dss_signature(key.sign(signed, ec.ECDSA(digest)))
        return b"".join(number.to_bytes(size, "big") for number in numbers)
    if algorithm.startswith("PS"):
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return key.sign(signed, scheme, digest)
    return key.sign(signed, padding.PKCS1v15(), digest)


def x5c(*chain: x509.Certificate) -> list[str]:
    return [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]


def pem(one: x509.Certificate) -> bytes:
    return one.public_bytes(Encoding.PEM)


def public_pem(key: PublicKey) -> bytes:
    content: bytes = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return content


def private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def jwk_of(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    point = key.public_key().public_numbers()
    x, y = (segment(number.to_bytes(32, "big")) for number in (point.x, point.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()
