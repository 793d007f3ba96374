"""Bodies of a copy: JSON, XML, forms and pages, with the fields that a diagnosis rests on.

A field that has no handler here is a label, or no number. A body that can't be read is left out, as
one that passed and was not kept.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml.ElementTree import fromstring

from regtrace.redact import grammar
from regtrace.redact.secrets import is_secret_key
from regtrace.redact.shapes import is_word
from regtrace.wire.coding import decoded
from regtrace.wire.endpoint import is_digest
from regtrace.wire.exchange import Headers
from regtrace.wire.jsontext import parse_json
from regtrace.wire.manifest import digest_of, read_config, read_manifest

if TYPE_CHECKING:
    from regtrace.redact.copying import Copier

_MOST_JSON = 4 * 1024 * 1024
#: Bytes of a page that are copied; more is somebody's web page.
_MOST_TEXT = 256 * 1024
_MOST_TAGS = 1000
_DEEPEST = 20
_LONGEST_KEY = 128
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9:.]{5,30}(?:[Zz]|[+-][0-9:]{5})?)?")
_ID = re.compile(r"[A-Za-z0-9+/=_.:-]{1,200}")
_TYPE = re.compile(r"[A-Za-z]+/[A-Za-z0-9.+*-]{1,120}")
_CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "x-gzip": lambda content: gzip.compress(content, mtime=0),
    "deflate": zlib.compress,
}


def copied(copier: Copier, headers: Headers, content: bytes) -> bytes | None:
    """The body in the same form; None when nothing of it may be kept."""
    coding = (headers.get("Content-Encoding") or "").strip().lower()
    pack = _CODINGS.get(coding)
    plain = decoded(headers, content)
    if (coding not in {"", "identity"} and pack is None) or (pack and plain is content):
        return None  # in a way that can't be undone
    copy = _copied(copier, headers, plain)
    if copy is None or copy == plain:
        return None if copy is None else content
    return pack(copy) if pack else copy


def _copied(copier: Copier, headers: Headers, content: bytes) -> bytes | None:
    if "form-urlencoded" in (headers.get("Content-Type") or "").lower():
        return copier.pairs(content.decode("utf-8", "replace")).encode()
    if (parsed := parse_json(content, _MOST_JSON)) is not None and isinstance(parsed, dict | list):
        copy = data(copier, parsed)
        if copy == parsed and not _says_twice(content):
            return content
        return json.dumps(copy, separators=(",", ":"), ensure_ascii=False).encode()
    if b"\0" in content[:4096]:
        return None
    text = content[:_MOST_TEXT].decode("utf-8-sig", "replace")
    if (root := _xml(text)) is not None:
        xml: str = tostring(_element(copier, root), encoding="unicode")
        return (_declared(text) + xml).encode()
    return copier.prose(text).encode()


def public_digest(headers: Headers, content: bytes, known: str | None) -> str | None:
    """The digest of a body that is called by it anyway: a manifest's, a configuration's."""
    if known is not None and not _is_named_by_digest(headers, content):
        return None
    if known is None and _is_named_by_digest(headers, content):
        return digest_of(content)
    return known


def _is_named_by_digest(headers: Headers, content: bytes) -> bool:
    plain = decoded(headers, content)
    return bool(read_manifest(headers.get("Content-Type"), plain) or read_config(plain))


def _says_twice(content: bytes) -> bool:
    """Whether a key stands twice in an object: readers take the last, the first would stay."""

    def one(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        json.loads(content.decode("utf-8-sig"), object_pairs_hook=one)
    except (ValueError, RecursionError):
        return True
    return False


# --- JSON


def data(copier: Copier, value: Any, key: str = "", within: str = "", depth: int = 0) -> Any:
    """A copy of plain JSON data, by what its keys say."""
    if value is None or isinstance(value, bool) or value == "":
        return value
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        inside = within if within in _SEALED else key.lower() or within
        return {
            _key(copier, name, inside): data(copier, inner, name, inside, depth + 1)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [data(copier, inner, key, within, depth + 1) for inner in value]
    if isinstance(value, str):
        return _text(copier, key.lower(), within, value)
    return _number(key.lower(), value)


#: Below these all values are their owner's own.
_SEALED = frozenset({"annotations", "labels", "config", "container_config", "v1compatibility"})
_NUMBERS = frozenset(
    """code errno exp expires expires_in expires_on expiresat ext_expires_in iat issued_at nbf
    not_before offset refresh_expires_in refresh_token_expires_in schemaversion size status
    statuscode""".split()
)
_SMALL = 65_535


def _number(key: str, value: float) -> float:
    """A number that is known, or too small to be an account's."""
    small = isinstance(value, int) and abs(value) <= _SMALL
    return value if key in _NUMBERS or (small and not is_secret_key(key)) else 0


