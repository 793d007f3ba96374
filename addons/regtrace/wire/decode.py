"""From an exchange to a leg: the one place that decides what an exchange is.

The order of recognition matters. What an earlier answer announced about this URL comes first (a
realm may lie under ``/v2/``, an upload Location may be any URL at all); then a failed tunnel,
token parameters, the storage layout (its paths contain ``/v2/`` too), and last the ``/v2/``
grammar. What fits nowhere stays ``other``.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from regtrace.wire.answerer import answered_by
from regtrace.wire.challenge import Challenge, parse_challenges
from regtrace.wire.client import Client, Family, read_client
from regtrace.wire.coding import decoded
from regtrace.wire.endpoint import Endpoint, Route, is_digest, parse_endpoint
from regtrace.wire.errors import ErrorBody, is_registry_voice, is_web_page, read_error
from regtrace.wire.exchange import Body, Exchange, Headers, Request, Response
from regtrace.wire.integrity import is_received_intact
from regtrace.wire.layout import digest_in_path, is_storage_layout
from regtrace.wire.leg import BLOB_KINDS, MANIFEST_KINDS, UPLOAD_KINDS, Kind, Leg
from regtrace.wire.manifest import Manifest, digest_of, is_schema1, read_manifest
from regtrace.wire.presigned import read_presigned
from regtrace.wire.registry import read_registry
from regtrace.wire.storage import read_vendor
from regtrace.wire.token import (
    TokenRequest,
    read_bearer,
    read_credentials,
    read_token_reply,
    read_token_request,
)
from regtrace.wire.upload import read_state, session_id
from regtrace.wire.url import Url, parse_url


class Role(Enum):
    """What an earlier answer announced about the URL of this exchange."""

    REALM = "realm"
    UPLOAD = "upload"
    STORAGE = "storage"


def decode(exchange: Exchange, role: Role | None = None) -> Leg:
    """The meaning of one exchange. Never raises: what can't be understood is ``other``."""
    request, response = exchange.request, exchange.response
    url = url_of(request)
    client = read_client(request.headers)
    if exchange.tunnel is not None or request.method == "CONNECT":
        product = read_registry(url, Headers(), ())
        return Leg(exchange=exchange, kind=Kind.CONNECT, url=url, client=client, product=product)

    headers = response.headers if response else Headers()
    challenges = parse_challenges(headers.all("WWW-Authenticate"))
    error = None
    if response:
        error = read_error(response.status, headers, response.body.kept, request.method)
    endpoint = parse_endpoint(request.target.partition("?")[0])
    asked = read_token_request(request.method, url, request.headers, request.body.kept)
    kind = _kind(exchange, url, role, endpoint, asked, client, challenges, error)

    if kind in {Kind.TOKEN, Kind.STORAGE, Kind.OTHER} or role is Role.UPLOAD:
        endpoint = None
    location = _location(exchange, url, kind)
    manifest = _manifest(exchange, kind)
    digest = _digest(exchange, url, kind, endpoint, manifest)
    voice = is_registry_voice(headers, error)
    page = kind in _NEVER_A_PAGE and _is_page(response)
    return Leg(
        exchange=exchange,
        kind=kind,
        url=url,
        endpoint=endpoint,
        client=client,
        product=None
        if kind in {Kind.TOKEN, Kind.STORAGE, Kind.OTHER}
        else read_registry(url, headers, challenges),
        bearer=read_bearer(request.headers),
        credentials=read_credentials(request.headers),
        challenges=challenges,
        # A request to a known realm is a token request even when it names no scope.
        token_request=(asked or TokenRequest()) if kind is Kind.TOKEN else None,
        token_reply=read_token_reply(_text(headers, response.body) or b"")
        if response and kind is Kind.TOKEN and response.status < 300
        else None,
        location=location,
        presigned=read_presigned(url) if kind in {Kind.STORAGE, Kind.OTHER} else None,
        vendor=read_vendor(url, headers) if kind is Kind.STORAGE else None,
        digest=digest,
        session=_session(url, headers, kind, location),
        state=read_state(url.param("_state") or (location and location.param("_state")) or ""),
        manifest=manifest,
        error=error,
        answerer=answered_by(headers, response.body.kept)
        if response and (page or (response.status >= 300 and not voice))
        else None,
        is_page=page,
        intact=_intact(exchange, kind, endpoint.digest if endpoint else None, manifest),
    )


