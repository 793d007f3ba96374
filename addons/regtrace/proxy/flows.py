"""From mitmproxy's flows to exchanges. Nobody else sees a flow's insides.

What only a live proxy could see was written into ``flow.metadata[NOTES]`` by the other files of
this room, and is read back here, so a replay knows it too.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Any

from mitmproxy import connection, http
from mitmproxy.net.http.url import parse_authority

from regtrace.proxy.certificates import read_certificate
from regtrace.proxy.saved import SavedConnection, SavedFlow, SavedMessage, SavedRequest
from regtrace.wire.exchange import (
    Body,
    Connection,
    Exchange,
    Headers,
    Request,
    Response,
    Rewritten,
    ServerCertificate,
)
from regtrace.wire.hosts import is_address
from regtrace.wire.transport import SERVER_TLS, Failure, is_no_proxys_answer, read_failure
from regtrace.wire.url import DEFAULT_PORTS

AnyFlow = http.HTTPFlow | SavedFlow
AnyMessage = http.Message | SavedMessage

#: Key of our notes in ``flow.metadata``: plain data only, or mitmproxy loses the flow.
NOTES = "regtrace"
#: Bytes of a body that are kept for reading; a manifest has 4 MiB at most (manifests.go).
KEPT = 4 * 1024 * 1024

#: As a digest, as storage layouts write it, or as ``digest-algorithm`` (distribution-spec, "Pushing
#: a blob in chunks").
_SHA512 = re.compile(rb"[/=]sha512(?:[:/&]|__|%3a|\Z)", re.IGNORECASE)
#: Bytes of a header that is worth remembering, in case it comes again; long tokens have 4 KiB.
_SHORT = 8 * 1024
#: Characters of what a gateway noted; a host name has 253.
_LONGEST_ORIGIN = 300
#: Fields of a message, and bytes of a URL, of a field's name or value, that are read: more than any
#: decoder takes, and little enough to be remembered a few hundred times.
_MOST_FIELDS, _LONGEST = 500, 128 * 1024
_READABLE = ("json", "prettyjws", "xml", "html", "text/", "form-urlencoded")


def exchange_of(flow: AnyFlow, *, keep: int = KEPT) -> Exchange:
    """The exchange that a flow holds, in whatever state it is."""
    notes = notes_of(flow)
    error, error_at = _error(flow)
    return Exchange(
        id=flow.id,
        request=_request(flow, notes, keep),
        response=_response(flow, notes, keep),
        error=error,
        error_at=error_at,
        tunnel=_tunnel(flow, notes),
        connection=Connection() if is_from_har(flow) else _connection(flow),
        rewritten=_rewritten(notes.get("rewritten")),
        labelled="redacted" in notes,
    )


def notes_of(flow: AnyFlow) -> dict[str, Any]:
    """What the live proxy noted on this flow; a capture is a stranger's file, so of any kind."""
    notes = flow.metadata.get(NOTES)
    return notes if isinstance(notes, dict) else {}


def _rewritten(noted: Any) -> tuple[Rewritten, ...]:
    """What the gateway noted (gateway.py)."""
    if not isinstance(noted, (list, tuple)):
        return ()
    return tuple(
        Rewritten(*change)
        for change in noted
        if isinstance(change, (list, tuple))
        and len(change) == 3
        and all(isinstance(part, str) and len(part) <= _LONGEST_ORIGIN for part in change)
    )


def is_readable(message: AnyMessage) -> bool:
    """Whether the body is of a kind that people and rules read: no blob."""
    content_type = message.headers.get("content-type", "").lower()
    return any(word in content_type for word in _READABLE)


def algorithm_of(request: http.Request | SavedRequest) -> str:
    """The algorithm of the digest that a request asks for; sha256 when it names none."""
    return "sha512" if _SHA512.search(request.data.path) else "sha256"


def is_from_har(flow: AnyFlow) -> bool:
    """mitmproxy gives every flow that it made from a HAR entry this client (io/har.py)."""
    return flow.client_conn.peername == ("127.0.0.1", 0)


def _request(flow: AnyFlow, notes: dict[str, Any], keep: int) -> Request:
    request = flow.request
    connects = request.method == "CONNECT"
    fields = request.headers.fields
    if notes.get("expect") and "expect" not in request.headers:
        # mitmproxy answers it by itself and takes it out before the capture is written.
        fields = (*fields, (b"Expect", b"100-continue"))
    readable = request.method != "PATCH" and is_readable(request)
    host, port = _plain(request.host), request.port
    if not connects and is_address(host):
        named = request.authority or request.headers.get("host", "")
        host, port = _asked(host, port, _plain(request.scheme), _plain(named))
    return Request(
        method=_plain(request.method),
        scheme="https" if connects else _plain(request.scheme),
        host=host,
        port=port,
        target=_text(request.data.path[:_LONGEST]) or "/",
        headers=_headers(fields),
        body=_har_body(request, request.method in {"GET", "HEAD"})
        if is_from_har(flow)
        else _body(flow, request, notes.get("request_body"), readable, keep),
        started=request.timestamp_start,
        ended=request.timestamp_end,
        version=_plain(request.http_version),
    )


