"""URLs as they may be shown: host, path, query, each part by the handler of its kind.

Of a path only what the registry's API or a known storage layout explains is shown; of a query the
values that obey the grammar of their key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from regtrace.redact import grammar
from regtrace.redact.shapes import is_word
from regtrace.wire.endpoint import Endpoint, Route, parse_endpoint
from regtrace.wire.layout import digest_in_path, is_storage_layout
from regtrace.wire.presigned import read_presigned
from regtrace.wire.upload import read_state
from regtrace.wire.url import Url, parse_url

if TYPE_CHECKING:
    from regtrace.redact.redactor import Redactor

#: Stands in for the server that a relative reference leaves out.
_NOWHERE = "http://relative.invalid"
#: Characters of a path that stay as they are.
SAFE = "/:@!$&'()*+,;=~-._"
_TREE = re.compile(r"(?P<prefix>.*?)(?P<tree>/docker/registry/v2)/(?P<rest>.+)", re.DOTALL)
_BLOB = re.compile(r"(?P<prefix>.*?)(?P<rest>/(?:blobs/)?sha(?:256|512)(?:[/:]|__).+)", re.DOTALL)
_LINK = re.compile(r"repositories/(?P<name>.+?)/(?P<area>_layers|_manifests|_uploads)/(?P<rest>.+)")
_SCOPE_TYPE = re.compile(r"[a-z][a-z-]{0,31}(?:\([a-z]{1,16}\))?|\*")
_DAY = re.compile(r"[0-9]{8}")
_VERIFY = re.compile(r"([0-9]{10})-(.+)", re.DOTALL)
#: Words of token servers' paths, which are shown at every level.
_USUAL = frozenset(
    """api artifactory auth authorize connect docker exchange jwt oauth oauth2 protocol realms
    registry service token tokens v1 v2""".split()
)


def url(redactor: Redactor, address: Url, path: str | None = None) -> str:
    rest = _rest(redactor, address, path)
    return f"{address.scheme}://{redactor.host(address.authority)}{'' if rest == '/' else rest}"


def _rest(redactor: Redactor, address: Url, path: str | None = None) -> str:
    """What follows the host."""
    path = redactor.shown_path(address.path) if path is None else path
    query = redactor.shown_query(address.query)
    return f"{path}?{query}" if query else path


def url_text(redactor: Redactor, text: str) -> str:
    """A URL as it was sent: absolute or relative, perhaps with user and password in it."""
    address = parse_url(text)
    if address is None and text.startswith(("/", "?")) and not text.startswith("//"):
        relative = parse_url(text, base=_NOWHERE)
        return _rest(redactor, relative) if relative else redactor.label("url", text)
    if address is None:
        return redactor.label("url", text)
    shown = url(redactor, address)
    userinfo, at, _ = urlsplit(text.strip()).netloc.rpartition("@")
    if at:
        shown = shown.replace("://", f"://{redactor.label('credentials', userinfo)}@", 1)
    return shown


# --- the path


def shown_path(redactor: Redactor, path: str, *, wordy: bool = True) -> str:
    """The path, percent-encoded again. ``wordy``: a path of plain words is shown as well."""
    if path == "/":
        return path
    in_tree = is_storage_layout(path)
    endpoint = None if in_tree else parse_endpoint(quote(path, safe=SAFE))
    if in_tree or (endpoint is None and digest_in_path(path) is not None):
        bucket, _, key = path[1:].partition("/")
        return quote(_stored_path(redactor, bucket, key), safe=SAFE)
    if endpoint is not None:
        return quote(_endpoint_path(redactor, endpoint, path), safe=SAFE)
    parent, _, last = path.rpartition("/")
    if parent.endswith("/uploads") and last:
        return f"/{redactor.label('path', parent)}/uploads/{redactor.session(last)}"
    if redactor.is_label(path[1:]) or (wordy and _is_wordy(redactor, path)):
        return path
    return "/" + redactor.label("path", path)


def _is_wordy(redactor: Redactor, path: str) -> bool:
    words = path.strip("/").split("/")
    if redactor.hides_names:
        return all(word in _USUAL for word in words)
    return len(words) <= 8 and all(map(is_word, words)) and redactor.swept(path) == path


def _endpoint_path(redactor: Redactor, endpoint: Endpoint, path: str) -> str:
    """The path of a route of the registry, put together again from its parts."""
    root = prefix(redactor, endpoint.prefix) + "/v2/"
    route, name = endpoint.route, endpoint.repository
    if route is Route.BASE:
        return root if path.endswith("/") else root[:-1]
    if route is Route.CATALOG:
        return f"{root}_catalog"
    if route in {Route.EXTENSION, Route.V1} or name is None:
        known = route is Route.V1 and path in {"/v1/_ping", "/v1/search"}
        return path if known else "/" + redactor.label("path", path)
    root += redactor.repository(name)
    if route is Route.TAGS:
        return f"{root}/tags/list"
    if route is Route.UPLOADS:
        return f"{root}/blobs/uploads" + ("/" if path.endswith("/") else "")
    if route is Route.UPLOAD:
        return f"{root}/blobs/uploads/{redactor.session(endpoint.session or '')}"
    reference = redactor.reference(endpoint.digest or endpoint.tag or "")
    return f"{root}/{_ROUTES[route]}/{reference}"


_ROUTES = {Route.MANIFEST: "manifests", Route.REFERRERS: "referrers", Route.BLOB: "blobs"}


def prefix(redactor: Redactor, text: str) -> str:
    """What stands before ``/v2/``: a front's own path."""
    text = text.rstrip("/")
    if not text or redactor.is_label(text[1:]) or _is_wordy(redactor, text):
        return text
    return "/" + redactor.label("path", text)


