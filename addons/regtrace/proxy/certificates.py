"""What a server's certificate says of itself. A stranger wrote it: anything may be wrong in it."""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509

from regtrace.wire.exchange import ServerCertificate

#: Names of one certificate that are read, and characters of each text.
_MOST_NAMES, _LONGEST = 100, 1_000


@lru_cache(maxsize=256)  # each exchange of a connection carries it
def read_certificate(pem: bytes) -> ServerCertificate | None:
    """None when it can't be read."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        return ServerCertificate(
            subject=certificate.subject.rfc4514_string()[:_LONGEST],
            issuer=certificate.issuer.rfc4514_string()[:_LONGEST],
            names=_names(certificate),
            not_before=certificate.not_valid_before_utc.timestamp(),
            not_after=certificate.not_valid_after_utc.timestamp(),
            self_signed=certificate.subject == certificate.issuer,
        )
    except Exception:  # whatever the library makes of it: there is nothing to be told
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # none, or one of the extensions is broken
        return ()
    named = [name for name in found if isinstance(name, (x509.DNSName, x509.IPAddress))]
    return tuple(str(name.value)[:_LONGEST] for name in named[:_MOST_NAMES])