def _key(copier: Copier, name: str, within: str) -> str:
    redactor = copier.redactor
    if redactor.is_label(name) or name in _KNOWN_KEYS:
        return name
    words = len(name) <= _LONGEST_KEY and is_word(name) and redactor.is_harmless(name)
    named = redactor.hides_names and ("/" in name or "." in name)
    return (
        name
        if words and not (named and not name.startswith(_STANDARD))
        else redactor.label("value", name)
    )


_KNOWN_KEYS = frozenset({"vnd.docker.reference.type", "vnd.docker.reference.digest"})
_STANDARD = ("org.opencontainers.", "com.docker.", "vnd.docker.", "io.containerd.", "org.cncf.")


def _text(copier: Copier, key: str, within: str, value: str) -> str:
    redactor = copier.redactor
    if redactor.is_label(value):
        return value
    if key in _TOKENS:
        return copier.token(value)
    if key == "auth":
        return copier.basic(value)
    if key == "env":
        name, equals, rest = value.partition("=")
        shown = (
            name if is_word(name) and redactor.is_harmless(name) else redactor.label("value", name)
        )
        return f"{shown}{equals}{redactor.label('value', rest) if rest else ''}"
    if is_secret_key(key):
        return copier.secret(value, "password" if "pass" in key else "token")
    if is_digest(value) or (grammar.is_uuid(value) and within not in _SEALED):
        return value
    handler = _SEALED_TEXTS.get(key) if within in _SEALED else _TEXTS.get(key)
    if handler is not None:
        return handler(copier, value)
    if "detail" in within or key in {"detail", "details"}:
        return copier.prose(value)
    return redactor.label("value", value)


def _word(copier: Copier, value: str) -> str:
    return copier.redactor.word(value)


def _moment(copier: Copier, value: str) -> str:
    if _ISO.fullmatch(value) or (value.isdigit() and len(value) <= 12):
        return value
    return copier.redactor.label("value", value)


def _media_type(copier: Copier, value: str) -> str:
    readable = _TYPE.fullmatch(value) and copier.redactor.is_harmless(value)
    return value if readable else copier.redactor.label("value", value)


def _name(copier: Copier, value: str) -> str:
    return value if value in {"*", "catalog"} else copier.redactor.repository(value)


def _one_id(copier: Copier, value: str) -> str:
    readable = _ID.fullmatch(value) and copier.redactor.swept(value) == value
    return value if readable else copier.redactor.label("value", value)


_Handler = Callable[["Copier", str], str]

_TOKENS = frozenset(
    """token access_token refresh_token id_token identity_token identitytoken registrytoken
    authorizationtoken assertion""".split()
)
_SEALED_TEXTS: dict[str, _Handler] = {
    "architecture": _word,
    "os": _word,
    "variant": _word,
    "mediatype": _media_type,
    "created": _moment,
}
_TEXTS: dict[str, _Handler] = {
    **dict.fromkeys(
        """action actions architecture artifacttype class features method os os.features region
        scheme token_type type variant""".split(),
        _word,
    ),
    **dict.fromkeys(
        """description detail details error error_description error_uri errormessage message msg
        reason title""".split(),
        lambda copier, value: copier.prose(value),
    ),
    **dict.fromkeys(
        "created createdat expires expires_on expiresat issued_at lastmodified timestamp".split(),
        _moment,
    ),
    **dict.fromkeys(
        "correlationid hostid requestid request_id trace_id traceid x-request-id".split(), _one_id
    ),
    **dict.fromkeys(
        "name repositories repository repositoryname".split(),
        _name,
    ),
    **dict.fromkeys(
        "ref reference tag tags".split(), lambda copier, value: copier.redactor.reference(value)
    ),
    **dict.fromkeys(
        "email login user username".split(), lambda copier, value: copier.redactor.user(value)
    ),
    **dict.fromkeys(
        "host proxyendpoint registry serveraddress service".split(),
        lambda copier, value: copier.redactor.service(value),
    ),
    **dict.fromkeys("href next url urls".split(), lambda copier, value: copier.url(value)),
    "code": lambda copier, value: copier.redactor.code(value),
    "status": lambda copier, value: copier.redactor.code(value),
    "mediatype": _media_type,
    "os.version": lambda copier, value: copier.redactor.word(value),
    "scope": lambda copier, value: copier.redactor.scope(value),
}


