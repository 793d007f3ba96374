"""Addon: where the client itself would have taken a proxy, ours takes it too.

A site's own proxy stays in its place behind ours, with the site's own exceptions (``NO_PROXY``).
Needs ``connection_strategy=lazy``: a connection that is there already can't be led another way.
"""

from __future__ import annotations

import base64
from urllib.parse import unquote

from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.net.server_spec import ServerSpec, parse
from mitmproxy.proxy.mode_specs import UpstreamMode

from regtrace.proxy.guard import guarded
from regtrace.wire.proxy_settings import ProxySettings


class Onward:
    name = "regtrace-onward"

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if not flow.live:
            return
        request = flow.request
        proxy = self._settings.proxy_for(request.scheme, request.host, request.port)
        via = read_proxy(proxy) if proxy else None
        if flow.server_conn.via != via:
            flow.server_conn = Server(address=(request.host, request.port), via=via)
        if via is None and not request.is_http2:
            request.authority = ""  # a server is asked for a path, a proxy for a whole URL
        elif request.scheme == "http" and isinstance(flow.client_conn.proxy_mode, UpstreamMode):
            _log_in(request, proxy)  # no tunnel: the request itself is for the proxy

    @guarded
    def http_connect_upstream(self, flow: http.HTTPFlow) -> None:
        """mitmproxy's own ``upstream_auth`` would put the proxy's login in the place of the
        client's, behind a gateway (addons/upstream_auth.py)."""
        for proxy in (self._settings.https, self._settings.http):
            if proxy and read_proxy(proxy) == flow.server_conn.via:
                _log_in(flow.request, proxy)


def _log_in(request: http.Request, proxy: str) -> None:
    login = proxy.split("://", 1)[-1].split("/", 1)[0].rpartition("@")[0]
    if login:
        words = base64.b64encode(unquote(login).encode()).decode()
        request.headers["Proxy-Authorization"] = f"Basic {words}"


def read_proxy(url: str) -> ServerSpec:
    """The proxy that this setting names; http is understood when it says no scheme, as Go does.

    Raises ValueError when it is none that can be used.
    """
    whole = url if "://" in url else f"http://{url}"
    scheme, _, rest = whole.partition("://")
    place = rest.split("/", 1)[0].rpartition("@")[2]
    spec = parse(f"{scheme}://{place}", "http")
    if spec[0] not in {"http", "https"}:
        raise ValueError(f"{spec[0]} is no kind of proxy that can be used")
    return spec


def mode(proxy: str, address: str) -> str:
    """What mitmproxy must be to send all onward to this proxy. Raises ValueError."""
    scheme, (host, port) = read_proxy(proxy)
    place = f"[{host}]" if ":" in host else host
    return f"upstream:{scheme}://{place}:{port}@{address}"
