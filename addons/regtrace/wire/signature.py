"""Did a key that the registry trusts sign this token?

Keys are looked up as distribution does it (registry/auth/token/token.go VerifySigningKey): a
certificate chain in ``x5c``, else a key in ``jwk``, else a key's name in ``kid``. The chain is
followed as Go's crypto/x509 does, but for two things: name constraints are not applied, and no
clock is read, so the times in which a chain holds are said instead of judged.

The claims of a token are not judged here: issuer, audience and times are for the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from regtrace.wire.coding import from_base64
from regtrace.wire.jwt import Jws, read_claim, split_jws
from regtrace.wire.token import Token
from regtrace.wire.trusted_keys import (
    REFUSALS,
    PublicKey,
    TrustedKey,
    TrustedKeys,
    key_of,
    read_jwk,
    trusted,
    window,
)

#: Certificates in a token that are looked at; real tokens have one to three.
MAX_CHAIN = 8

#: Trusted keys that are tried on a token which names none of them.
_MOST_TRIED = 64


class Verdict(str, Enum):
    SIGNED = "signed-by-trusted-key"
    UNTRUSTED = "untrusted-key"
    """The key that the token names is not one that the registry trusts."""
    BAD_SIGNATURE = "bad-signature"
    """The token names a trusted key, but that key did not sign it."""
    UNSUPPORTED = "unsupported-algorithm"
    """``none`` proves nothing, and ``HS…`` nothing with a public key; others are unknown."""
    OPAQUE = "opaque"
    """No JWT."""


class Lookup(str, Enum):
    """How the token names its key."""

    X5C = "x5c"
    JWK = "jwk"
    LIBTRUST = "kid-libtrust"
    """Understood by distribution 2.x alone."""
    THUMBPRINT = "kid-thumbprint"
    """RFC 7638; understood by distribution 3.x alone."""
    JWKS = "kid-jwks"
    """A name from a JWKS; understood by distribution 3.x alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the keys prove of a token."""

    verdict: Verdict
    algorithm: str | None = None
    """``alg``, as the token says."""
    key_id: str | None = None
    """The key that the token names: its ``kid``, or the libtrust id of its certificate or JWK."""
    lookup: Lookup | None = None
    """How the trusted key was found; None when it wasn't."""
    valid_from: float | None = None
    valid_until: float | None = None
    """When the chain of certificates holds (epoch seconds UTC); None without one. A registry
    refuses the token outside of it."""
    signer: str | None = None
    """Of an untrusted key: the libtrust id of the trusted key that did sign. The registry knows
    this key, but not by the name that the token gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """The key that a token names, as far as it is trusted."""

    key: PublicKey | None = None
    key_id: str | None = None
    lookup: Lookup | None = None
    holds: tuple[float, float] | None = None


def verify(token: Token, keys: TrustedKeys) -> Proof:
    """Whether one of these keys signed this token, as its registry would see it. Never raises."""
    jws = split_jws(token.raw)
    if jws is None:
        return Proof(verdict=Verdict.OPAQUE)
    algorithm = read_claim(jws.header.get("alg"))
    check = _CHECKS.get(algorithm or "")
    if check is None:
        return Proof(verdict=Verdict.UNSUPPORTED, algorithm=algorithm)
    named = _find(jws.header, keys)
    signer = None
    if named.key is None:
        verdict = Verdict.UNTRUSTED
        fitting = (key for key in keys.keys[:_MOST_TRIED] if _fits(check, key.key, jws))
        signer = next((key.libtrust for key in fitting), None)
    else:
        verdict = Verdict.SIGNED if _fits(check, named.key, jws) else Verdict.BAD_SIGNATURE
    valid_from, valid_until = named.holds or (None, None)
    return Proof(
        verdict=verdict,
        algorithm=algorithm,
        key_id=named.key_id,
        lookup=named.lookup,
        valid_from=valid_from,
        valid_until=valid_until,
        signer=signer,
    )


# --- which key ---------------------------------------------------------------------------------


def _find(header: Mapping[str, Any], keys: TrustedKeys) -> _Named:
    if header.get("x5c"):
        return _by_chain(header["x5c"], keys)
    if (jwk := header.get("jwk")) is not None:
        return _by_jwk(jwk, keys)
    return _by_name(read_claim(header.get("kid")), keys)


def _by_name(kid: str | None, keys: TrustedKeys) -> _Named:
    if not kid:
        return _Named()
    for key in keys.keys:
        if (lookup := _name_of(key, kid)) is not None:
            return _Named(key=key.key, key_id=kid, lookup=lookup)
    return _Named(key_id=kid)


def _name_of(key: TrustedKey, kid: str) -> Lookup | None:
    if kid == key.name:
        return Lookup.JWKS
    if kid == key.libtrust:
        return Lookup.LIBTRUST
    return Lookup.THUMBPRINT if kid in {key.thumbprint, key.unpadded} else None


def _by_jwk(jwk: object, keys: TrustedKeys) -> _Named:
    """distribution 2.x compares the key itself, 3.x the ``kid`` inside the JWK."""
    if not isinstance(jwk, dict):
        return _Named()
    if jwk.get("x5c"):
        return _by_chain(jwk["x5c"], keys)
    public = read_jwk(jwk)
    own = trusted(public).libtrust if public else None
    for key in keys.keys:
        if own == key.libtrust:
            return _Named(key=key.key, key_id=own, lookup=Lookup.JWK)
    named = _by_name(read_claim(jwk.get("kid")), keys)
    return _Named(key=named.key, key_id=named.key_id or own, lookup=named.lookup)


# --- the chain ---------------------------------------------------------------------------------


def _by_chain(x5c: object, keys: TrustedKeys) -> _Named:
    """The first certificate's key, when the chain leads to a root (RFC 7515 4.1.6)."""
    texts = islice(x5c, MAX_CHAIN) if isinstance(x5c, list) else ()
    chain = [_read_certificate(text) for text in texts]
    leaf = chain[0] if chain else None
    if leaf is None:
        return _Named()
    key = key_of(leaf)
    key_id = trusted(key).libtrust if key else None
    holds = _holds(leaf, [one for one in chain[1:] if one], keys.roots)
    if key is None or holds is None:
        return _Named(key_id=key_id)
    return _Named(key=key, key_id=key_id, lookup=Lookup.X5C, holds=holds)