# --- XML


def _xml(text: str) -> Element | None:
    if not text.lstrip().startswith("<") or text.count("<") > _MOST_TAGS:
        return None
    try:
        root: Element = fromstring(text.strip(), forbid_dtd=True)
    except (ParseError, ValueError, LookupError, RecursionError):
        return None
    return None if _local(root) == "html" else root


def _declared(text: str) -> str:
    return '<?xml version="1.0" encoding="UTF-8"?>\n' if text.lstrip().startswith("<?xml") else ""


def _element(copier: Copier, element: Element) -> Element:
    """Without attributes and comments; of leaves the text, by their names."""
    tag = element.tag if is_word(_local(element)) else "Unknown"
    copy = Element(tag)
    children = [child for child in element if isinstance(child.tag, str)]
    copy.extend(_element(copier, child) for child in children)
    text = (element.text or "").strip()
    if text:
        copy.text = _leaf(copier, _local(element), text)
    return copy


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _leaf(copier: Copier, name: str, text: str) -> str:
    if copier.redactor.is_label(text):
        return text
    handler = _LEAVES.get(name)
    if handler is not None:
        return handler(copier, text)
    if is_secret_key(name) or name.endswith(("keyid", "provided")):
        kind = "key-id" if name.endswith("keyid") else "signature"
        return copier.secret(text, kind)
    return copier.redactor.label("value", text)


def _signed_text(copier: Copier, text: str) -> str:
    """What was signed: its first line says how, a request's which host; the rest is a label."""
    lines = text.splitlines()
    redactor = copier.redactor
    if redactor.is_label(lines[-1]):
        return text
    first = lines[0].strip()
    shown = [first if not first or is_word(first) else redactor.label("value", first)]
    shown += [
        f"host:{redactor.host(line[5:].strip())}" for line in lines[1:] if line.startswith("host:")
    ][:1]
    return "\n".join([*shown, redactor.label("signature", text)])


def _digits(copier: Copier, text: str) -> str:
    short = text.isdigit() and len(text) <= 15
    return text if short else _moment(copier, text)


def _resource(copier: Copier, text: str) -> str:
    return (
        copier.url(text) if "://" in text or text.startswith("/") else copier.redactor.bucket(text)
    )


_LEAVES: dict[str, _Handler] = {
    **dict.fromkeys(["code", "errorcode"], lambda copier, text: copier.redactor.code(text)),
    **dict.fromkeys(
        ["message", "authenticationerrordetail", "details", "queryparametername", "reason"],
        lambda copier, text: copier.prose(text),
    ),
    **dict.fromkeys(["requestid", "hostid", "ec"], _one_id),
    **dict.fromkeys(["region", "method", "argumentname", "resourcetype", "storageclass"], _word),
    **dict.fromkeys(["bucketname", "bucket"], lambda copier, text: copier.redactor.bucket(text)),
    **dict.fromkeys(["endpoint", "host"], lambda copier, text: copier.redactor.host(text)),
    **dict.fromkeys(
        [
            "servertime",
            "requesttime",
            "expires",
            "x-amz-date",
            "x-amz-expires",
            "maxallowedskewmilliseconds",
            "proxytime",
        ],
        _digits,
    ),
    "key": lambda copier, text: copier.redactor.object_path(text),
    "resource": _resource,
    "stringtosign": _signed_text,
    "canonicalrequest": _signed_text,
}
