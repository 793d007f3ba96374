"""The keys that a registry trusts for tokens: read from the files that its operator gives it.

distribution finds them in ``auth.token.rootcertbundle`` (PEM certificates) and ``auth.token.jwks``
(registry/auth/token/accesscontroller.go); PEM public keys are read too. What a token proves with
them is found in ``signature``.
"""

from __future__ import annotations

import re
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from regtrace.wire.coding import from_base64
from regtrace.wire.jsontext import parse_json

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

#: All that cryptography raises over hostile keys, certificates and signatures, a KeyError for a
#: name in a text type that is none among it (tests/fuzz).
REFUSALS = (
    ValueError,
    TypeError,
    LookupError,
    OverflowError,
    UnsupportedAlgorithm,
    InternalError,
    InvalidSignature,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

#: Bytes of a key file; a bundle of every public CA has some 250 kB.
MAX_KEYS = 1024 * 1024

#: OpenSSL verifies no longer RSA modulus (OPENSSL_RSA_MAX_MODULUS_BITS).
_MOST_RSA_BITS = 16_384

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*-----END \1-----")

_CURVES: Mapping[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_CURVE_NAMES = {curve.name: name for name, curve in _CURVES.items()}


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """One public key and the names by which tokens refer to it (``kid``)."""

    key: PublicKey
    libtrust: str
    """docker/libtrust's fingerprint, ``ABCD:EFGH:…``: what distribution 2.x looks for."""
    thumbprint: str
    """RFC 7638, SHA-256: what distribution 3.x looks for."""
    unpadded: str
    """distribution 3.x's own thumbprint: of an EC key whose coordinate begins with a zero byte it
    leaves that byte out (registry/auth/token/util.go), against RFC 7518 6.2.1.2."""
    name: str | None = None
    """``kid`` in a JWKS."""


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """What a registry trusts: keys by name, and roots that a token's certificates must lead to."""

    keys: tuple[TrustedKey, ...] = ()
    roots: tuple[x509.Certificate, ...] = ()


def load_keys(data: bytes) -> TrustedKeys:
    """The keys of a file: PEM certificates, PEM public keys, or a JWKS (RFC 7517).

    Raises ValueError, in words for the operator, when a part can't be read or no key is there.
    Other PEM blocks are passed over, as in distribution; a private key is refused.
    """
    if len(data) > MAX_KEYS:
        raise ValueError(f"the key file has more than {MAX_KEYS} bytes")
    if data.lstrip()[:1] == b"{":
        return _load_jwks(data)
    keys: list[TrustedKey] = []
    roots: list[x509.Certificate] = []
    for number, block in enumerate(_PEM.finditer(data), 1):
        label = block[1].decode()
        if label.endswith("PRIVATE KEY"):
            raise ValueError(
                f"PEM block {number} is a private key: give its certificate or public key instead"
            )
        if label == "CERTIFICATE":
            certificate = _root(block[0], number)
            roots.append(certificate)
            if (key := key_of(certificate)) is not None:
                keys.append(trusted(key))
        elif label.endswith("PUBLIC KEY"):
            keys.append(trusted(_public_key(block[0], number)))
    if not keys:
        raise ValueError(
            "no key found: give PEM certificates (auth.token.rootcertbundle), PEM public keys, "
            "or a JWKS"
        )
    return TrustedKeys(tuple(keys), tuple(roots))


def window(certificate: x509.Certificate) -> tuple[float, float]:
    """First and last moment at which it is valid (epoch seconds UTC). Raises ValueError."""
    return (
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
    )


def key_of(certificate: x509.Certificate) -> PublicKey | None:
    """The certificate's key; None when it is of a kind that signs no tokens."""
    try:
        return usable(certificate.public_key())
    except REFUSALS:
        return None


def usable(key: object) -> PublicKey | None:
    """This key when tokens may be signed with it: RSA, EC on a NIST curve, Ed25519."""
    if isinstance(key, rsa.RSAPublicKey):
        return key if key.key_size <= _MOST_RSA_BITS else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key if key.curve.name in _CURVE_NAMES else None
    return key if isinstance(key, ed25519.Ed25519PublicKey) else None


def trusted(key: PublicKey, name: str | None = None) -> TrustedKey:
    """This key with all of its names."""
    return TrustedKey(key, _libtrust(key), _thumbprint(key), _thumbprint(key, pad=False), name)


def read_jwk(jwk: object) -> PublicKey | None:
    """The public key of a JWK (RFC 7518 6, RFC 8037 2); None when it is none that signs tokens."""
    if not isinstance(jwk, dict):
        return None
    kind, curve = jwk.get("kty"), jwk.get("crv")
    try:
        if kind == "RSA":
            public = rsa.RSAPublicNumbers(_integer(jwk, "e"), _integer(jwk, "n"))
            return usable(public.public_key()) if _is_sane(public) else None
        if kind == "EC" and isinstance(curve, str) and curve in _CURVES:
            point = (_integer(jwk, "x"), _integer(jwk, "y"))
            return ec.EllipticCurvePublicNumbers(*point, _CURVES[curve]).public_key()
        if kind == "OKP" and curve == "Ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(_octets(jwk, "x"))
    except REFUSALS:
        return None
    return None


def _load_jwks(data: bytes) -> TrustedKeys:
    content = parse_json(data, MAX_KEYS)
    if not isinstance(content, dict):
        raise ValueError("the key file begins like a JWKS but is not valid JSON")
    entries = content.get("keys", [content])
    if not isinstance(entries, list):
        raise ValueError('"keys" of the JWKS is not a list')
    keys: list[TrustedKey] = []
    for entry in entries:
        if (key := read_jwk(entry)) is not None:
            name = entry.get("kid")
            keys.append(trusted(key, name if isinstance(name, str) else None))
    if not keys:
        raise ValueError("the JWKS has no public key that signs tokens (RSA, EC or Ed25519)")
    return TrustedKeys(tuple(keys))


def _root(pem: bytes, number: int) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        window(certificate)
        return certificate
    except REFUSALS as error:
        raise ValueError(
            f"the certificate in PEM block {number} can't be read: {_words(error)}"
        ) from None


def _public_key(pem: bytes, number: int) -> PublicKey:
    try:
        key = usable(load_pem_public_key(pem))
    except REFUSALS as error:
        raise ValueError(
            f"the public key in PEM block {number} can't be read: {_words(error)}"
        ) from None
    if key is None:
        raise ValueError(f"the public key in PEM block {number} is neither RSA, EC nor Ed25519")
    return key


def _words(error: Exception) -> str:
    """The error's first sentence: OpenSSL's have a page of advice behind it."""
    return str(error).partition(". ")[0]


def _is_sane(public: rsa.RSAPublicNumbers) -> bool:
    """Numbers that OpenSSL would take long over are nobody's key."""
    return public.n.bit_length() <= _MOST_RSA_BITS and public.e.bit_length() <= 64


def _octets(jwk: Mapping[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    return from_base64(value) if isinstance(value, str) else b""


def _integer(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_octets(jwk, name), "big")


def _libtrust(key: PublicKey) -> str:
    """240 bits of SHA-256 in twelve groups of base32 (docker/libtrust util.go)."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = b32encode(sha256(spki).digest()[:30]).decode()
    return ":".join(text[at : at + 4] for at in range(0, len(text), 4))


def _thumbprint(key: PublicKey, *, pad: bool = True) -> str:
    """RFC 7638 3: SHA-256 of the key's required members in their order, base64url."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        members = f'{{"e":"{_number(numbers.e)}","kty":"RSA","n":"{_number(numbers.n)}"}}'
    elif isinstance(key, ec.EllipticCurvePublicKey):
        size = (key.curve.key_size + 7) // 8 if pad else 0
        point = key.public_numbers()
        x, y = _number(point.x, size), _number(point.y, size)
        members = f'{{"crv":"{_CURVE_NAMES[key.curve.name]}","kty":"EC","x":"{x}","y":"{y}"}}'
    else:
        x = _base64url(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
        members = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    return _base64url(sha256(members.encode()).digest())


def _number(value: int, size: int = 0) -> str:
    return _base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