def sent_on(leg: Leg, asked: Kind, digest: str | None) -> Leg:
    """What a client got where the registry sent it, judged by what it had asked for."""
    response = leg.exchange.response
    if leg.kind is not Kind.STORAGE:
        return leg
    if asked in _NEVER_A_PAGE and response is not None and _is_page(response):
        by = answered_by(response.headers, response.body.kept)
        leg = replace(leg, is_page=True, answerer=by)
    if digest is None:
        return leg
    return replace(leg, digest=digest, intact=_intact(leg.exchange, leg.kind, digest, None))


def url_of(request: Request) -> Url:
    host = f"[{request.host}]" if ":" in request.host else request.host
    # Without a default port, as a Location has it: what was announced is read once.
    usual = (request.scheme, request.port) in {("https", 443), ("http", 80)}
    text = f"{request.scheme}://{host}" + ("" if usual else f":{request.port}")
    if request.method == "CONNECT":
        return parse_url(text) or Url(request.scheme, request.host, request.port, "/")
    return parse_url(text + request.target) or Url(
        request.scheme, request.host, request.port, request.target.partition("?")[0]
    )


def _kind(
    exchange: Exchange,
    url: Url,
    role: Role | None,
    endpoint: Endpoint | None,
    asked: TokenRequest | None,
    client: Client | None,
    challenges: tuple[Challenge, ...],
    error: ErrorBody | None,
) -> Kind:
    method = exchange.request.method
    if role is Role.REALM:
        return Kind.TOKEN
    if role is Role.UPLOAD:
        return _UPLOAD_METHODS.get(method, Kind.OTHER)
    if role is Role.STORAGE:
        return Kind.STORAGE
    if is_storage_layout(url.path):
        return Kind.STORAGE
    if endpoint is None:
        if asked is not None:
            return Kind.TOKEN
        reads = method in {"GET", "HEAD"}
        led_here = reads and (read_presigned(url) or _was_sent_on(exchange.request.headers))
        return Kind.STORAGE if led_here else Kind.OTHER
    doubtful = endpoint.route in _NEEDS_CORROBORATION or _is_browser(client)
    if doubtful and not _is_registry(exchange, client, challenges, error):
        return Kind.OTHER
    if endpoint.route is Route.UPLOADS and method == "POST":
        return Kind.MOUNT if url.param("mount") else Kind.UPLOAD_START
    return _METHODS.get(endpoint.route, {}).get(method, Kind.OTHER)


_UPLOAD_METHODS = {
    "PATCH": Kind.UPLOAD_CHUNK,
    "PUT": Kind.UPLOAD_COMMIT,
    "GET": Kind.UPLOAD_STATUS,
    "HEAD": Kind.UPLOAD_STATUS,
    "DELETE": Kind.UPLOAD_CANCEL,
}
_METHODS = {
    Route.BASE: {"GET": Kind.PING, "HEAD": Kind.PING},
    Route.CATALOG: {"GET": Kind.CATALOG},
    Route.TAGS: {"GET": Kind.TAGS},
    Route.REFERRERS: {"GET": Kind.REFERRERS},
    Route.UPLOAD: _UPLOAD_METHODS,
    Route.BLOB: {"HEAD": Kind.BLOB_HEAD, "GET": Kind.BLOB_GET, "DELETE": Kind.BLOB_DELETE},
    Route.MANIFEST: {
        "HEAD": Kind.MANIFEST_HEAD,
        "GET": Kind.MANIFEST_GET,
        "PUT": Kind.MANIFEST_PUT,
        "DELETE": Kind.MANIFEST_DELETE,
    },
}

#: ``/v2/`` alone proves nothing: many products have such a path.
_NEEDS_CORROBORATION = frozenset({Route.BASE, Route.CATALOG, Route.EXTENSION, Route.V1})


def _is_registry(
    exchange: Exchange,
    client: Client | None,
    challenges: tuple[Challenge, ...],
    error: ErrorBody | None,
) -> bool:
    if client is not None and client.family is not Family.UNKNOWN:
        return True
    headers = exchange.response.headers if exchange.response else Headers()
    return bool(challenges) or is_registry_voice(headers, error)


def _is_browser(client: Client | None) -> bool:
    """Whoever says Mozilla looks at other products' paths below ``/v2/`` too."""
    return client is not None and client.product == "Mozilla"


