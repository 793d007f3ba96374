"""A capture that may leave: flows in mitmproxy's own format, made anew from redacted exchanges.

Nothing is copied from a flow but what stands here by name, so what no handler knows stays behind:
comments, other addons' metadata, trailers, client certificates, the proxy's own addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mitmproxy.version import FLOW_FORMAT_VERSION

from regtrace.proxy.flows import NOTES, exchange_of
from regtrace.proxy.saved import SavedFlow, flow_of
from regtrace.redact import certificates, grammar
from regtrace.redact.copying import Copier
from regtrace.redact.redactor import VERSION
from regtrace.wire.exchange import Body, Exchange, Headers

State = dict[str, Any]

_MOST_CERTIFICATES = 10
_ALPN = frozenset({b"h2", b"http/1.1", b"http/1.0"})
_TLS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "QUICv1")
_TUNNELS = frozenset({"server-connect", "server-tls", "client-tls"})
#: mitmproxy gives every flow that it made from a HAR entry this client (io/har.py).
_FROM_HAR = ("127.0.0.1", 0)


class FlowCopier:
    """Copies flows by a redactor that has learned all that they hold."""

    def __init__(self, copier: Copier) -> None:
        self._copier = copier
        self._certificates: dict[bytes, bytes | None] = {}

    def record(self, state: State) -> bytes:
        """The copy of this flow, as it stands in a file."""
        return _packed(self.state(state))

    def state(self, state: State) -> State:
        flow = flow_of(state)
        exchange = exchange_of(flow)
        copy = self._copier.exchange(exchange)
        notes = self._notes(flow, exchange, copy)
        return {
            "version": FLOW_FORMAT_VERSION,
            "type": "http",
            "id": self._id(copy.id),
            "error": None
            if copy.error is None
            else {"msg": copy.error, "timestamp": copy.error_at or 0.0},
            "client_conn": self._client(state["client_conn"], copy),
            "server_conn": self._server(state["server_conn"], copy),
            "intercepted": False,
            "is_replay": None,
            "marked": "",
            "metadata": {NOTES: notes},
            "comment": "",
            "timestamp_created": _time(state.get("timestamp_created")) or copy.request.started,
            "request": self._request(state["request"], copy),
            "response": self._response(copy),
            "websocket": None,
            "backup": None,
        }

    def _id(self, text: str) -> str:
        return text if grammar.is_uuid(text) else self._copier.redactor.label("value", text)

    # --- messages

    def _request(self, state: State, copy: Exchange) -> State:
        request = copy.request
        scheme = state["scheme"] if state["scheme"] in {b"http", b"https"} else b""
        return {
            "http_version": request.version.encode(),
            "headers": _fields(request.headers),
            "content": request.body.kept,
            "trailers": None,
            "timestamp_start": request.started,
            "timestamp_end": request.ended,
            "host": request.host,
            "port": request.port,
            "method": request.method.encode(),
            "scheme": scheme,
            "authority": f"{request.host}:{request.port}".encode()
            if request.method == "CONNECT"
            else b"",
            "path": request.target.encode("utf-8", "backslashreplace"),
        }

    def _response(self, copy: Exchange) -> State | None:
        response = copy.response
        if response is None:
            return None
        return {
            "http_version": b"HTTP/1.1",
            "headers": _fields(response.headers),
            "content": response.body.kept,
            "trailers": None,
            "timestamp_start": response.started,
            "timestamp_end": response.ended,
            "status_code": response.status,
            "reason": response.reason.encode("iso-8859-1", "replace"),
        }

    def _notes(self, flow: SavedFlow, exchange: Exchange, copy: Exchange) -> State:
        """What regtrace itself knows of the flow; of a body that changed, what it was."""
        known = flow.metadata.get(NOTES)
        known = known if isinstance(known, dict) else {}
        notes: State = {"redacted": VERSION}
        sides = [("request_body", flow.request.raw_content, exchange.request.body, copy.request)]
        if copy.response is not None and exchange.response is not None and flow.response:
            content = flow.response.raw_content
            sides.append(("response_body", content, exchange.response.body, copy.response))  # type: ignore[arg-type]
        for name, content, body, message in sides:
            changed = message.body.kept != content
            if changed or isinstance(known.get(name), dict):
                notes[name] = _note(message.body, body)
        if copy.tunnel in _TUNNELS:
            notes["tunnel"] = copy.tunnel
        if copy.rewritten:
            notes["rewritten"] = [[c.where, c.true, c.shown] for c in copy.rewritten]
        return notes

    # --- connections

    def _client(self, state: State, copy: Exchange) -> State:
        peer = state.get("peername")
        host = copy.connection.client_host
        shown: tuple[str, int] | None = None
        if peer is not None and tuple(peer[:2]) == _FROM_HAR:
            shown = _FROM_HAR
        elif host is not None and peer is not None:
            shown = (host, _port(peer))
        return {
            **self._connection(state),
            "peername": shown or ("", 0),
            "sockname": ("", 0),
            "mitmcert": None,
            "proxy_mode": "regular",
            "certificate_list": [],
        }

    def _server(self, state: State, copy: Exchange) -> State:
        peer, host = state.get("peername"), copy.connection.server_host
        chain = state.get("certificate_list") or ()
        made = [self._certificate(pem) for pem in list(chain)[:_MOST_CERTIFICATES]]
        return {
            **self._connection(state),
            "address": (copy.request.host, copy.request.port) if state.get("address") else None,
            "peername": (host, _port(peer)) if host is not None and peer is not None else None,
            "timestamp_tcp_setup": _time(state.get("timestamp_tcp_setup")),
            "sockname": None,
            "certificate_list": [pem for pem in made if pem is not None],
            "via": _via(state.get("via"), copy),
        }

    def _connection(self, state: State) -> State:
        version = state.get("tls_version")
        alpn = state.get("alpn")
        return {
            "id": self._id(str(state["id"])),
            "error": None,
            "tls": state.get("tls") is True,
            "tls_version": version if version in _TLS else None,
            "alpn": alpn if alpn in _ALPN else None,
            "alpn_offers": [],
            "cipher": None,
            "cipher_list": [],
            "sni": None,
            "timestamp_start": _time(state.get("timestamp_start")),
            "timestamp_end": _time(state.get("timestamp_end")),
            "timestamp_tls_setup": _time(state.get("timestamp_tls_setup")),
            "transport_protocol": "tcp",
        }

    def _certificate(self, pem: Any) -> bytes | None:
        if not isinstance(pem, bytes):
            return None
        if pem not in self._certificates:
            self._certificates[pem] = certificates.made_up(self._copier, pem)
        return self._certificates[pem]


def _packed(value: Any) -> bytes:
    """A tnetstring, several times as fast as mitmproxy's own (mitmproxy/io/tnetstring.py)."""
    if value is None:
        return b"0:~"
    if value is True or value is False:
        return b"4:true!" if value else b"5:false!"
    if isinstance(value, bytes):
        return b"%d:%b," % (len(value), value)
    if isinstance(value, str):
        raw, kind = value.encode(), b";"
    elif isinstance(value, int):
        raw, kind = b"%d" % value, b"#"
    elif isinstance(value, float):
        raw, kind = repr(value).encode(), b"^"
    elif isinstance(value, dict):
        # Backwards, as mitmproxy writes it: readers skip what stands before what they ask for.
        parts = (part for pair in reversed(value.items()) for part in pair)
        raw, kind = b"".join(map(_packed, parts)), b"}"
    else:
        raw, kind = b"".join(map(_packed, value)), b"]"
    return b"%d:%b%b" % (len(raw), raw, kind)


def _note(copy: Body, known: Body) -> State:
    return {"size": known.size, "digest": copy.digest, "complete": known.complete}


def _fields(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]


def _via(via: Any, copy: Exchange) -> tuple[str, tuple[str, int]] | None:
    if copy.connection.through is None:
        return None
    return "https" if via[0] == "https" else "http", copy.connection.through


def _port(peer: Any) -> int:
    return peer[1] if type(peer[1]) is int else 0


def _time(value: Any) -> float | None:
    return float(value) if type(value) in {int, float} else None


def records(
    states: Iterator[State], copier: FlowCopier, is_wanted: Callable[[str], bool]
) -> Iterator[bytes]:
    """The copies of the flows that are wanted, by their ids."""
    for state in states:
        if is_wanted(state["id"]):
            yield copier.record(state)