@lru_cache(maxsize=256)
def _asked(host: str, port: int, scheme: str, named: str) -> tuple[str, int]:
    """Whom the client asked: Host says it (RFC 9110 7.1), where the proxy knows no more than the
    address, since it is a transparent one, or a reverse one."""
    try:
        name, said = parse_authority(named, check=True)
    except ValueError:
        return host, port
    if is_address(name):
        return host, port
    return name, said or DEFAULT_PORTS.get(scheme, port)


def _response(flow: AnyFlow, notes: dict[str, Any], keep: int) -> Response | None:
    response = flow.response
    if response is None or _is_unanswered(flow):
        return None
    return Response(
        status=response.status_code,
        reason=_plain(response.reason),
        headers=_headers(response.headers.fields),
        body=_har_body(response, flow.request.method == "HEAD")
        if is_from_har(flow)
        else _body(flow, response, notes.get("response_body"), not _is_blob(flow), keep),
        started=response.timestamp_start,
        ended=response.timestamp_end,
    )


def _body(flow: AnyFlow, message: AnyMessage, note: Any, readable: bool, keep: int) -> Body:
    complete = message.timestamp_end is not None
    content = message.raw_content
    kept = content if readable and content is not None and len(content) <= keep else None
    if isinstance(note, dict) and (content is None or note.get("size")):
        whole = complete and note.get("complete") is True
        size, digest = note.get("size"), note.get("digest")
        if complete and not whole and not size:
            return Body(None, None, None, complete)  # it passed by another script's stream function
        return Body(
            kept,
            size if isinstance(size, int) else None,
            digest if whole and isinstance(digest, str) else None,
            whole,
        )
    if content is None:
        return Body(None, None, None, complete)
    if not content:
        return Body(b"", 0, None, complete)
    algorithm = algorithm_of(flow.request)
    digest = hashlib.new(algorithm, content).hexdigest()
    return Body(kept, len(content), f"{algorithm}:{digest}", complete)


def _har_body(message: AnyMessage, bodiless: bool) -> Body:
    """A HAR has texts, decoded and perhaps encoded anew: no digest; and empty may mean left out.
    What was packed on the wire had another size there."""
    content = message.raw_content
    if content:
        packed = "content-encoding" in message.headers
        return Body(content, None if packed else len(content), None)
    return Body() if bodiless else Body(None, None, None, complete=True)


def _is_blob(flow: AnyFlow) -> bool:
    """A successful answer with a blob's bytes."""
    response = flow.response
    if response is None or flow.request.method != "GET" or response.status_code >= 300:
        return False
    return not is_readable(response)


def _is_unanswered(flow: AnyFlow) -> bool:
    """Browsers write status 0 into a HAR for a request that got no answer."""
    return flow.response is not None and flow.response.status_code == 0


def _error(flow: AnyFlow) -> tuple[str | None, float | None]:
    if flow.error:
        return _plain(flow.error.msg), flow.error.timestamp
    if flow.response is not None and _is_unanswered(flow):
        return "the HAR file records no answer", flow.response.timestamp_end
    return None, None


def _tunnel(flow: AnyFlow, notes: dict[str, Any]) -> str | None:
    if flow.request.method != "CONNECT":
        return None
    noted = notes.get("tunnel")
    if isinstance(noted, str):
        return noted
    failure = read_failure(flow.error.msg) if flow.error else Failure.OTHER
    if failure is Failure.CLIENT_TRUST:
        return "client-tls"
    return "server-tls" if failure in SERVER_TLS else "server-connect"


def _connection(flow: AnyFlow) -> Connection:
    client, server = flow.client_conn, flow.server_conn
    here, there = client.peername, server.peername if server else None
    return Connection(
        id=client.id,
        client_host=here[0] if here else None,
        server_host=there[0] if there else None,
        server_port=there[1] if there else None,
        certificate=_certificate(server),
        through=(_plain(server.via[1][0]), server.via[1][1]) if server.via else None,
        through_answered=not server.via or _was_answered_by_proxy(flow),
    )


def _was_answered_by_proxy(flow: AnyFlow) -> bool:
    """By the connection's beginning: mitmproxy sets it when the proxy on the way out answers its
    CONNECT with whatever, or without one, is connected to (proxy/tunnel.py)."""
    said = flow.error.msg if flow.error else ""
    return flow.server_conn.timestamp_start is not None and not is_no_proxys_answer(said)


def _certificate(server: connection.Server | SavedConnection) -> ServerCertificate | None:
    if not server.certificate_list:
        return None
    first = server.certificate_list[0]
    return read_certificate(first if isinstance(first, bytes) else first.to_pem())


def _headers(fields: Any) -> Headers:
    read = fields[:_MOST_FIELDS]
    return Headers([(_known_text(name), _known_text(value)) for name, value in read])


def _known_text(raw: bytes) -> str:
    """Names of headers, agents, tokens come again and again: one string for all of them."""
    return _short_text(raw) if len(raw) <= _SHORT else _text(raw[:_LONGEST])


@lru_cache(maxsize=1024)
def _short_text(raw: bytes) -> str:
    return _text(raw)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _plain(text: str) -> str:
    """The beginning of a word that mitmproxy read, without the lone surrogates that stand for bytes
    that are no UTF-8."""
    return _whole_plain(text[:_SHORT])


@lru_cache(maxsize=256)  # methods, versions, hosts
def _whole_plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
