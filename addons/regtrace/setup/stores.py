"""The systems' own stores of trusted authorities: where a certificate is put, what makes it count.

The last resort: every program then trusts the authority. Most clients have a narrower place; see
clients.py.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from regtrace.setup.machine import Machine
from regtrace.setup.refused import Refused


@dataclass(frozen=True, slots=True)
class Store:
    """A row of the table. ``{file}``, ``{name}`` and ``{sha1}`` stand for the certificate."""

    systems: tuple[str, ...]
    """ID or ID_LIKE of os-release(5), or ``sys.platform``."""
    folder: str
    apply: str
    undo: str


#: Without --fresh, a dangling link stays in /etc/ssl/certs; and nobody tells the hooks, of which
#: Java's has a store of its own, that a certificate of the administrator's has gone.
_DEBIAN_UNDO = """\
sh -c 'update-ca-certificates --fresh && for hook in /etc/ca-certificates/update.d/*; do
[ ! -x "$hook" ] || echo "-/etc/ssl/certs/{name}.pem" | "$hook" || exit; done'
"""

# fmt: off
STORES = (
    Store(("debian", "ubuntu"), "/usr/local/share/ca-certificates",
          "update-ca-certificates", _DEBIAN_UNDO),
    Store(("alpine",), "/usr/local/share/ca-certificates",
          "update-ca-certificates", "update-ca-certificates"),
    # Amazon, Rocky, Alma and CentOS say that they are like one of these.
    Store(("fedora", "rhel"), "/etc/pki/ca-trust/source/anchors",
          "update-ca-trust", "update-ca-trust"),
    Store(("suse", "opensuse"), "/etc/pki/trust/anchors",
          "update-ca-certificates", "update-ca-certificates"),
    Store(("arch",), "/etc/ca-certificates/trust-source/anchors",
          "trust extract-compat", "trust extract-compat"),
    # The file itself counts for nothing there: it is what the command reads.
    Store(("darwin",), "/usr/local/share/regtrace",
          "security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {file}",
          "security delete-certificate -t -Z {sha1} /Library/Keychains/System.keychain"),
    Store(("win32",), "/ProgramData/regtrace",
          "certutil -f -addstore Root {file}",
          "certutil -delstore Root {sha1}"),
)
# fmt: on


def store_of(machine: Machine) -> Store:
    """The row of this machine. Raises Refused where there is none."""
    names = (machine.platform, *machine.release())
    if "nixos" in names:
        raise Refused(
            "NixOS: its store is built from configuration.nix, which regtrace does not write; add"
            " security.pki.certificateFiles = [ ./mitmproxy-ca-cert.pem ]; and run nixos-rebuild"
            " switch, and take it out again afterwards"
        )
    # Descendants come first in os-release: the nearest kin decides.
    for name in names:
        for store in STORES:
            if name in store.systems:
                return store
    shown = ", ".join(names)
    raise Refused(
        f"this system ({shown}) has no store that regtrace knows; give the authority to the client"
        " alone, without --system, or name it in SSL_CERT_FILE"
    )


def command(template: str, file: Path, sha1: str) -> tuple[str, ...]:
    """The words of a row's command."""
    words = shlex.split(template)
    return tuple(word.format(file=file, name=file.stem, sha1=sha1) for word in words)