def _was_sent_on(headers: Headers) -> bool:
    """Whether a registry's redirect led here, as Go's clients say it (net/http client.go)."""
    told = headers.get("Referer")
    came_from = parse_url(told) if told else None
    place = parse_endpoint(came_from.path) if came_from else None
    return place is not None and place.route in {Route.BLOB, Route.MANIFEST}


#: Answered in JSON, or with nothing, by every registry.
_NEVER_A_PAGE = (
    MANIFEST_KINDS | (BLOB_KINDS - {Kind.BLOB_GET}) | {Kind.PING, Kind.TAGS, Kind.CATALOG}
)


def _is_page(response: Response | None) -> bool:
    if response is None or not 200 <= response.status < 300:
        return False
    return is_web_page(response.headers, response.body.kept)


def _text(headers: Headers, body: Body) -> bytes | None:
    """A kept body without its Content-Encoding, as the client that asked for it sees it."""
    return None if body.kept is None else decoded(headers, body.kept)


def _location(exchange: Exchange, url: Url, kind: Kind) -> Url | None:
    response = exchange.response
    if response is None or (kind not in UPLOAD_KINDS and not 300 <= response.status < 400):
        return None
    text = response.headers.get("Location")
    # The request's own target keeps its percent-encoding: a canonical URL can't be a base.
    return parse_url(text, base=f"{url.origin}{exchange.request.target}") if text else None


def _manifest(exchange: Exchange, kind: Kind) -> Manifest | None:
    request, response = exchange.request, exchange.response
    if kind is Kind.MANIFEST_PUT:
        return read_manifest(
            request.headers.get("Content-Type"), _text(request.headers, request.body)
        )
    if kind in {Kind.MANIFEST_GET, Kind.REFERRERS} and response and response.status == 200:
        return read_manifest(
            response.headers.get("Content-Type"), _text(response.headers, response.body)
        )
    return None


def _digest(
    exchange: Exchange,
    url: Url,
    kind: Kind,
    endpoint: Endpoint | None,
    manifest: Manifest | None,
) -> str | None:
    if kind is Kind.STORAGE:
        return digest_in_path(url.path)
    if kind in BLOB_KINDS:
        named = endpoint.digest if endpoint else None
        return named or _valid(url.param("digest")) or _valid(url.param("mount"))
    if endpoint and endpoint.digest:
        return endpoint.digest
    if kind in MANIFEST_KINDS:
        return _manifest_digest(exchange, kind, manifest)
    return None


def _manifest_digest(exchange: Exchange, kind: Kind, manifest: Manifest | None) -> str | None:
    """Of a manifest that the path names by tag: what was sent, or what the registry says it is."""
    request, response = exchange.request, exchange.response
    # A schema 1 manifest's digest is not that of its bytes: they hold its signature too.
    countable = manifest is not None and manifest.kind != "schema1"
    if countable and kind is Kind.MANIFEST_PUT and request.body.kept:
        return _digest_of(request.headers, request.body)
    if response is None or response.status >= 300:
        return None
    said = _valid(response.headers.get("Docker-Content-Digest"))
    if said is None and countable and response.body.kept:
        return _digest_of(response.headers, response.body)
    return said


def _digest_of(headers: Headers, body: Body) -> str | None:
    """As it passed, where that is known: a copy that was redacted has other bytes."""
    known = body.digest if (headers.get("Content-Encoding") or "identity") == "identity" else None
    if known is not None and known.startswith("sha256:"):
        return known
    return digest_of(_text(headers, body) or b"")


def _intact(
    exchange: Exchange, kind: Kind, named: str | None, manifest: Manifest | None
) -> bool | None:
    """Of a schema 1 manifest it can't be told: its digest leaves its signature out."""
    response = exchange.response
    if kind not in _BRINGS_BYTES or named is None or response is None:
        return None
    said = is_schema1(response.headers.get("Content-Type"))
    if manifest.kind == "schema1" if manifest else said:
        return None
    return is_received_intact(named, exchange.request, response)


_BRINGS_BYTES = frozenset({Kind.BLOB_GET, Kind.MANIFEST_GET, Kind.STORAGE})


def _valid(text: str | None) -> str | None:
    return text if text and is_digest(text) else None


def _session(url: Url, headers: Headers, kind: Kind, location: Url | None) -> str | None:
    if kind not in UPLOAD_KINDS:
        return None
    if kind in {Kind.UPLOAD_START, Kind.MOUNT}:
        return session_id(location or url, headers)
    return session_id(url, headers)
