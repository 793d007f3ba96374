"""By which certificates the proxy verifies servers: those that the container clients of this
machine trust themselves.

They are the system's roots and those in the clients' folders for single registries. Without the
latter, a registry with a certificate of its own site would fail at the proxy and nowhere else.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from regtrace.report.visible import visible
from regtrace.setup.authority import system_roots
from regtrace.setup.refused import Refused

#: Bytes of one file, and files, that are looked at.
_LARGEST, _MOST = 1024 * 1024, 500


def registry_folders() -> list[Path]:
    """Where docker, podman and their kin keep certificates for single registries."""
    home = Path(os.environ.get("HOME") or "~").expanduser()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [
        Path("/etc/docker/certs.d"),
        Path("/etc/containers/certs.d"),
        config / "containers" / "certs.d",
        config / "docker" / "certs.d",
        home / ".docker" / "certs.d",
    ]


def trusting(roots: Path) -> ssl.SSLContext:
    """What verifies servers by these roots as container clients do. Python 3.13 and later refuse
    certificates that lack a key identifier (VERIFY_X509_STRICT); Go's clients take them."""
    context = ssl.create_default_context(cafile=str(roots))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def write_roots(path: Path, extra: str = "") -> None:
    """Write all of them into one file; ``extra`` is a file of the user's. Raises Refused."""
    try:
        pieces = [system_roots().read_bytes()]
    except OSError as fault:
        raise Refused(
            f"{visible(str(fault.filename))}: can't be read: {fault.strerror}; name a bundle of"
            " certificates with SSL_CERT_FILE"
        ) from None
    pieces += [pem for file in _registry_files() for pem in _certificates(file)]
    if extra:
        pieces += _named(extra)
    path.write_bytes(b"\n".join(piece.strip() for piece in pieces) + b"\n")


def _registry_files() -> Sequence[Path]:
    found: list[Path] = []
    for folder in registry_folders():
        try:
            found += sorted(folder.glob("*/*.crt"))
        except OSError:
            continue  # not ours to read: then no client of this user reads it either
    return found[:_MOST]


def _certificates(file: Path) -> Iterator[bytes]:
    """Each certificate of a file; of one that is damaged or can't be read, none."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST)
        for certificate in x509.load_pem_x509_certificates(content):
            yield certificate.public_bytes(Encoding.PEM)
    except (OSError, ValueError):
        return


def _named(file: str) -> list[bytes]:
    shown = visible(file)
    if not Path(file).expanduser().is_file():
        raise Refused(f"{shown}: no such file; name a file of certificates in PEM")
    found = list(_certificates(Path(file).expanduser()))
    if not found:
        raise Refused(f"{shown}: holds no certificate in PEM that can be read")
    return found