def _read_certificate(text: object) -> x509.Certificate | None:
    if not isinstance(text, str):
        return None
    try:
        certificate = x509.load_der_x509_certificate(from_base64(text))
        window(certificate)
    except REFUSALS:
        return None
    return certificate


def _holds(
    leaf: x509.Certificate,
    intermediates: list[x509.Certificate],
    roots: tuple[x509.Certificate, ...],
) -> tuple[float, float] | None:
    """When the leaf's chain to a root holds; None when there is none.

    Trust spreads from the roots, one certificate a round, so that hostile chains cost no more
    than honest ones.
    """
    trust = {root: window(root) for root in roots}
    for _ in intermediates:
        issued = [(one, _issued(one, trust)) for one in intermediates if one not in trust]
        spread = {one: holds for one, holds in issued if holds is not None}
        if not spread:
            break
        trust.update(spread)
    return trust.get(leaf) or _issued(leaf, trust)


def _issued(
    certificate: x509.Certificate, trust: Mapping[x509.Certificate, tuple[float, float]]
) -> tuple[float, float] | None:
    """When this certificate is trusted because its issuer is: never longer than the issuer."""
    for issuer, (since, until) in trust.items():
        if _signed_by(certificate, issuer):
            own_since, own_until = window(certificate)
            return max(since, own_since), min(until, own_until)
    return None


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        if certificate.issuer != issuer.subject or not _may_issue(issuer):
            return False
        if isinstance(certificate.signature_hash_algorithm, (hashes.MD5, hashes.SHA1)):
            return False  # Go refuses them since 1.18
        certificate.verify_directly_issued_by(issuer)
    except REFUSALS:
        return False
    return True


def _may_issue(issuer: x509.Certificate) -> bool:
    """As Go asks it (crypto/x509 CheckSignatureFrom): a CA that may sign certificates."""
    if key_of(issuer) is None:
        return False
    try:
        if not issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except x509.ExtensionNotFound:
        return issuer.version is x509.Version.v1
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


# --- the signature -----------------------------------------------------------------------------

_Check = Callable[[PublicKey, bytes, bytes], None]


def _fits(check: _Check, key: PublicKey, jws: Jws) -> bool:
    try:
        check(key, jws.signature, jws.signed)
    except REFUSALS:
        return False
    return True


def _ecdsa(size: int, algorithm: hashes.HashAlgorithm) -> _Check:
    """RFC 7518 3.4: the two numbers side by side, and a curve of the hash's own."""

    def check(key: PublicKey, signature: bytes, signed: bytes) -> None:
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.key_size != size:
            raise InvalidSignature
        half = (size + 7) // 8
        if len(signature) != 2 * half:
            raise InvalidSignature
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(algorithm))

    return check


def _rsa(algorithm: hashes.HashAlgorithm, *, pss: bool = False) -> _Check:
    """RFC 7518 3.3 (PKCS #1) and 3.5 (PSS)."""
    scheme = padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO) if pss else padding.PKCS1v15()

    def check(key: PublicKey, signature: bytes, signed: bytes) -> None:
        if not isinstance(key, rsa.RSAPublicKey):
            raise InvalidSignature
        key.verify(signature, signed, scheme, algorithm)

    return check


def _eddsa(key: PublicKey, signature: bytes, signed: bytes) -> None:
    """RFC 8037 3.1."""
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise InvalidSignature
    key.verify(signature, signed)


#: Algorithms that a public key can prove. ``none`` and ``HS…`` must never be among them: whoever
#: knows the public key could sign with it.
_CHECKS: Mapping[str, _Check] = {
    "ES256": _ecdsa(256, hashes.SHA256()),
    "ES384": _ecdsa(384, hashes.SHA384()),
    "ES512": _ecdsa(521, hashes.SHA512()),
    "RS256": _rsa(hashes.SHA256()),
    "RS384": _rsa(hashes.SHA384()),
    "RS512": _rsa(hashes.SHA512()),
    "PS256": _rsa(hashes.SHA256(), pss=True),
    "PS384": _rsa(hashes.SHA384(), pss=True),
    "PS512": _rsa(hashes.SHA512(), pss=True),
    "EdDSA": _eddsa,
}
