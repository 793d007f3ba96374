"""One HTTP exchange as plain data: what was sent, what came back, how it ended.

Nothing here knows mitmproxy or registries. Times are epoch seconds UTC, sizes are bytes.

A body has three states that must never be confused:

* ``Body.kept`` is bytes: all of the body is here (``b""`` when the message had none);
* ``Body.kept`` is ``None`` and ``complete``: it passed but was not kept (a streamed blob);
* ``Body.kept`` is ``None`` and not ``complete``: it was cut off, or never recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache


class Headers:
    """Header fields in the order they came; names compare without case (RFC 9110 5.1)."""

    __slots__ = ("_places", "fields")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.fields: tuple[tuple[str, str], ...] = tuple(fields)
        names = tuple([name for name, _ in self.fields])
        known = len(names) <= _MANY and len("".join(names)) <= _LONG
        self._places = _places(names) if known else _places.__wrapped__(names)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of this name, in order; a name may come several times."""
        places = self._places.get(name.lower())
        return tuple([self.fields[place][1] for place in places]) if places else ()

    def get(self, name: str) -> str | None:
        """The first value of this name, or None."""
        places = self._places.get(name.lower())
        return self.fields[places[0]][1] if places else None

    def only(self, names: Set[str]) -> Headers:
        """The fields of these names, which are in lower case."""
        if names.isdisjoint(self._places):
            return _NONE
        return Headers(field for field in self.fields if field[0].lower() in names)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._places

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        return f"Headers({list(self.fields)!r})"


#: Fields, and characters of their names, that no program sends with every message.
_MANY, _LONG = 100, 4096


@lru_cache(maxsize=256)  # a program sends the same fields with every message
def _places(names: tuple[str, ...]) -> dict[str, list[int]]:
    """Name in lower case → where it stands."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name.lower(), []).append(place)
    return places


_NONE = Headers()


@dataclass(frozen=True, slots=True)
class Body:
    """What is known of a message body. ``digest`` is ``algorithm:hex`` of the bytes that passed, by
    the algorithm of the digest that was asked for, if it is sha512, or else by sha256."""

    kept: bytes | None = b""
    size: int | None = 0
    digest: str | None = None
    complete: bool = True

    def emptied(self) -> Body:
        """What is known of it without its bytes."""
        return _emptied(self.size, self.complete)

    @classmethod
    def of(cls, content: bytes) -> Body:
        return cls(content, len(content))

    @classmethod
    def unrecorded(cls) -> Body:
        """A body that may have existed; nothing of it is known."""
        return cls(None, None, None, complete=False)


@lru_cache(maxsize=256)  # most bodies are empty: one stands for all
def _emptied(size: int | None, complete: bool) -> Body:
    return Body(None, size, None, complete)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    scheme: str
    host: str
    port: int
    target: str = "/"
    """Path and query as sent, percent-encoding untouched."""
    headers: Headers = field(default_factory=Headers)
    """With ``Expect: 100-continue``, the proxy itself told the client to go on, before the server
    could refuse."""
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
class ServerCertificate:
    """What the server's own certificate says of itself, accepted or not."""

    subject: str
    """Distinguished name (RFC 4514), such as ``CN=registry.test,O=Example``."""
    issuer: str
    names: tuple[str, ...]
    """Host names and addresses that it is for (subjectAltName)."""
    not_before: float
    not_after: float
    """Validity, epoch seconds UTC."""
    self_signed: bool
    """It names itself as its issuer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Both sides of the exchange, as far as the proxy saw them."""

    id: str = ""
    """Equal for exchanges on one TCP connection of the client; empty when unknown (HAR)."""
    client_host: str | None = None
    server_host: str | None = None
    """Address that the proxy connected to, None when it never did, or another proxy did."""
    server_port: int | None = None
    certificate: ServerCertificate | None = None
    """What the server showed, also when it was refused; None without TLS, and in a HAR."""
    through: tuple[str, int] | None = None
    """Host and port of another proxy, by which this one goes out; None when it goes by itself."""
    through_answered: bool = True
    """False: ``through`` was not reached, or gave no proxy's answer; the server was not asked."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A part of the exchange that the client has by another name, because a gateway changed it."""

    where: str
    """A path into the exchange, such as ``response.header.Location``."""
    true: str
    """The origin as the server knows it, and as it stands in the exchange."""
    shown: str
    """What the client had in its place; empty where it had to get the true one."""


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
    rewritten: tuple[Rewritten, ...] = ()
    labelled: bool = False
    """It is of a redacted capture: labels stand where secrets stood."""

    def pared(self, names: Set[str]) -> Exchange:
        """The same without bodies, and of the header fields only those (in lower case); the target
        stays where no success came."""
        request, response = self.request, self.response
        went_well = self.error is None and response is not None and response.status < 400
        return replace(
            self,
            request=replace(
                request,
                target="" if went_well else request.target,
                headers=request.headers.only(names),
                body=request.body.emptied(),
            ),
            response=response
            and replace(
                response,
                headers=response.headers.only(names),
                body=response.body.emptied(),
            ),
        )

    @property
    def started(self) -> float:
        return self.request.started

    @property
    def ended(self) -> float | None:
        """When the last byte of the answer, or the error, came; None while in flight."""
        if self.error is not None:
            return self.error_at
        return self.response.ended if self.response else None
