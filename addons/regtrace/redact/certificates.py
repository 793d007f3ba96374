"""A certificate in the place of another: the same names, as far as they may be shown, and the same
dates, with a key that means nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

if TYPE_CHECKING:
    from regtrace.redact.copying import Copier

#: Everybody may know it: it signs what nobody shall trust, the same way every time.
_KEY = Ed25519PrivateKey.from_private_bytes(b"regtrace: it stands for a label.")
_SERIAL = 1
_MOST_NAMES, _LONGEST = 100, 64


def made_up(copier: Copier, pem: bytes) -> bytes | None:
    """The PEM of such a certificate; None for what can't be read."""
    try:
        return _made_up(copier, x509.load_pem_x509_certificate(pem))
    except Exception:  # whatever the library makes of a stranger's bytes
        return None


def _made_up(copier: Copier, shown: x509.Certificate) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(copier, shown.subject))
        .issuer_name(_named(copier, shown.issuer))
        .public_key(_KEY.public_key())
        .serial_number(_SERIAL)
        .not_valid_before(shown.not_valid_before_utc)
        .not_valid_after(shown.not_valid_after_utc)
    )
    names = _alternatives(copier, shown)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(_KEY, None).public_bytes(Encoding.PEM)


def _named(copier: Copier, name: x509.Name) -> x509.Name:
    return x509.Name(
        x509.NameAttribute(
            one.oid,
            copier.attribute(one.rfc4514_attribute_name, str(one.value))[:_LONGEST],
            _validate=False,
        )
        for one in name
    )


def _alternatives(copier: Copier, shown: x509.Certificate) -> list[x509.GeneralName]:
    try:
        found = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # none, or one of the extensions is broken
        return []
    return [
        _alternative(copier, name)
        for name in list(found)[:_MOST_NAMES]
        if isinstance(name, (x509.DNSName, x509.IPAddress))
    ]


def _alternative(copier: Copier, name: x509.DNSName | x509.IPAddress) -> x509.GeneralName:
    text = copier.certificate_name(str(name.value))
    if isinstance(name, x509.IPAddress) and text == str(name.value):
        return name
    return x509.DNSName(text)
