"""One HTTP exchange as plain data: what was sent, what came back, how it ended.

Nothing here knows mitmproxy or registries. Times are epoch seconds UTC, sizes are bytes.

A body has three states that must never be confused:

* ``Body.kept`` is bytes: all of the body is here (``b""`` when the message had none);
* ``Body.kept`` is ``None`` and ``complete``: it passed but was not kept (a streamed blob);
* ``Body.kept`` is ``None`` and not ``complete``: it was cut off, or never recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


class Headers:
    """Header fields in the order they came; names compare without case (RFC 9110 5.1)."""

    __slots__ = ("_values", "fields")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.fields: tuple[tuple[str, str], ...] = tuple(fields)
        self._values: dict[str, list[str]] = {}
        for name, value in self.fields:
            self._values.setdefault(name.lower(), []).append(value)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of this name, in order; a name may come several times."""
        return tuple(self._values.get(name.lower(), ()))

    def get(self, name: str) -> str | None:
        """The first value of this name, or None."""
        return next(iter(self._values.get(name.lower(), ())), None)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        return f"Headers({list(self.fields)!r})"


@dataclass(frozen=True, slots=True)
class Body:
    """What is known of a message body. ``digest`` is ``sha256:hex`` of the bytes that passed."""

    kept: bytes | None = b""
    size: int | None = 0
    digest: str | None = None
    complete: bool = True

    @classmethod
    def of(cls, content: bytes) -> Body:
        return cls(content, len(content))

    @classmethod
    def unrecorded(cls) -> Body:
        """A body that may have existed; nothing of it is known."""
        return cls(None, None, None, complete=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    scheme: str
    host: str
    port: int
    target: str = "/"
    """Path and query as sent, percent-encoding untouched."""
    headers: Headers = field(default_factory=Headers)
    body: Body = field(default_factory=Body)
    started: float = 0.0
    ended: float | None = None
    """None: the client never finished sending."""
    version: str = "HTTP/1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: int
    reason: str = ""
    headers: Headers = field(default_factory=Headers)
    body: Body = field(default_factory=Body)
    started: float = 0.0
    ended: float | None = None
    """None: the server never finished sending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The client's side of the exchange, as far as the proxy saw it."""

    id: str = ""
    """Equal for exchanges on one TCP connection of the client; empty when unknown (HAR)."""
    client_host: str | None = None
    server_host: str | None = None
    """Address that the proxy connected to, None when it never did."""
    server_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request with its response, its error, or neither (cut off by the end of the capture)."""

    id: str
    request: Request
    response: Response | None = None
    error: str | None = None
    """What the proxy says about a transport that broke; None when nothing broke."""
    error_at: float | None = None
    tunnel: str | None = None
    """For a CONNECT that failed before any request: ``server-connect`` (refused, DNS, timeout),
    ``server-tls`` (the server's certificate or handshake) or ``client-tls`` (the client does not
    accept the proxy's certificate)."""
    connection: Connection = field(default_factory=Connection)

    @property
    def started(self) -> float:
        return self.request.started

    @property
    def ended(self) -> float | None:
        """When the last byte of the answer, or the error, came; None while in flight."""
        if self.error is not None:
            return self.error_at
        return self.response.ended if self.response else None
