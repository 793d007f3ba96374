"""Addons: a registry under loopback addresses, for clients that need neither a CA nor a proxy.

A client that talks to 127.0.0.1:5000 must be kept there: what sends it elsewhere (the realm of a
challenge, a Location, a Link) names another loopback address instead, which stands for the true
place. Each place has an address of its own, not only a port: Go's clients compare host names before
they send a login along, and must not take the storage for the registry.

All others see the true names: :class:`Inward` is the first of all addons and gives requests their
true target, :class:`Outward` is the last and changes what the client gets, after the story was read
and the capture written. What was changed is noted on the flow.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mitmproxy import http
from mitmproxy.connection import Server

from regtrace.proxy.flows import NOTES
from regtrace.proxy.guard import guarded
from regtrace.wire.challenge import parse_challenges
from regtrace.wire.url import DEFAULT_PORTS, parse_url

Fields = tuple[tuple[bytes, bytes], ...]
Address = tuple[str, int]

#: What mitmproxy is told to forward to; no request keeps it, and no such host exists (RFC 6761).
NOWHERE = "http://regtrace.invalid:80"
#: Where we keep an answer's own fields while the client's are in their place.
_TRUE = "regtrace_true_fields"
_ABSOLUTE = re.compile(r"(?:(https?):)?//([^/?#\\]*)", re.IGNORECASE)
_LINK = re.compile(r"<([^>]*)>")
#: Origins of one registry that can be told apart: it, its token server, its storages.
_PLACES = 12


@dataclass(frozen=True, slots=True)
class Origin:
    """A place that clients talk to. ``authority`` is what they say in ``Host``: a signature may
    hold it, so it stays as it was written."""

    scheme: str
    host: str
    port: int
    authority: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def read_origin(url: str) -> Origin | None:
    """The origin of an absolute http or https URL; None when it is none."""
    found = _ABSOLUTE.match(url)
    parsed = parse_url(url)
    if found is None or found[1] is None or parsed is None:
        return None
    authority = found[2].rpartition("@")[2]
    return Origin(parsed.scheme, parsed.host, parsed.port, authority)


class Places:
    """Which loopback address stands for which origin. The first one is the registry's."""

    def __init__(self, registry: Origin, addresses: Sequence[Address]) -> None:
        self._free = list(addresses[1:])
        self._origins = {addresses[0]: registry}
        self._addresses = {registry: addresses[0]}

    def origin(self, address: Address) -> Origin | None:
        return self._origins.get(address)

    def address(self, origin: Origin) -> Address | None:
        """Where it can be reached, from now on; None when no address is left."""
        if origin not in self._addresses:
            if not self._free:
                return None
            self._addresses[origin] = self._free.pop(0)
            self._origins[self._addresses[origin]] = origin
        return self._addresses[origin]


class Inward:
    """The first addon: requests get their true target, and answers their own fields back."""

    name = "regtrace-gateway-inward"

    def __init__(self, places: Places) -> None:
        self._places = places
        self._changed: dict[str, http.HTTPFlow] = {}
        """Answered before the request had come whole: mitmproxy saves them once more."""

    @guarded
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if not flow.live:
            return
        origin = self._places.origin(flow.client_conn.sockname[:2])
        if origin is None:
            flow.response = http.Response.make(502, "regtrace gateway: nothing stands here yet\n")
            return
        request = flow.request
        note_rewritten(flow, "request.header.Host", str(origin), _shown(flow, self._places, origin))
        flow.server_conn = Server(address=(origin.host, origin.port))
        request.data.host, request.data.port = origin.host, origin.port
        request.data.scheme = origin.scheme.encode()
        request.host_header = origin.authority
        referer = request.headers.get("Referer")
        if referer is not None:
            request.headers["Referer"] = self._true(flow, referer)

    def _true(self, flow: http.HTTPFlow, url: str) -> str:
        """A URL as the client knows it, as it would be without the gateway."""
        asked = read_origin(url)
        origin = asked and self._places.origin((asked.host, asked.port))
        found = _ABSOLUTE.match(url)
        if origin is None or found is None:
            return url
        note_rewritten(flow, "request.header.Referer", str(origin), found[0])
        return f"{origin}{url[found.end() :]}"

    @guarded
    def request(self, flow: http.HTTPFlow) -> None:
        # An early answer went out before the request's end: it is not needed any more.
        give_back(flow)
        self._changed.pop(flow.id, None)

    @guarded
    def response(self, flow: http.HTTPFlow) -> None:
        give_back(flow)
        if flow.live and flow.request.timestamp_end is None:
            self._changed[flow.id] = flow

    @guarded
    def error(self, flow: http.HTTPFlow) -> None:
        give_back(flow)
        self._changed.pop(flow.id, None)

    @guarded
    def done(self) -> None:
        for flow in self._changed.values():
            give_back(flow)


