"""Flows of a file that mitmproxy wrote, restored no further than an exchange needs.

mitmproxy's own reader takes most of its time for parts of a flow that no exchange shows: state of
connections, certificates, timers. The file's format, a tnetstring for each flow, and the steps from
older formats are mitmproxy's; the objects made here have its names for what ``flows.py`` asks for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO, NamedTuple

from mitmproxy.io import compat
from mitmproxy.version import FLOW_FORMAT_VERSION

#: Letters behind a value that tell its type (mitmproxy/io/tnetstring.py).
_BYTES, _TEXT, _LIST, _DICT = b",;]}"
_PLAIN: dict[int, Callable[[bytes], Any]] = {
    ord("~"): lambda raw: None,
    ord("#"): int,
    ord("^"): float,
    ord("!"): lambda raw: raw == b"true",
}
#: How a server's connection begins that leads by no other proxy.
_NO_VIA = b"3:via;0:~"
#: Bytes of a list that is worth remembering, in case it comes again: a header field with a token.
_SHORT = 8 * 1024
#: Digits that a length may have.
_DIGITS = 12
#: To look a length up takes less than half of the time that Python needs to read its digits.
_LENGTHS = {b"%d" % length: length for length in range(4096)}


class SavedHeaders:
    __slots__ = ("fields",)

    def __init__(self, fields: tuple[tuple[bytes, bytes], ...]) -> None:
        self.fields = fields

    def get(self, name: str, default: str = "") -> str:
        """All values of this name, which is in lower case."""
        wanted = name.encode()
        values = [value for key, value in self.fields if key.lower() == wanted]
        return b", ".join(values).decode("utf-8", "surrogateescape") if values else default

    def __contains__(self, name: str) -> bool:
        wanted = name.encode()
        return any(key.lower() == wanted for key, _ in self.fields)


class SavedRequest(NamedTuple):
    http_version: str
    headers: SavedHeaders
    raw_content: bytes | None
    timestamp_start: float
    timestamp_end: float | None
    method: str
    scheme: str
    host: str
    port: int
    path: bytes
    authority: str
    """As HTTP/2 has it in the place of Host."""

    @property
    def data(self) -> SavedRequest:
        """Where mitmproxy has the path as bytes."""
        return self


class SavedResponse(NamedTuple):
    http_version: str
    headers: SavedHeaders
    raw_content: bytes | None
    timestamp_start: float
    timestamp_end: float | None
    status_code: int
    reason: str


SavedMessage = SavedRequest | SavedResponse


class SavedError(NamedTuple):
    msg: str
    timestamp: float


class SavedConnection(NamedTuple):
    id: str
    peername: tuple[Any, ...] | None
    certificate_list: tuple[bytes, ...]
    """Of the other side, its own first, in PEM."""
    via: tuple[str, tuple[str, int]] | None = None
    """Scheme and address of another proxy on the way to a server."""
    timestamp_start: float | None = None
    """Read of a server behind another proxy."""


class SavedFlow(NamedTuple):
    id: str
    request: SavedRequest
    response: SavedResponse | None
    error: SavedError | None
    metadata: dict[str, Any]
    client_conn: SavedConnection
    server_conn: SavedConnection


def saved_flows(stream: BinaryIO) -> Iterator[SavedFlow | None]:
    """Each flow of the file; None stands for one that is not HTTP. Raises ValueError where the file
    is damaged, without words unless mitmproxy has some."""
    while record := _record(stream):
        try:
            (state,) = _items(record, 0, len(record))
            if state.get("version") != FLOW_FORMAT_VERSION:
                # The steps from older formats ask for all of it.
                (state,) = _items(record, 0, len(record), whole=True)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            raise ValueError from None
        current = _current(state)
        yield _flow(current) if current.get("type") == "http" else None


def saved_states(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """All that the file says of each HTTP flow, in mitmproxy's present format; it ends where the
    file is damaged."""
    with contextlib.suppress(ValueError):
        while record := _record(stream):
            state = state_of(record)
            if state is not None:
                yield state


def state_of(record: bytes) -> dict[str, Any] | None:
    """All that this record says of a flow; None when it is not HTTP. Raises ValueError."""
    try:
        (state,) = _items(record, 0, len(record), whole=True)
        current = _current(state)
        if current.get("type") != "http":
            return None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise ValueError from None
    flow_of(current)
    return current


def flow_of(state: dict[str, Any]) -> SavedFlow:
    """The flow of this state. Raises ValueError for what is of another type than mitmproxy
    writes."""
    return _flow(state)


def _current(state: dict[Any, Any]) -> dict[Any, Any]:
    """In mitmproxy's present format; a ValueError of its own says what it can't read."""
    try:
        return compat.migrate_flow(state)
    except (TypeError, LookupError, AttributeError, AssertionError):
        raise ValueError from None


def _record(stream: BinaryIO) -> bytes:
    """The next flow as it was written; empty at the end of the file."""
    head = stream.read(_DIGITS + 1)
    length, colon, begun = head.partition(b":")
    if not head:
        return b""
    if not colon or not length.isdigit():
        raise ValueError
    return head + stream.read(max(int(length) + 1 - len(begun), 0))


def _items(data: bytes, at: int, end: int, *, whole: bool = False) -> list[Any]:
    """The values that stand between these two places, one after the other; unless ``whole``, of
    connections only what is asked for."""
    items: list[Any] = []
    find = data.index
    while at < end:
        colon = find(b":", at, at + _DIGITS + 1)
        start = colon + 1
        digits = data[at:colon]
        at = start + (_LENGTHS[digits] if digits in _LENGTHS else int(digits))
        if at < start:
            raise ValueError
        kind = data[at]
        if kind == _BYTES:
            items.append(data[start:at])
        elif kind == _TEXT:
            items.append(data[start:at].decode())
        elif kind == _LIST:
            short = at - start <= _SHORT and not whole
            items.append(_same(data[start:at]) if short else _items(data, start, at, whole=whole))
        elif kind == _DICT:
            if not whole and items and _is_direct(items[-1], data, start):
                # What is asked for of a connection stands behind ten fields that are not.
                start = max(data.rfind(b"16:certificate_list;", start, at), start)
            inner = _items(data, start, at, whole=whole)
            items.append(dict(zip(inner[::2], inner[1::2], strict=True)))
        else:
            items.append(_PLAIN[kind](data[start:at]))
        at += 1
    if at != end:
        raise ValueError
    return items


def _is_direct(name: Any, data: bytes, start: int) -> bool:
    """Whether it is a connection that leads by no other proxy."""
    return name == "client_conn" or (name == "server_conn" and data.startswith(_NO_VIA, start))


@lru_cache(maxsize=1024)  # most header fields came before
def _same(data: bytes) -> tuple[Any, ...]:
    return tuple(_items(data, 0, len(data)))


def _flow(state: dict[str, Any]) -> SavedFlow:
    """Raises ValueError for what is of another type than mitmproxy writes."""
    try:
        request, response, error = state["request"], state["response"], state["error"]
        return SavedFlow(
            _one(str, state["id"]),
            SavedRequest(
                *_message(request),
                _text(request["method"]).upper(),
                _text(request["scheme"]),
                _one(str, request["host"]),
                _one(int, request["port"]),
                _one(bytes, request["path"]),
                _text(request["authority"]),
            ),
            SavedResponse(
                *_message(response),
                _one(int, response["status_code"]),
                _one(bytes, response["reason"]).decode("iso-8859-1"),
            )
            if response
            else None,
            SavedError(_one(str, error["msg"]), _time(error["timestamp"])) if error else None,
            _one(dict, state["metadata"]),
            _connection(state["client_conn"]),
            _connection(state["server_conn"]),
        )
    except (KeyError, TypeError, ValueError):
        raise ValueError from None


def _message(
    state: dict[str, Any],
) -> tuple[str, SavedHeaders, bytes | None, float, float | None]:
    ended, content = state["timestamp_end"], state["content"]
    return (
        _text(state["http_version"]),
        SavedHeaders(
            tuple([(_one(bytes, name), _one(bytes, value)) for name, value in state["headers"]])
        ),
        None if content is None else _one(bytes, content),
        _time(state["timestamp_start"]),
        None if ended is None else _time(ended),
    )


def _connection(state: dict[str, Any]) -> SavedConnection:
    peer = state["peername"]
    if peer is not None:
        peer = (_one(str, peer[0]), _one(int, peer[1]))
    certificates = tuple([_one(bytes, pem) for pem in state["certificate_list"]])
    via, began = state.get("via"), None
    if via is not None:
        scheme, (host, port) = via
        via = _one(str, scheme), (_one(str, host), _one(int, port))
        began = None if state["timestamp_start"] is None else _time(state["timestamp_start"])
    return SavedConnection(_one(str, state["id"]), peer, certificates, via, began)


def _text(raw: Any) -> str:
    return str(_one(bytes, raw), "utf-8", "surrogateescape")


def _time(value: float) -> float:
    return value if type(value) is float else float(_one(int, value))


def _one(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError
    return value
