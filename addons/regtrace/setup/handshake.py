"""A real TLS handshake: does a client that trusts these files accept what the proxy shows it?"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from regtrace.report.visible import visible
from regtrace.setup.authority import Authority, system_roots
from regtrace.setup.refused import Refused
from regtrace.setup.roots import trusting as trusting_roots

_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Handshake:
    """How it ended."""

    trusted: bool
    said: str
    """In words: who signed the certificate, or why there was none that can be trusted."""


def shake(registry: str, proxy: str, authority: Authority, trusting: Sequence[Path]) -> Handshake:
    """Connect to the registry (``host[:port]``) through the proxy, trusting these files and the
    system's roots. No request is sent to the registry. Raises Refused for no URL of a proxy."""
    host, port = _host_and_port(registry)
    at = proxy_address(proxy)
    context = trusting_roots(system_roots())
    try:
        for path in trusting:
            context.load_verify_locations(path)
        connection = http.client.HTTPSConnection(*at, timeout=_SECONDS, context=context)
        connection.set_tunnel(host, port)
        try:
            connection.connect()
            shown = connection.sock.getpeercert(binary_form=True) or b""
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as fault:
        return Handshake(False, f"the client refuses it: {visible(fault.verify_message)}")
    except OSError as fault:
        reason = visible(fault.strerror or str(fault), limit=200)
        return Handshake(False, f"no handshake with {registry} through {at[0]}:{at[1]}: {reason}")
    issuer = x509.load_der_x509_certificate(shown).issuer
    authority_name = x509.load_pem_x509_certificate(authority.certificate.read_bytes()).subject
    if issuer != authority_name:
        return Handshake(
            False,
            "the certificate comes from another authority"
            f" ({visible(issuer.rfc4514_string(), limit=120)}):"
            " the proxy does not look into this connection, or uses another confdir",
        )
    return Handshake(True, f"trusted through {at[0]}:{at[1]}")


def proxy_address(proxy: str) -> tuple[str, int]:
    """Host and port of ``http://host:port``. Raises Refused."""
    try:
        parts = urlsplit(proxy)
        if parts.scheme == "http" and parts.hostname and not parts.path.strip("/"):
            return parts.hostname, parts.port or 80
    except ValueError:
        pass
    raise Refused(
        f"{visible(proxy, limit=80)}: is no address of a proxy; write it as http://127.0.0.1:8080"
    )


def _host_and_port(registry: str) -> tuple[str, int]:
    parts = urlsplit(f"//{registry}")
    return parts.hostname or "", parts.port or 443
