"""A certificate authority that can't hurt: for one case, a few days and a few hosts.

mitmproxy makes one authority for ten years that may sign for every name. This one has name
constraints (RFC 5280 4.2.1.10), which OpenSSL and Go enforce also on a root: whoever steals its
key can impersonate the named hosts for a week, and nobody else. Its folder is a confdir of
mitmproxy's, with the options that such an authority needs.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import re
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import certifi
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from regtrace.report.visible import visible
from regtrace.setup.refused import Refused
from regtrace.wire.hosts import is_address

DAYS = 7
MOST_DAYS = 90
_MOST_HOSTS = 100

#: Names that mitmproxy gives these files in its confdir (mitmproxy/certs.py CertStore.from_store).
_KEY = "mitmproxy-ca.pem"
_CERTIFICATE = "mitmproxy-ca-cert.pem"
_OPTIONS = "config.yaml"
#: What mitmproxy adds when it starts.
_MITMPROXYS = ("mitmproxy-dhparam.pem",)

_TITLE = "regtrace CA"

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?:\*\.(?={_LABEL}\.))?{_LABEL}(?:\.{_LABEL})*")
_PORT = re.compile(r":\d{1,5}$")

_EVERY_ADDRESS = ("0.0.0.0/0", "::/0")

#: A client that connects to an address names no host, and mitmproxy then puts the address that it
#: listens on into the certificate too (mitmproxy/addons/tlsconfig.py get_cert).
_OWN_ADDRESSES = ("127.0.0.1", "::1")

#: Where systems keep all roots in one file (Go crypto/x509/root_linux.go, root_bsd.go).
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority whose folder mitmproxy takes as its confdir."""

    folder: Path
    certificate: Path
    """PEM, without the key."""
    hosts: tuple[str, ...]
    """Host names, ``*.suffix`` and addresses it may sign for; none is: for all."""
    not_before: datetime.datetime
    """UTC."""
    expires: datetime.datetime
    """UTC."""
    fingerprint: str
    """SHA-256 of the certificate, lower hex."""


def create(folder: Path, hosts: Sequence[str] = (), *, days: int = DAYS) -> Authority:
    """Make an authority in a folder that has none yet. Raises Refused, with nothing left behind.

    A host may have a port, which does not count, and may begin with ``*.``. A name stands for
    itself and for all names below it: that is how name constraints work. Start mitmproxy with
    ``--set confdir=FOLDER``; connections to other hosts then pass it sealed.
    """
    names = named(hosts)
    if not 1 <= days <= MOST_DAYS:
        raise Refused(f"{days} days: an authority may live from 1 to {MOST_DAYS} days")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, names, days)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    files = {
        # The form mitmproxy itself writes: the key, then its certificate.
        _KEY: key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        + pem,
        _CERTIFICATE: pem,
        _OPTIONS: _options(names).encode(),
    }
    shown = visible(str(folder))
    try:
        with _made(folder):
            for name, content in files.items():
                _write_new(folder / name, content, 0o600 if name == _KEY else 0o644)
    except FileExistsError as fault:
        taken = visible(str(fault.filename or folder))
        raise Refused(
            f"{shown}: has an authority or options of mitmproxy already ({taken}); name another"
            " folder, or remove this one first"
        ) from None
    except OSError as fault:
        raise Refused(f"{shown}: can't be written: {fault.strerror}") from None
    return load(folder)


def load(folder: Path) -> Authority:
    """The authority in this folder, ours or mitmproxy's own. Raises Refused when there is none."""
    path = folder / _CERTIFICATE
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        raise Refused(
            f"{visible(str(folder))}: has no {_CERTIFICATE}; make one with regtrace ca create"
        ) from None
    except OSError as fault:
        raise Refused(f"{visible(str(path))}: can't be read: {fault.strerror}") from None
    except ValueError:
        raise Refused(f"{visible(str(path))}: holds no certificate in PEM") from None
    return Authority(
        folder=folder,
        certificate=path,
        hosts=_hosts_of(certificate),
        not_before=certificate.not_valid_before_utc,
        expires=certificate.not_valid_after_utc,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )


