"""Which proxy a Go program takes for a URL, by its environment.

docker, containerd, podman, skopeo, crane and their kin all ask the same library
(golang.org/x/net/http/httpproxy): the names with capitals count first, an entry of ``NO_PROXY`` may
be a name, a name with a dot before it, an address, a network, each with a port; and whatever the
environment says, ``localhost`` and loopback addresses are never proxied.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Entries of ``NO_PROXY`` that are looked at.
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class ProxySettings:
    http: str = ""
    https: str = ""
    no_proxy: str = ""

    def proxy_for(self, scheme: str, host: str, port: int) -> str:
        """The proxy's URL as it was set; empty when the client goes there itself."""
        return "" if self.bypass(host, port) else (self.https if scheme == "https" else self.http)

    def bypass(self, host: str, port: int) -> str:
        """Why no proxy is used for this host: the entry of ``NO_PROXY``, or ``loopback``."""
        host = host.strip().lower().rstrip(".")
        if is_loopback(host):
            return "loopback"
        entries = self.no_proxy.split(",")[:_MOST]
        return next((entry.strip() for entry in entries if _matches(entry, host, port)), "")


def settings_of(environment: Mapping[str, str]) -> ProxySettings:
    """What these variables say to a Go program."""

    def either(name: str) -> str:
        return environment.get(name) or environment.get(name.lower()) or ""

    return ProxySettings(either("HTTP_PROXY"), either("HTTPS_PROXY"), either("NO_PROXY"))


def is_loopback(host: str) -> bool:
    """Names and addresses that Go never proxies. A name that only resolves to one is proxied."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _matches(entry: str, host: str, port: int) -> bool:
    entry = entry.strip().lower()
    if entry in {"", "*"}:
        return entry == "*"
    address = _address(host)
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, wanted = _split(entry)
    if not name or (wanted and wanted != str(port)):
        return False
    named = _address(name)
    if named is not None or address is not None:
        return named == address
    name = name.removeprefix("*") if name.startswith("*.") else name
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith(f".{name}")


def _split(entry: str) -> tuple[str, str]:
    """Host and port, which is empty when there is none."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
