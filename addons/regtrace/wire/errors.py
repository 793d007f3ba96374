"""What a refusal says, in whatever dialect it comes. Who said it is found in ``answerer``.

Registries answer with an OCI error envelope, stores with XML, proxies with an HTML page or a line
of text, and a HEAD with nothing but headers. All of it is a stranger's text: bounded here, judged
by rules, made harmless where it is drawn.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, TypeGuard
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from regtrace.wire.coding import decoded
from regtrace.wire.exchange import Headers
from regtrace.wire.jsontext import parse_json

#: No registry's or store's error is longer; a longer body is somebody's web page, read as text.
_LONGEST_BODY = 256 * 1024

#: Characters of the body that are kept as text: an nginx page has 150, a Squid page 3000.
_LONGEST_TEXT = 4096

#: Characters of one message; Go's nested errors with a path and a URL in them reach a few hundred.
_LONGEST_MESSAGE = 2000
_LONGEST_CODE = 128
_LONGEST_TITLE = 200

#: Errors in one envelope: a manifest with missing blobs has one per blob, 127 layers at most.
_MOST_ITEMS = 256

#: Bounds of a kept ``detail``: distribution's deepest is an errno three levels down.
_DEEPEST_DETAIL = 8
_MOST_DETAIL = 256

#: Elements of a store's XML that explain the refusal. What S3 echoes of the request besides (the
#: signature, the key id, an Authorization header as ``ArgumentValue``) is left behind.
_FIELDS = (
    "RequestId",
    "HostId",
    "Region",
    "Endpoint",
    "BucketName",
    "Key",
    "Resource",
    "Method",
    "ServerTime",
    "RequestTime",
    "MaxAllowedSkewMilliseconds",
    "Expires",
    "X-Amz-Date",
    "X-Amz-Expires",
    "ArgumentName",
    "AuthenticationErrorDetail",
    "Details",
    "StringToSign",
    "CanonicalRequest",
)

#: Of these the first line is enough: the method or signing algorithm, or Azure's reason.
_FIRST_LINES = frozenset({"StringToSign", "CanonicalRequest", "AuthenticationErrorDetail"})

#: Tags in an XML error; what has more is no store's, and a tree of it would cost time.
_MOST_TAGS = 1000

#: Children of an XML error that are looked at; S3's longest has twelve.
_MOST_ELEMENTS = 64

#: Headers in which a store repeats its error code, also on HEAD (learn.microsoft.com "Status and
#: error codes"; minio cmd/api-response.go).
_CODE_HEADERS = ("x-ms-error-code", "x-minio-error-code")

#: Keys of a JSON error that isn't the registry's, first found first: OAuth (RFC 6749 5.2), old
#: Docker token servers (``details``), Google, Spring, FastAPI, AWS's API gateway (``Message``).
_CODE_KEYS = ("code", "error", "status")
_MESSAGE_KEYS = ("error_description", "message", "Message", "details", "detail", "error")


@dataclass(frozen=True, slots=True)
class ErrorItem:
    """One error of an envelope.

    ``code`` is upper-cased in the OCI dialect, as written in others, empty where there is none.
    ``detail`` is plain JSON data of any shape: distribution 2.x has objects there (``DriverName``
    and ``Enclosed``), 3.x strings, UNAUTHORIZED a list of ``Type, Class, Name, Action``.
    """

    code: str
    message: str = ""
    detail: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """The body of a refusal, and what its headers say in the body's place."""

    dialect: str
    """``oci``, ``storage-xml``, ``json``, ``html``, ``text``; ``empty`` for no body (every HEAD);
    ``unrecorded`` for one that wasn't kept or can't be decoded."""
    items: tuple[ErrorItem, ...] = ()
    text: str = field(default="", repr=False)
    """The body's first characters; stores echo key ids and signatures in it."""
    title: str | None = None
    """Title or first heading of an HTML page."""
    fields: tuple[tuple[str, str], ...] = ()
    """(element, text) of a store's XML, as far as they explain the refusal."""
    header_code: str | None = None
    """The store's code from a header that survives HEAD."""
    header_message: str | None = None
    header_region: str | None = None
    """``x-amz-bucket-region``: where the bucket really is."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code that was said, in the body or in a header."""
        said = [item.code for item in self.items if item.code]
        if self.header_code and self.header_code not in said:
            said.append(self.header_code)
        return tuple(said)

    @property
    def code(self) -> str | None:
        """The first code that was said."""
        return next(iter(self.codes), None)

    @property
    def message(self) -> str:
        """The first message that was said, in the body or in a header."""
        said = (item.message for item in self.items if item.message)
        return next(said, self.header_message or "")

    def element(self, name: str) -> str | None:
        """The text of one element of a store's XML."""
        return next((text for key, text in self.fields if key == name), None)


