"""From where a host's name or address can be reached, as far as the text itself tells."""

from __future__ import annotations

from enum import Enum
from ipaddress import ip_address


class Reach(str, Enum):
    LOOPBACK = "loopback"
    """Another program on the same machine only."""
    PRIVATE = "private"
    """An address or a name that only one network or cluster knows."""
    PUBLIC = "public"


#: Names that no public DNS resolves: RFC 6762 (local), RFC 6761 (test, localhost), RFC 8375
#: (home.arpa), ICANN's reservation (internal), Kubernetes' services, and what sites made up.
_PRIVATE_ENDS = (
    "local",
    "internal",
    "svc",
    "home.arpa",
    "lan",
    "corp",
    "intranet",
    "localdomain",
    "test",
    "consul",
)


def reach(host: str) -> Reach:
    """Who can reach this host (a name or an address, no port)."""
    host = host.rstrip(".").lower()
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return _reach_of_name(host)
    if address.is_loopback or address.is_unspecified:
        return Reach.LOOPBACK
    # RFC 5737's and 3849's addresses stand for public ones in examples.
    public = address.is_global or host.startswith(_EXAMPLES)
    return Reach.PUBLIC if public else Reach.PRIVATE


def is_address(host: str) -> bool:
    """Whether it is an IPv4 or IPv6 address, without brackets, and no name."""
    if not (host[-1:].isdigit() or ":" in host):
        return False  # most are names
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _reach_of_name(host: str) -> Reach:
    if host == "localhost" or host.endswith(".localhost"):
        return Reach.LOOPBACK
    single = "." not in host
    return Reach.PRIVATE if single or host.endswith(_DOTTED_ENDS) else Reach.PUBLIC


_DOTTED_ENDS = tuple(f".{end}" for end in _PRIVATE_ENDS)
_EXAMPLES = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")