class Outward:
    """The last addon: the client gets addresses at which it stays with the gateway."""

    name = "regtrace-gateway-outward"

    def __init__(self, places: Places) -> None:
        self._places = places

    @guarded
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        # A streamed answer's head leaves now, that of any other after ``response``.
        self._change(flow)

    @guarded
    def response(self, flow: http.HTTPFlow) -> None:
        self._change(flow)

    def _change(self, flow: http.HTTPFlow) -> None:
        response = flow.response
        if not flow.live or response is None or hasattr(flow, _TRUE):
            return
        own: Fields = response.headers.fields
        for_client = tuple((name, self._for_client(flow, name, value)) for name, value in own)
        if for_client != own:
            setattr(flow, _TRUE, own)
            response.headers.fields = for_client

    def _for_client(self, flow: http.HTTPFlow, name: bytes, value: bytes) -> bytes:
        text = value.decode("utf-8", "surrogateescape")
        field = name.lower()
        if field == b"location":
            text = self._moved(flow, "response.header.Location", text)
        elif field == b"link":
            where = "response.header.Link"
            text = _LINK.sub(lambda link: f"<{self._moved(flow, where, link[1])}>", text)
        elif field == b"www-authenticate":
            for challenge in parse_challenges([text]):
                if challenge.scheme == "bearer" and challenge.realm:
                    where = "response.header.WWW-Authenticate.realm"
                    moved = self._moved(flow, where, challenge.realm)
                    text = text.replace(challenge.realm, moved, 1)
        return text.encode("utf-8", "surrogateescape")

    def _moved(self, flow: http.HTTPFlow, where: str, url: str) -> str:
        """The URL, every byte of its path and query untouched, at the address of the gateway."""
        found = _ABSOLUTE.match(url.lstrip())
        if found is None:
            return url  # relative: the client resolves it against the gateway's own address
        url = url.lstrip()
        scheme = found[1] or flow.request.scheme
        origin = read_origin(f"{scheme}://{found[2]}{url[found.end() :]}")
        if origin is None or origin.scheme not in DEFAULT_PORTS:
            return url
        shown = _shown(flow, self._places, origin)
        if not shown:
            note_rewritten(flow, where, str(origin), "")
            return url
        note_rewritten(flow, where, str(origin), shown)
        login, at, _ = found[2].rpartition("@")
        here = shown.replace("://", f"://{login}{at}", 1)
        return f"{here}{url[found.end() :]}"


def give_back(flow: http.HTTPFlow) -> None:
    """Give an answer its own fields back, after the client had its own."""
    if flow.response is not None and hasattr(flow, _TRUE):
        flow.response.headers.fields = getattr(flow, _TRUE)
        delattr(flow, _TRUE)


def _shown(flow: http.HTTPFlow, places: Places, origin: Origin) -> str:
    """What the client is told of this origin; empty when no address is left for it."""
    address = places.address(origin)
    scheme = "https" if flow.client_conn.tls else "http"
    return f"{scheme}://{address[0]}:{address[1]}" if address else ""


def note_rewritten(flow: http.HTTPFlow, where: str, true: str, shown: str) -> None:
    """``shown`` is empty where the true name had to stay."""
    notes: dict[str, Any] = flow.metadata.setdefault(NOTES, {})
    changes = notes.setdefault("rewritten", [])
    # In a capture there must be text that UTF-8 can hold.
    change = [part.encode("utf-8", "backslashreplace").decode() for part in (where, true, shown)]
    if change not in changes:
        changes.append(change)


def addons(registry: Origin, addresses: Sequence[Address]) -> tuple[Inward, Outward]:
    places = Places(registry, addresses)
    return Inward(places), Outward(places)


def modes(addresses: Sequence[Address]) -> list[str]:
    """What mitmproxy must listen on."""
    return [f"reverse:{NOWHERE}@{host}:{port}" for host, port in addresses]


def loopback(port: int = 0, host: str = "127.0.0.1") -> list[Address]:
    """Free addresses of this machine, the registry's first. Raises OSError.

    On Linux all of 127.0.0.0/8 is there and docker takes it for insecure; elsewhere there is one
    loopback address, and further ports of it must do.
    """
    first = _free(host, port)
    if host != "127.0.0.1":
        return [first, *(_free(host, 0) for _ in range(_PLACES - 1))]
    others = []
    for number in range(2, _PLACES + 1):
        try:
            others.append(_free(f"127.0.0.{number}", first[1]))
        except OSError:
            others.append(_free(host, 0))
    return [first, *others]


def _free(host: str, port: int) -> Address:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        return host, int(sock.getsockname()[1])
