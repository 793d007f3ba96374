"""Made-up keys and certificates: one CA, one leaf for all names, the token server's signing key.

Beside the leaf lie worse ones, for faults; all leaves have the same key.

Made anew each time the laboratory comes up; they live inside the box and die with it.
"""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from . import world

CA = world.KEYS / "ca.pem"
LEAF = world.KEYS / "leaf.pem"
LEAF_KEY = world.KEYS / "leaf.key"
TOKEN = world.KEYS / "token.pem"
TOKEN_KEY = world.KEYS / "token.key"
STRANGER = world.KEYS / "stranger.pem"
SELF_SIGNED = world.KEYS / "self-signed.pem"
EXPIRED = world.KEYS / "expired.pem"
MISNAMED = world.KEYS / "misnamed.pem"

_DAY = datetime.timedelta(days=1)


def make() -> None:
    """Write all keys and certificates, once."""
    if TOKEN.exists():
        return
    world.KEYS.mkdir(parents=True, exist_ok=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("lab CA")
    ca = _certificate(ca_name, ca_key, ca_name, ca_key, is_ca=True)
    CA.write_bytes(_pem(ca))

    leaf_key = ec.generate_private_key(ec.SECP256R1())
    leaf_name = _name("registry.test")
    names = list(world.HOSTS)
    LEAF_KEY.write_bytes(_key_pem(leaf_key))
    for path, certificate in {
        LEAF: _certificate(leaf_name, leaf_key, ca_name, ca_key, names=names),
        SELF_SIGNED: _certificate(leaf_name, leaf_key, leaf_name, leaf_key, names=names),
        EXPIRED: _certificate(leaf_name, leaf_key, ca_name, ca_key, names=names, ends=-_DAY),
        MISNAMED: _certificate(
            _name("other.test"), leaf_key, ca_name, ca_key, names=["other.test"]
        ),
    }.items():
        path.write_bytes(_pem(certificate))

    # The stranger is not known to the registry. TOKEN is the last one: see the first line.
    for path in (STRANGER, TOKEN):
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"lab {path.stem} signer")
        path.with_suffix(".key").write_bytes(_key_pem(key))
        path.write_bytes(_pem(_certificate(name, key, name, key, is_ca=True)))


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool = False,
    names: list[str] | None = None,
    ends: datetime.timedelta = 30 * _DAY,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 10 * _DAY)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        # OpenSSL looks for the issuer by these two; mitmproxy refuses a chain without them.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if names:
        dns = [x509.DNSName(name) for name in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(dns), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