def _stored_path(redactor: Redactor, bucket: str, key: str) -> str:
    """A path that a layout explains; its first part is a bucket unless the layout begins there."""
    path = f"/{bucket}/{key}"
    if _TREE.fullmatch(path[: len(bucket) + 1] + "/x") or not _explained(f"/{key}"):
        return object_path(redactor, path)
    return f"/{redactor.bucket(bucket)}{object_path(redactor, '/' + key)}"


def _explained(path: str) -> bool:
    return digest_in_path(path) is not None or is_storage_layout(path)


def object_path(redactor: Redactor, path: str) -> str:
    """An object's key, from its slash on: what a layout explains, names by their handlers."""
    tree = _TREE.fullmatch(path)
    match = tree or _BLOB.fullmatch(path)
    if match is None or not _explained(path):
        return "/" + redactor.label("object", path)
    folders = (_folder(redactor, name) for name in match["prefix"].split("/"))
    root = "/".join(folders)
    if tree is None:
        return root + match["rest"]
    return f"{root}{tree['tree']}/{_tree_path(redactor, tree['rest'])}"


def _folder(redactor: Redactor, name: str) -> str:
    if redactor.is_label(name) or (not redactor.hides_names and is_word(name)) or not name:
        return name
    return redactor.label("object", name)


def _tree_path(redactor: Redactor, rest: str) -> str:
    link = _LINK.fullmatch(rest)
    if link is None:
        return rest
    parts = link["rest"].split("/")
    if link["area"] == "_manifests" and parts[0] == "tags" and len(parts) > 1:
        parts[1] = redactor.reference(parts[1])
    elif link["area"] == "_uploads":
        parts[0] = redactor.session(parts[0])
        parts[1:] = [part if is_word(part) or part.isdigit() else "?" for part in parts[1:]]
    return f"repositories/{redactor.repository(link['name'])}/{link['area']}/{'/'.join(parts)}"


# --- the query


