"""URLs as they are compared between legs, never as they are shown.

A client re-encodes and sorts an announced query when it adds its own keys, drops default ports,
resolves relative Locations and dots, and writes a host's name in ASCII, so two legs' URLs are
compared in the canonical form made here. User names and passwords in URLs are left out.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
from urllib.parse import SplitResult, parse_qsl, unquote, urljoin, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
"""Of the schemes that a registry is asked by (RFC 9110 4.2)."""

#: Characters of a URL that are looked at. Servers refuse request lines beyond 8 to 64 KiB.
MAX_URL = 65_536

#: Pairs of a query that are told apart; the longest signed URLs have some twenty.
_MOST_PAIRS = 200

#: RFC 1035 2.3.4.
_LONGEST_HOST = 253

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")

#: Query keys that clients add to an announced URL: the digest of an upload's commit
#: (distribution-spec end-6) and the mirror's name (containerd resolver.go addNamespace).
ADDED_BY_CLIENTS = frozenset({"digest", "ns"})


@dataclass(frozen=True, slots=True)
class Url:
    """A URL, taken apart. ``path`` is percent-decoded; ``query`` keeps every pair, sorted."""

    scheme: str
    host: str
    port: int
    path: str
    query: tuple[tuple[str, str], ...] = ()

    @property
    def authority(self) -> str:
        """``host:port``, with an IPv6 address in brackets."""
        return authority_of(self.host, self.port)

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    def param(self, name: str) -> str | None:
        """First value of a query key, compared without case (signers differ in it)."""
        wanted = name.lower()
        return next((value for key, value in self.query if key.lower() == wanted), None)

    def params(self, name: str) -> tuple[str, ...]:
        wanted = name.lower()
        return tuple(value for key, value in self.query if key.lower() == wanted)

    def without(self, names: frozenset[str]) -> Url:
        kept = tuple(pair for pair in self.query if pair[0] not in names)
        return Url(self.scheme, self.host, self.port, self.path, kept)


def authority_of(host: str, port: int) -> str:
    """``host:port``, with an IPv6 address in brackets (RFC 3986 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_url(text: str, base: str | None = None) -> Url | None:
    """The URL in canonical form, resolved against ``base`` when relative; None when it is none."""
    if len(text) > MAX_URL or (base is not None and len(base) > MAX_URL):
        return None
    text = text.strip()
    try:
        # Python resolves https:///x, which has a scheme and no host, too; Go refuses it.
        return _parse(text if base is None or _SCHEME.match(text) else urljoin(base, text))
    except ValueError:
        return None


@lru_cache(maxsize=256)  # a Location comes back as the next request
def _parse(text: str) -> Url | None:
    try:
        parts = urlsplit(text)
        scheme = sys.intern(parts.scheme.lower())
        host, port = _place(scheme, parts.netloc)
    except (ValueError, KeyError):
        return None
    if not host:
        return None
    path = unquote(_without_dots(parts.path)) or "/"
    return Url(scheme, host, port, path, _query(parts.query))


@lru_cache(maxsize=256)  # one push has few hosts
def _place(scheme: str, netloc: str) -> tuple[str, int]:
    """Host and port. Raises ValueError or KeyError where there are none."""
    parts = SplitResult(scheme, netloc, "", "", "")
    return _host(parts.hostname or ""), parts.port or DEFAULT_PORTS[scheme]


def _host(text: str) -> str:
    """In lower case, in ASCII (RFC 5890) and, of an IPv6 address, in its shortest form.

    Raises ValueError for an address that is none.
    """
    host = text.rstrip(".")
    if ":" in host:
        return str(IPv6Address(host))
    if host.isascii() or len(host) > _LONGEST_HOST:
        return host
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return host


def _without_dots(path: str) -> str:
    """The path without ``.`` and ``..`` (RFC 3986 5.2.4), as Go's clients ask for it."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/".join(kept)


def _query(text: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(sorted(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PAIRS)))
    except ValueError:
        return (("", text),)