def read_error(status: int, headers: Headers, body: bytes | None, method: str) -> ErrorBody | None:
    """What a response of status 400 or more says; None below.

    A store's XML is read from a 3xx too: S3 answers 301 ``PermanentRedirect`` with the right
    ``Endpoint`` in the body and no usable Location. ``body`` is None when it wasn't kept.
    """
    if status < 300:
        return None
    said = _read_body(headers, b"" if method == "HEAD" else body)
    if status < 400 and said.dialect != "storage-xml":
        return None
    return replace(
        said,
        header_code=_first(headers, *_CODE_HEADERS),
        header_message=_first(headers, "x-minio-error-desc"),
        header_region=_first(headers, "x-amz-bucket-region"),
    )


def is_registry_voice(headers: Headers, error: ErrorBody | None) -> bool:
    """Whether the registry itself spoke: its version header, or the OCI error envelope.

    Neither is proof: some products send no such header, and nginx recipes add it by hand, to
    nginx's own error pages too (distribution docs/recipes/nginx.md). No registry speaks in HTML.
    """
    dialect = error.dialect if error else None
    signed = "Docker-Distribution-Api-Version" in headers
    return dialect == "oci" or (signed and dialect != "html")


def is_web_page(headers: Headers, body: bytes | None) -> bool:
    """Whether these bytes are an HTML document, whatever the headers call them: Flask and Django
    say ``text/html`` of every short answer of the registries built on them."""
    if not body:
        return False
    text = decoded(headers, body, _LONGEST_TEXT).decode("utf-8-sig", "replace").lstrip()
    return text[:1] == "<" and _HTML.search(text) is not None


def _read_body(headers: Headers, body: bytes | None) -> ErrorBody:
    body = decoded(headers, body, _LONGEST_BODY) if body else body
    if body is None or ("Content-Encoding" in headers and not _is_text(body)):
        return ErrorBody(dialect="unrecorded")  # not kept, or br, zstd, damaged
    text = body[:_LONGEST_BODY].decode("utf-8-sig", "replace").strip()
    kept = text[:_LONGEST_TEXT]
    if not text:
        return ErrorBody(dialect="empty")
    if text[0] in "{[":
        dialect, items = _read_json(parse_json(body, _LONGEST_BODY))
        return ErrorBody(dialect=dialect, items=items, text=kept)
    if text[0] == "<":
        error = _error_element(text)
        if error is not None:
            return _read_xml(error, kept)
        if _is_html(headers, kept):
            return ErrorBody(dialect="html", text=kept, title=_title(text))
    return ErrorBody(dialect="text", text=kept)


def _read_json(value: Any) -> tuple[str, tuple[ErrorItem, ...]]:
    """The dialect and items of a JSON error (distribution-spec "Error Codes", and others)."""
    if not isinstance(value, dict | list):
        return "text", ()
    errors = value.get("errors") if isinstance(value, dict) else value
    entries = errors[:_MOST_ITEMS] if isinstance(errors, list) else []
    coded = [entry for entry in entries if isinstance(entry, dict) and _said(entry.get("code"))]
    if coded and isinstance(value, dict):
        return "oci", tuple(_oci_item(entry) for entry in coded)
    if not entries:
        nested = value.get("error") if isinstance(value, dict) else None
        entries = [nested if isinstance(nested, dict) else value]
    items = (_other_item(entry) for entry in entries)
    return "json", tuple(item for item in items if item != ErrorItem(""))


def _oci_item(entry: dict[str, Any]) -> ErrorItem:
    code, message = entry["code"], entry.get("message")
    return ErrorItem(
        code=code.strip().upper()[:_LONGEST_CODE],
        message=message[:_LONGEST_MESSAGE] if _said(message) else "",
        detail=_trimmed(entry.get("detail")),
    )


