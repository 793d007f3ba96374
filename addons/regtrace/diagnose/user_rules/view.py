"""What a condition sees: a leg and its operation as plain data, by name.

Every name has a value of one type always, so that a condition can't stumble over what is missing:
an unknown text is ``""``, an unknown number -1. Credentials are not among the headers. The table
is the documentation, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from regtrace.diagnose.facts import Facts
from regtrace.follow.story import Operation
from regtrace.wire.exchange import Headers
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.transport import Failure

Plain = str | int | float | bool | list[str] | dict[str, str]

#: Characters of one text, and texts of one list, that a condition sees.
_LONGEST, _MOST = 2_000, 200
#: CEL's numbers have 64 bits.
_LARGEST = 2**63 - 1

_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    """``leg.error.code``."""
    meaning: str
    read: Callable[[Leg, Facts], Plain]


def _text(value: object) -> str:
    return str(value or "")[:_LONGEST].encode("utf-8", "replace").decode()


def _texts(values: Iterable[object]) -> list[str]:
    return [_text(value) for value in list(values)[:_MOST]]


def _number(value: int | None) -> int:
    return -1 if value is None else min(value, _LARGEST)


def _seconds(begun: float, ended: float | None) -> float:
    return -1.0 if ended is None else max(ended - begun, 0.0)


def _headers(headers: Headers | None) -> dict[str, str]:
    names = {name.lower() for name, _ in headers or ()} - _CREDENTIALS
    joined = {name: ", ".join(headers.all(name)) for name in names} if headers else {}
    return {_text(name): _text(value) for name, value in list(joined.items())[:_MOST]}


def _response(leg: Leg) -> Headers | None:
    return leg.exchange.response.headers if leg.exchange.response else None


def _challenge(leg: Leg, name: str) -> str:
    challenge = leg.challenges[0] if leg.challenges else None
    return _text(getattr(challenge, name)) if challenge else ""


def _client(operation: Operation, name: str) -> str:
    return _text(getattr(operation.client, name)) if operation.client else ""


NAMES: tuple[Name, ...] = (
    Name(
        "leg.kind",
        f"one of {', '.join(kind.value for kind in Kind)}",
        lambda leg, _: leg.kind.value,
    ),
    Name("leg.method", "GET, HEAD, POST, …", lambda leg, _: _text(leg.method)),
    Name(
        "leg.status", "the answer's status; -1: no answer came", lambda leg, _: _number(leg.status)
    ),
    Name("leg.refused", "the status is 400 or more, or no answer came", lambda leg, _: leg.refused),
    Name("leg.fatal", "the operation failed by this leg", lambda leg, facts: facts.is_fatal(leg)),
    Name(
        "leg.failure",
        f"how the connection failed: {', '.join(kind.value for kind in Failure)}; empty when it did"
        " not",
        lambda leg, _: leg.failure.value if leg.failure else "",
    ),
    Name(
        "leg.seconds",
        "from the request's first byte to the answer's last",
        lambda leg, _: _seconds(leg.started, leg.ended),
    ),
    Name(
        "leg.request.size",
        "bytes of the body that was sent",
        lambda leg, _: _number(leg.exchange.request.body.size),
    ),
    Name(
        "leg.request.headers",
        "by name in lower case; several of one name are joined by a comma and a blank",
        lambda leg, _: _headers(leg.exchange.request.headers),
    ),
    Name(
        "leg.response.size",
        "bytes of the body that came back",
        lambda leg, _: _number(leg.exchange.response.body.size if leg.exchange.response else None),
    ),
    Name(
        "leg.response.headers",
        'likewise: leg.response.headers["server"]; empty when it is not there',
        lambda leg, _: _headers(_response(leg)),
    ),
    Name("leg.url.scheme", "http or https", lambda leg, _: _text(leg.url.scheme)),
    Name("leg.url.host", "without the port", lambda leg, _: _text(leg.url.host)),
    Name("leg.url.port", "also when the URL leaves it out", lambda leg, _: leg.url.port),
    Name("leg.url.path", "percent-decoded", lambda leg, _: _text(leg.url.path)),
    Name(
        "leg.url.query",
        "by name as sent",
        lambda leg, _: {_text(key): _text(value) for key, value in reversed(leg.url.query)},
    ),
    Name(
        "leg.location",
        "the URL that the answer points to",
        lambda leg, _: _text(leg.location and leg.location.origin + leg.location.path),
    ),
    Name("leg.repository", "from the path", lambda leg, _: _text(leg.repository)),
    Name("leg.tag", "from the path", lambda leg, _: _text(leg.tag)),
    Name("leg.digest", "of the blob or manifest", lambda leg, _: _text(leg.digest)),
    Name(
        "leg.error.dialect",
        "oci (a registry's errors), storage-xml, json, html, text, empty or unrecorded",
        lambda leg, _: _text(leg.error and leg.error.dialect),
    ),
    Name(
        "leg.error.code",
        "the first error code: DENIED, AccessDenied, …",
        lambda leg, _: _text(leg.error and leg.error.code),
    ),
    Name(
        "leg.error.codes",
        "all of them",
        lambda leg, _: _texts(leg.error.codes if leg.error else ()),
    ),
    Name(
        "leg.error.message",
        "the first error message",
        lambda leg, _: _text(leg.error and leg.error.message),
    ),
    Name(
        "leg.error.text",
        "the beginning of the refusal's body",
        lambda leg, _: _text(leg.error and leg.error.text),
    ),
    Name(
        "leg.challenge.scheme",
        "of WWW-Authenticate: bearer, basic, …",
        lambda leg, _: _challenge(leg, "scheme"),
    ),
    Name("leg.challenge.realm", "as sent", lambda leg, _: _challenge(leg, "realm")),
    Name("leg.challenge.service", "as sent", lambda leg, _: _challenge(leg, "service")),
    Name(
        "leg.challenge.error",
        "invalid_token, insufficient_scope, …",
        lambda leg, _: _challenge(leg, "error"),
    ),
    Name(
        "leg.asked",
        "the scopes that a token was asked for, such as repository:team/app:pull,push",
        lambda leg, _: _texts(leg.token_request.scopes if leg.token_request else ()),
    ),
    Name(
        "leg.credentials",
        "scheme of the Authorization that was sent: bearer, basic, …",
        lambda leg, _: _text(leg.credentials and leg.credentials.scheme),
    ),
    Name(
        "leg.storage",
        "whose storage answered: s3, ceph, minio, gcs, azure, cloudfront, …",
        lambda leg, _: _text(leg.vendor and leg.vendor.value),
    ),
    Name(
        "leg.answered_by",
        "who answered in the registry's place: nginx, cloudflare, squid, …",
        lambda leg, _: _text(leg.answerer and leg.answerer.product),
    ),
    Name(
        "operation.kind",
        "push, pull, login, delete or other",
        lambda _, facts: facts.operation.kind.value,
    ),
    Name(
        "operation.outcome",
        "ok, failed or incomplete",
        lambda _, facts: facts.operation.ending.value,
    ),
    Name(
        "operation.registry",
        "host:port",
        lambda _, facts: _text(facts.operation.registry),
    ),
    Name("operation.repository", "team/app", lambda _, facts: _text(facts.operation.repository)),
    Name("operation.reference", "tag or digest", lambda _, facts: _text(facts.operation.reference)),
    Name(
        "operation.client.product",
        "docker, skopeo, buildkit, …",
        lambda _, facts: _client(facts.operation, "product"),
    ),
    Name(
        "operation.client.version",
        "20.10.24",
        lambda _, facts: _client(facts.operation, "version"),
    ),
)

_TYPES = {
    str: "text",
    bool: "true or false",
    int: "number",
    float: "number",
    list: "list of texts",
    dict: "texts by name",
}


def type_of(name: Name, leg: Leg, facts: Facts) -> str:
    """What sort of value it has, in words; any leg shows it."""
    return _TYPES[type(name.read(leg, facts))]


def seen(names: Iterable[Name], leg: Leg, facts: Facts) -> Mapping[str, object]:
    """The values of these names as a tree: ``{"leg": {"status": 403}}``."""
    tree: dict[str, object] = {}
    for name in names:
        *way, last = name.name.split(".")
        branch = tree
        for step in way:
            branch = branch.setdefault(step, {})  # type: ignore[assignment]
        branch[last] = name.read(leg, facts)
    return tree
