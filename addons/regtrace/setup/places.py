"""Where a proxy setting leads: its host and port, and how it may be shown."""

from __future__ import annotations

from urllib.parse import urlsplit

from regtrace.report.visible import visible
from regtrace.setup.refused import Refused
from regtrace.wire.url import DEFAULT_PORTS


def without_login(proxy: str) -> str:
    """The proxy's URL as it may be shown."""
    scheme, found, rest = proxy.rpartition("://")
    return visible(f"{scheme}{found}{rest.rpartition('@')[2]}", limit=120)


def place_of(proxy: str) -> tuple[str, int]:
    """Host and port that a setting means. Raises Refused."""
    whole = proxy if "://" in proxy else f"http://{proxy}"
    parts = urlsplit(whole)
    try:
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 1080)
    except ValueError:
        port = 0
    if not parts.hostname or not port:
        raise Refused(f"the proxy {without_login(proxy)}: write http://HOST:PORT")
    return parts.hostname, port