def destroy(folder: Path) -> None:
    """Remove an authority that ``create`` made, its key first; nothing of others.

    Raises Refused for mitmproxy's own, which other uses of mitmproxy rely on.
    """
    shown = visible(str(folder))
    try:
        subject = x509.load_pem_x509_certificate((folder / _CERTIFICATE).read_bytes()).subject
    except (OSError, ValueError):
        raise Refused(f"{shown}: holds no authority that could be destroyed") from None
    if not subject.rfc4514_string().startswith(f"CN={_TITLE}"):
        raise Refused(f"{shown}: its authority was not made by regtrace, so it stays")
    try:
        for name in (_KEY, _OPTIONS, _CERTIFICATE, *_MITMPROXYS):
            (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others have put something in
            folder.rmdir()
    except OSError as fault:
        raise Refused(f"{shown}: can't be destroyed: {fault.strerror}") from None


def bundle(authority: Authority, path: Path) -> None:
    """Write the system's roots and this authority into one file, for ``SSL_CERT_FILE``.

    That variable replaces a program's own roots: a file with this authority alone would cut it off
    from every host that passes the proxy sealed. Raises Refused.
    """
    try:
        roots = system_roots().read_bytes()
        path.write_bytes(roots.rstrip() + b"\n" + authority.certificate.read_bytes())
    except OSError as fault:
        raise Refused(
            f"{visible(str(fault.filename or path))}: {fault.strerror}, so there is no bundle of"
            " certificates for the client"
        ) from None


def system_roots() -> Path:
    """The file of roots that programs on this machine use; certifi's where the system has none."""
    asked = os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile
    candidates = (*(each for each in asked if each), *_SYSTEM_BUNDLES)
    found = (Path(each) for each in candidates if Path(each).is_file())
    return next(found, Path(certifi.where()))


def named(hosts: Sequence[str]) -> tuple[str, ...]:
    """The hosts as certificates have them: lower case, without port, each once. Raises Refused."""
    if len(hosts) > _MOST_HOSTS:
        raise Refused(f"{len(hosts)} hosts: an authority is limited to {_MOST_HOSTS} at most")
    return tuple(dict.fromkeys(_named(host) for host in hosts))


def _named(host: str) -> str:
    bare = host.strip().lower()
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(bare))
    bare = _PORT.sub("", bare).removesuffix(".")
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(bare.removeprefix("[").removesuffix("]")))
    if len(bare) > 253 or _HOST.fullmatch(bare) is None:
        raise Refused(
            f"{visible(host, limit=80)}: is no host; write registry.example.com, *.s3.example.com"
            " or an address, without https:// and path, and names of other scripts as xn--…"
        )
    return bare


def _certificate(
    key: ec.EllipticCurvePrivateKey, hosts: tuple[str, ...], days: int
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    expires = now + datetime.timedelta(days=days)
    serial = x509.random_serial_number()
    # Systems tell authorities apart by their names, so each has its own.
    title = f"{_TITLE} until {expires:%Y-%m-%d}, {serial % 16**8:08x}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        # The clock of a client may be late.
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(expires)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_KEY_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        # OpenSSL finds an issuer by it.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if hosts:
        builder = builder.add_extension(_constraints(hosts), critical=True)
    return builder.sign(key, hashes.SHA256())


_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,  # mitmproxy signs with one key as authority and as server
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def _constraints(hosts: tuple[str, ...]) -> x509.NameConstraints:
    """Only these. A constraint on one kind of name leaves the other kind free, unless forbidden."""
    addresses = [host for host in hosts if is_address(host)]
    names = [host for host in hosts if not is_address(host)]
    # A constraint has no wildcard: it stands for the name and all below it.
    permitted: list[x509.GeneralName] = [x509.DNSName(name.removeprefix("*.")) for name in names]
    excluded: list[x509.GeneralName] = []
    if addresses:
        allowed = dict.fromkeys([*addresses, *_OWN_ADDRESSES])
        permitted += [x509.IPAddress(ipaddress.ip_network(each)) for each in allowed]
        # mitmproxy writes the address as the common name too, and OpenSSL takes that for a host
        # name (crypto/x509/v3_ncons.c NAME_CONSTRAINTS_check_CN); of IPv6 it does not.
        permitted += [x509.DNSName(each) for each in allowed if ":" not in each]
    else:
        excluded += [x509.IPAddress(ipaddress.ip_network(each)) for each in _EVERY_ADDRESS]
    return x509.NameConstraints(permitted or None, excluded or None)


def _hosts_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """What the certificate itself says, so that no file beside it can say otherwise."""
    try:
        said = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    hosts = []
    for permitted in said.permitted_subtrees or ():
        if isinstance(permitted, x509.DNSName):
            hosts.append(permitted.value)
        elif isinstance(permitted, x509.IPAddress):
            hosts.append(str(permitted.value).removesuffix("/32").removesuffix("/128"))
    return tuple(dict.fromkeys(host for host in hosts if host not in _OWN_ADDRESSES))


def _options(hosts: tuple[str, ...]) -> str:
    options: dict[str, object] = {"upstream_cert": False}
    if hosts:
        options["allow_hosts"] = [_pattern(host) for host in hosts]
    return (
        "# Options of mitmproxy for the authority beside this file (regtrace ca create).\n"
        "# Certificates must not copy all names of the server's own: those are more than this\n"
        "# authority may sign for. Other hosts pass sealed, with their own certificates.\n"
        + yaml.safe_dump(options, sort_keys=False)
    )


def _pattern(host: str) -> str:
    """What mitmproxy compares with ``host:port``."""
    bare = re.escape(host.removeprefix("*."))
    return rf"^\[?{bare}\]?:\d+$" if is_address(host) else rf"^(.+\.)?{bare}:\d+$"


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[None]:
    """The folder, for its owner alone. When something fails, no file and no new folder stays."""
    was_there = folder.is_dir()
    before = set(folder.iterdir()) if was_there else set()
    for name in (_KEY, _CERTIFICATE, _OPTIONS):
        if folder / name in before:
            raise FileExistsError(None, None, str(folder / name))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        folder.chmod(0o700)
        yield
    except BaseException:
        for name in (_KEY, _CERTIFICATE, _OPTIONS):
            if folder / name not in before:
                (folder / name).unlink(missing_ok=True)
        if not was_there:
            folder.rmdir()
        raise


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Never over a file or through a link that is there."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