def shown_query(redactor: Redactor, pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(_pair(redactor, key, value) for key, value in pairs)


def _pair(redactor: Redactor, key: str, value: str) -> str:
    # A key that nobody knows and that has no value may be the value.
    readable = grammar.is_key(key) and (value or key.lower() in grammar.QUERY)
    name = key if readable or redactor.is_label(key) else redactor.label("value", key)
    return f"{quote(name)}={redactor.query(key, value)}"


def query(redactor: Redactor, key: str, value: str) -> str:
    """The value of one query key."""
    name = key.lower()
    if not value or redactor.is_label(value):
        return value
    if grammar.obeys_query(name, value) and redactor.swept(value) == value:
        return quote(value, safe="/:,;+")
    handler = _QUERY.get(name)
    if handler is not None:
        return quote(handler(redactor, value), safe="/:,*()= ")
    return redactor.label(_kind_of(name), value)


def _kind_of(name: str) -> str:
    for ending, kind in _KINDS:
        if name.endswith(ending):
            return kind
    return "value"


_KINDS = (
    ("sig", "signature"),
    ("sign", "signature"),
    ("signature", "signature"),
    ("token", "token"),
    ("password", "password"),
    ("keyid", "key-id"),
    ("accessid", "key-id"),
    ("q-ak", "key-id"),
)


def scope(redactor: Redactor, text: str) -> str:
    """``repository:NAME:ACTIONS``, several separated by blanks."""
    return " ".join(_one_scope(redactor, word) for word in text.split(" "))


def _one_scope(redactor: Redactor, word: str) -> str:
    kind, _, rest = word.partition(":")
    name, colon, actions = rest.rpartition(":")
    if not word or redactor.is_label(word):
        return word
    if not _SCOPE_TYPE.fullmatch(kind) or not grammar.ACTIONS.fullmatch(actions if colon else ""):
        return redactor.label("scope", word)
    if not rest:
        return kind if is_word(kind) or kind == "*" else redactor.label("scope", word)
    name = name if colon else rest
    host, slash, path = name.partition("/")
    if kind == "registry" and name in {"catalog", "*"}:
        shown = name
    elif slash and ":" in host:
        shown = f"{redactor.host(host)}/{redactor.repository(path)}"
    else:
        shown = redactor.repository(name)
    return f"{kind}:{shown}:{actions}" if colon else f"{kind}:{shown}"


def state(redactor: Redactor, value: str) -> str:
    """distribution's ``_state``: its offset and start; the rest is signed, and a label."""
    label, read = redactor.label("state", value), read_state(value)
    if read is None:
        return label
    started = "" if read.started_at is None else f",started={read.started_at:.0f}"
    return f"{label}(offset={read.offset}{started})"


def credential(redactor: Redactor, value: str) -> str:
    """``KEY/day/region/service/protocol``: the scope is kept. A key id may hold a slash."""
    parts = value.rsplit("/", 4)
    if len(parts) != 5:
        return redactor.label("key-id", value)
    day, words = parts[1], parts[2:]
    if not _DAY.fullmatch(day) or not all(is_word(word) for word in words):
        return redactor.label("key-id", value)
    return "/".join([redactor.label("key-id", parts[0]), day, *words])


def _verify(redactor: Redactor, value: str) -> str:
    match = _VERIFY.fullmatch(value)
    if match is None:
        return redactor.label("signature", value)
    return f"{match[1]}-{redactor.label('signature', match[2])}"


def _until(key: str) -> Callable[[Redactor, str], str]:
    """A signature that holds its own end, which is kept."""

    def handler(redactor: Redactor, value: str) -> str:
        label = redactor.label("signature", value)
        pairs = ((key, value), ("key-pair-id", "-"), ("signature", "-"))
        signature = read_presigned(Url("https", "-", 443, "/", pairs))
        if signature is None or signature.expires_at is None:
            return label
        return f"{label}(until={signature.expires_at:.0f})"

    return handler


def _client_id(redactor: Redactor, value: str) -> str:
    if (is_word(value) or grammar.is_uuid(value)) and redactor.swept(value) == value:
        return value
    return redactor.label("client-id", value)


_QUERY: dict[str, Callable[[Redactor, str], str]] = {
    "_state": state,
    "account": lambda redactor, value: redactor.user(value),
    "akamai_signature": _until("akamai_signature"),
    "client_id": _client_id,
    "from": lambda redactor, value: redactor.repository(value),
    "last": lambda redactor, value: redactor.reference(value),
    "ns": lambda redactor, value: redactor.service(value),
    "policy": _until("policy"),
    "scope": scope,
    "service": lambda redactor, value: redactor.service(value),
    "username": lambda redactor, value: redactor.user(value),
    "verify": _verify,
    "x-amz-credential": credential,
    "x-goog-credential": credential,
    "x-oss-credential": credential,
}
