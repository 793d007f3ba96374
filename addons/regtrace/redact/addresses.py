"""What may be told of an IP address: from where it can be reached, and which others are beside it.

Also the made-up addresses that stand for labels where an address must stay one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from regtrace.wire.hosts import Reach, reach

#: Addresses in one such network are neighbours.
_NETWORK_BITS = {4: 24, 6: 64}
_LABEL = re.compile(r"(?:(public|link-local|private)-)?(address|client)-([0-9]+)(?:\.([0-9]+))?")

#: Where made-up addresses are, by class, kind and family. Public ones are of the networks for
#: examples (RFC 5737 and 3849), the others of such as nobody has: class E, what RFC 3927 keeps
#: of 169.254.0.0/16, and local ones whose id was not drawn (RFC 4193).
_MADE_UP: dict[tuple[str, str, int], str] = {
    ("public", "address", 4): "192.0.2.0",
    ("public", "client", 4): "198.51.100.0",
    ("public", "address", 6): "2001:db8:a::",
    ("public", "client", 6): "2001:db8:c::",
    ("private", "address", 4): "240.0.0.0",
    ("private", "client", 4): "240.1.0.0",
    ("private", "address", 6): "fd00:db8:a::",
    ("private", "client", 6): "fd00:db8:c::",
    ("link-local", "address", 4): "169.254.0.0",
    ("link-local", "client", 4): "169.254.255.0",
    ("link-local", "address", 6): "fe80::db8:a:0",
    ("link-local", "client", 6): "fe80::db8:c:0",
}
#: How many networks there are of each; of those not named, one.
_ROOM = {("private", 4): 256, ("private", 6): 65536, ("public", 6): 65536}
_STARTS = (
    "192.0.2.",
    "198.51.100.",
    "2001:db8:a:",
    "2001:db8:c:",
    "240.0.",
    "240.1.",
    "fd00:db8:a:",
    "fd00:db8:c:",
    "169.254.0.",
    "169.254.255.",
    "fe80::db8:a:",
    "fe80::db8:c:",
)


@dataclass(frozen=True, slots=True)
class Place:
    scope: str
    """``loopback``, ``link-local``, ``private`` or ``public``."""
    network: str
    """The /24 of IPv4 or /64 of IPv6 that it is in."""

    @property
    def kind(self) -> str:
        """What its label says of an address."""
        return f"{self.scope}-address"

    @property
    def client_kind(self) -> str:
        """The same of a client, most of which are in private networks."""
        return "client" if self.scope == "private" else f"{self.scope}-client"


def place_of(text: str) -> Place | None:
    """Where this address is; None for what is no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    plain = (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
    bare = str(plain).partition("%")[0]
    network = ip_network(f"{bare}/{_NETWORK_BITS[plain.version]}", strict=False)
    return Place(_scope(plain, bare), str(network))


def _scope(address: IPv4Address | IPv6Address, bare: str) -> str:
    known = reach(bare)
    link_local = known is Reach.PRIVATE and address.is_link_local
    return "link-local" if link_local else known.value


def made_up(label: str, family: int) -> str | None:
    """The address of this family (4 or 6) that stands for this label; None for other labels."""
    match = _LABEL.fullmatch(label)
    if match is None:
        return None
    scope, kind, number, network = match.groups(default="")
    scope = scope or "private"
    first = ip_address(_MADE_UP[scope, kind, family])
    beside = (int(network or 1) - 1) % _ROOM.get((scope, family), 1)
    if family == 4:
        return str(first + (beside << 8) + int(number) % 255)
    return str(first + (beside << 64) + int(number) % 65536)


def is_made_up(text: str) -> bool:
    """Whether an address of a redacted capture stands for a label."""
    return text.startswith(_STARTS) and "%" not in text