def _other_item(entry: Any) -> ErrorItem:
    if not isinstance(entry, dict):
        return ErrorItem("", entry[:_LONGEST_MESSAGE] if _said(entry) else "")
    code = next((entry[key] for key in _CODE_KEYS if _is_word(entry.get(key))), "")
    if not code and type(entry.get("code")) is int:
        code = str(entry["code"])
    texts = (entry.get(key) for key in _MESSAGE_KEYS)
    message = next((text for text in texts if _said(text) and text != code), "")
    return ErrorItem(code, message[:_LONGEST_MESSAGE], _trimmed(entry.get("detail")))


def _said(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value.strip() != ""


def _is_word(value: Any) -> TypeGuard[str]:
    """Outside the envelope a code is one word: a sentence in its place is a message."""
    return _said(value) and len(value) <= _LONGEST_CODE and " " not in value


def _trimmed(value: Any, depth: int = 0) -> Any:
    """JSON data cut to a size that can be kept and shown."""
    if isinstance(value, str):
        return value[:_LONGEST_MESSAGE]
    if isinstance(value, dict | list) and depth >= _DEEPEST_DETAIL:
        return None
    if isinstance(value, dict):
        pairs = islice(value.items(), _MOST_DETAIL)
        return {key[:_LONGEST_CODE]: _trimmed(inner, depth + 1) for key, inner in pairs}
    if isinstance(value, list):
        return [_trimmed(inner, depth + 1) for inner in value[:_MOST_DETAIL]]
    return value


def _error_element(text: str) -> Element | None:
    """``<Error>``, alone or in an envelope, in any namespace and case."""
    if text.count("<") > _MOST_TAGS:
        return None
    try:
        root = fromstring(text, forbid_dtd=True)
    except (ParseError, ValueError, LookupError, RecursionError):
        return None
    elements = islice(root.iter(), _MOST_ELEMENTS)
    return next((element for element in elements if _local(element) == "error"), None)


def _read_xml(error: Element, text: str) -> ErrorBody:
    said: dict[str, str] = {}
    for child in islice(error, _MOST_ELEMENTS):
        said.setdefault(_local(child), (child.text or "").strip()[:_LONGEST_MESSAGE])
    fields = [
        (name, value.partition("\n")[0].strip() if name in _FIRST_LINES else value)
        for name in _FIELDS
        if (value := said.get(name.lower()))
    ]
    signed = said.get("canonicalrequest", "").splitlines()
    fields += [("SignedHost", line[5:].strip()) for line in signed if line.startswith("host:")][:1]
    item = ErrorItem(said.get("code", "")[:_LONGEST_CODE], said.get("message", ""))
    items = (item,) if item != ErrorItem("") else ()
    return ErrorBody(dialect="storage-xml", items=items, text=text, fields=tuple(fields))


def _local(element: Element) -> str:
    """An element's lower-case name without its namespace; comments have none."""
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _is_html(headers: Headers, text: str) -> bool:
    declared = (headers.get("Content-Type") or "").lower()
    return "html" in declared or _HTML.search(text) is not None


_HTML = re.compile(r"<(?:!doctype )?html\b", re.IGNORECASE)


def _title(text: str) -> str | None:
    for tag in ("title", "h1"):
        opened = re.search(rf"<{tag}\b[^<>]{{0,200}}>", text, re.IGNORECASE)
        if opened:
            inner = text[opened.end() : opened.end() + _LONGEST_MESSAGE]
            inner = re.split(rf"</{tag}\b", inner, maxsplit=1, flags=re.IGNORECASE)[0]
            words = html.unescape(re.sub(r"<[^<>]*>", " ", inner)).split()
            if words:
                return " ".join(words)[:_LONGEST_TITLE]
    return None


def _is_text(body: bytes) -> bool:
    """Whether no control byte is near its start, as packed bytes have."""
    return not _CONTROLS.intersection(body[:_LONGEST_TEXT])


_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\f\r\x1b")


def _first(headers: Headers, *names: str) -> str | None:
    values = (headers.get(name) for name in names)
    return next((value[:_LONGEST_MESSAGE] for value in values if value), None)
