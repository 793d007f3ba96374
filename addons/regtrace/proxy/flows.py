"""From mitmproxy's flows to exchanges. Nobody else sees a flow's insides.

What only a live proxy could see was written into ``flow.metadata[NOTES]`` by the other files of
this room, and is read back here, so a replay knows it too.
"""

from __future__ import annotations

import hashlib
from typing import Any

from mitmproxy import http

from regtrace.wire.exchange import Body, Connection, Exchange, Headers, Request, Response
from regtrace.wire.transport import Failure, read_failure

#: Key of our notes in ``flow.metadata``: plain data only, or mitmproxy loses the flow.
NOTES = "regtrace"
#: Bytes of a body that are kept for reading; a manifest has 4 MiB at most (manifests.go).
KEPT = 4 * 1024 * 1024

_READABLE = ("json", "xml", "html", "text/", "form-urlencoded")


def exchange_of(flow: http.HTTPFlow, *, keep: int = KEPT) -> Exchange:
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
    )


def notes_of(flow: http.HTTPFlow) -> dict[str, Any]:
    """What the live proxy noted on this flow; a capture is a stranger's file, so of any kind."""
    notes = flow.metadata.get(NOTES)
    return notes if isinstance(notes, dict) else {}


def is_readable(message: http.Message) -> bool:
    """Whether the body is of a kind that people and rules read: no blob."""
    content_type = message.headers.get("content-type", "").lower()
    return any(word in content_type for word in _READABLE)


def is_from_har(flow: http.HTTPFlow) -> bool:
    """mitmproxy gives every flow that it made from a HAR entry this client (io/har.py)."""
    return flow.client_conn.peername == ("127.0.0.1", 0)


def _request(flow: http.HTTPFlow, notes: dict[str, Any], keep: int) -> Request:
    request = flow.request
    connects = request.method == "CONNECT"
    fields = request.headers.fields
    if notes.get("expect") and "expect" not in request.headers:
        # mitmproxy answers it by itself and takes it out before the capture is written.
        fields = (*fields, (b"Expect", b"100-continue"))
    readable = request.method != "PATCH" and is_readable(request)
    return Request(
        method=_plain(request.method),
        scheme="https" if connects else _plain(request.scheme),
        host=_plain(request.host),
        port=request.port,
        target=_text(request.data.path) or "/",
        headers=_headers(fields),
        body=_har_body(request, request.method in {"GET", "HEAD"})
        if is_from_har(flow)
        else _body(request, notes.get("request_body"), readable, keep),
        started=request.timestamp_start,
        ended=request.timestamp_end,
        version=_plain(request.http_version),
    )


def _response(flow: http.HTTPFlow, notes: dict[str, Any], keep: int) -> Response | None:
    response = flow.response
    if response is None or _is_unanswered(flow):
        return None
    return Response(
        status=response.status_code,
        reason=_plain(response.reason),
        headers=_headers(response.headers.fields),
        body=_har_body(response, flow.request.method == "HEAD")
        if is_from_har(flow)
        else _body(response, notes.get("response_body"), not _is_blob(flow), keep),
        started=response.timestamp_start,
        ended=response.timestamp_end,
    )


def _body(message: http.Message, note: Any, readable: bool, keep: int) -> Body:
    complete = message.timestamp_end is not None
    content = message.raw_content
    kept = content if readable and content is not None and len(content) <= keep else None
    if isinstance(note, dict) and (content is None or note.get("size")):
        whole = complete and note.get("complete") is True
        size, digest = note.get("size"), note.get("digest")
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
    return Body(kept, len(content), f"sha256:{hashlib.sha256(content).hexdigest()}", complete)


def _har_body(message: http.Message, bodiless: bool) -> Body:
    """A HAR has texts, decoded and perhaps encoded anew: no digest; and empty may mean left out."""
    content = message.raw_content
    if content:
        return Body(content, len(content), None)
    return Body() if bodiless else Body(None, None, None, complete=True)


def _is_blob(flow: http.HTTPFlow) -> bool:
    """A successful answer with a blob's bytes."""
    response = flow.response
    if response is None or flow.request.method != "GET" or response.status_code >= 300:
        return False
    return not is_readable(response)


def _is_unanswered(flow: http.HTTPFlow) -> bool:
    """Browsers write status 0 into a HAR for a request that got no answer."""
    return flow.response is not None and flow.response.status_code == 0


def _error(flow: http.HTTPFlow) -> tuple[str | None, float | None]:
    if flow.error:
        return _plain(flow.error.msg), flow.error.timestamp
    if flow.response is not None and _is_unanswered(flow):
        return "the HAR file records no answer", flow.response.timestamp_end
    return None, None


def _tunnel(flow: http.HTTPFlow, notes: dict[str, Any]) -> str | None:
    if flow.request.method != "CONNECT":
        return None
    noted = notes.get("tunnel")
    if isinstance(noted, str):
        return noted
    failure = read_failure(flow.error.msg) if flow.error else Failure.OTHER
    if failure is Failure.CLIENT_TRUST:
        return "client-tls"
    tls = {Failure.CERTIFICATE, Failure.NOT_TLS}
    return "server-tls" if failure in tls else "server-connect"


def _connection(flow: http.HTTPFlow) -> Connection:
    client, server = flow.client_conn, flow.server_conn
    here, there = client.peername, server.peername if server else None
    return Connection(
        id=client.id,
        client_host=here[0] if here else None,
        server_host=there[0] if there else None,
        server_port=there[1] if there else None,
    )


def _headers(fields: Any) -> Headers:
    return Headers((_text(name), _text(value)) for name, value in fields)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _plain(text: str) -> str:
    """Without the lone surrogates that stand for bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
