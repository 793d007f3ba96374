"""What is fuzzed: one function for each decoder of ``wire``, from bytes to nothing.

A target raises only when the decoder broke its promise. It turns the bytes into the decoder's
words as mitmproxy does (UTF-8, with surrogates for what isn't), and may check what must always
hold of the answer. A text of several parts is an HTTP message: a first line, headers, an empty
line, a body. So the files of the corpus can be read, and written by hand.
"""

from __future__ import annotations

import io
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable

from regtrace.evidence.client_log import ClientJoin
from regtrace.evidence.dialects import MOST_SAID, read_line
from regtrace.evidence.registry_log import Join
from regtrace.redact.secrets import secrets_in_text
from regtrace.wire.answerer import answered_by
from regtrace.wire.challenge import parse_challenges
from regtrace.wire.client import read_client
from regtrace.wire.coding import decoded
from regtrace.wire.dates import read_epoch, read_http_date, read_iso
from regtrace.wire.decode import Role, decode
from regtrace.wire.endpoint import parse_endpoint
from regtrace.wire.errors import is_registry_voice, is_web_page, read_error
from regtrace.wire.exchange import Body, Exchange, Headers, Request, Response
from regtrace.wire.jsontext import parse_json
from regtrace.wire.jwt import parse_jwt
from regtrace.wire.layout import bucket_and_key, digest_in_path, is_storage_layout
from regtrace.wire.manifest import read_config, read_manifest, referenced
from regtrace.wire.notation import read_notation
from regtrace.wire.presigned import read_presigned
from regtrace.wire.registry import read_registry
from regtrace.wire.scope import lacking, parse_scopes
from regtrace.wire.signature import Verdict, verify
from regtrace.wire.storage import read_vendor, request_ids
from regtrace.wire.token import (
    parse_token,
    read_bearer,
    read_credentials,
    read_token_reply,
    read_token_request,
)
from regtrace.wire.transport import read_failure
from regtrace.wire.trusted_keys import load_keys
from regtrace.wire.upload import read_range, read_state, session_id
from regtrace.wire.url import Url, parse_url

Target = Callable[[bytes], None]

#: The certificate "root", whose key signed nothing else: its private half was never kept.
_TRUSTED = load_keys(
    b"""
-----BEGIN CERTIFICATE-----
MIIBNDCB26ADAgECAhRvwX5MNQtkizVumDah8j4KfFgU9zAKBggqhkjOPQQDAjAP
MQ0wCwYDVQQDDARyb290MCAXDTI2MDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAw
WjAPMQ0wCwYDVQQDDARyb290MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVmWZ
AHgMJaV0k3lc9zvbhO1YYPFqkxVnFTvWqnGPlVfzxy0QHXqqMSK0zalrDzmSn4PG
1SpCjbuE8lFgOS4kDqMTMBEwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNI
ADBFAiEA/Re3/p6fv2yxqJ3lVfuT5Dq+RT3nId+mUYON7F4jkmoCIAV04WCTnIsH
1usJiISBNzqyIRDZ2UgAwXvciZzsHbzV
-----END CERTIFICATE-----
"""
)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _message(data: bytes) -> tuple[str, Headers, bytes]:
    """First line, headers, body."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = _text(head).split("\n")
    fields = (line.partition(":") for line in lines)
    return first, Headers((name, value.strip()) for name, _, value in fields), body


def _url(text: str) -> Url:
    return parse_url(text, "https://registry.test/v2/x") or Url("https", text, 443, text)


def challenge(data: bytes) -> None:
    for one in parse_challenges(_text(data).split("\n")):
        assert one.scheme == one.scheme.lower()


def scope(data: bytes) -> None:
    scopes = parse_scopes(_text(data))
    assert lacking(scopes, scopes) == ()


def token_request(data: bytes) -> None:
    first, headers, body = _message(data)
    method, _, target = first.partition(" ")
    read_token_request(method, _url(target), headers, body)
    read_bearer(headers)
    read_credentials(headers)


def token_reply(data: bytes) -> None:
    reply = read_token_reply(data)
    assert reply is None or reply.lifetime == reply.lifetime  # not NaN


def jwt(data: bytes) -> None:
    parse_jwt(_text(data))


def signature(data: bytes) -> None:
    """A token's header (a line of JSON), and its signature."""
    header, _, signed = data.partition(b"\n")
    _assert_not_forged(header, signed)


def certificate(data: bytes) -> None:
    """Certificates of a token, DER, one behind the other."""
    chain = [b64encode(b"0\x82" + one).decode() for one in data.split(b"0\x82")[1:]]
    header = {"alg": "ES256", "x5c": chain or [b64encode(data).decode()]}
    _assert_not_forged(json.dumps(header).encode(), bytes(64))


def _assert_not_forged(header: bytes, signed: bytes) -> None:
    raw = b".".join(urlsafe_b64encode(part) for part in (header, b"{}", signed))
    assert verify(parse_token(raw.decode()), _TRUSTED).verdict is not Verdict.SIGNED


def trusted_keys(data: bytes) -> None:
    try:
        keys = load_keys(data)
    except ValueError:
        return
    assert keys.keys


def client(data: bytes) -> None:
    found = read_client(Headers([("User-Agent", _text(data))]))
    assert found is None or all(character not in "<>\x1b" for character in found.product)


def endpoint(data: bytes) -> None:
    parse_endpoint(_text(data))


def url(data: bytes) -> None:
    base, newline, text = _text(data).partition("\n")
    found = parse_url(text, base) if newline else parse_url(base)
    assert found is None or (found.host and found.path.startswith("/"))


def presigned(data: bytes) -> None:
    read_presigned(_url("https://s3.test/bucket/key?" + _text(data)))


def layout(data: bytes) -> None:
    path = _text(data)
    is_storage_layout(path)
    digest_in_path(path)
    bucket_and_key(Url("https", "b.s3.eu-west-1.amazonaws.com", 443, path))
    bucket_and_key(_url(path))


def storage(data: bytes) -> None:
    target, headers, _ = _message(data)
    read_vendor(_url(target), headers)
    request_ids(headers)


def registry(data: bytes) -> None:
    target, headers, _ = _message(data)
    challenges = parse_challenges(headers.all("WWW-Authenticate"))
    found = read_registry(_url(target), headers, challenges)
    assert found is None or found.version is None or found.version.isprintable()


def errors(data: bytes) -> None:
    first, headers, body = _message(data)
    status = int(first) if first.isdecimal() and len(first) < 4 else 500
    error = read_error(status, headers, body, "GET")
    is_registry_voice(headers, error)
    is_web_page(headers, body)
    if error is not None:
        json.dumps([item.detail for item in error.items]).encode()
        assert error.code is None or len(error.code) <= 2000
        assert len(error.text) <= 4096


def answerer(data: bytes) -> None:
    _, headers, body = _message(data)
    answered_by(headers, body)


def manifest(data: bytes) -> None:
    content_type, newline, body = data.partition(b"\n")
    found = read_manifest(_text(content_type) if newline else None, body or data)
    if found is not None:
        referenced(found)
    read_config(data)


def jsontext(data: bytes) -> None:
    json.dumps(parse_json(data, 100_000), ensure_ascii=False, allow_nan=False).encode()


def upload(data: bytes) -> None:
    text = _text(data)
    span = read_range(text)
    assert span is None or span.size >= 0
    read_state(text)
    session_id(_url(text), Headers([("Docker-Upload-UUID", text)]))


def dates(data: bytes) -> None:
    text = _text(data)
    for read in (read_http_date, read_iso, read_epoch):
        moment = read(text)
        assert moment is None or abs(moment) < 1e12


def coding(data: bytes) -> None:
    name, _, body = data.partition(b"\n")
    assert len(decoded(Headers([("Content-Encoding", _text(name))]), body, 1000)) <= max(
        1000, len(body)
    )


def transport(data: bytes) -> None:
    read_failure(_text(data))


#: What parts a request from its answer.
_ANSWER = b"\n--\n"

_ROLES = (None, *Role)


def leg(data: bytes) -> None:
    """A whole exchange: a request such as ``GET https://host/path``, and after ``--`` its answer,
    which begins with a status; or with ``!`` and the transport's error. Without ``--`` the answer
    has not come."""
    sent, parted, came = data.partition(_ANSWER)
    first, headers, body = _message(sent)
    method, _, target = first.partition(" ")
    scheme, mark, rest = target.partition("://")
    host, slash, path = rest.partition("/") if mark else ("registry.test", "", target)
    status, answer_headers, answer_body = _message(came)
    number = int(status) if status.isdecimal() and len(status) < 4 else None
    response = None
    if parted and number is not None:
        response = Response(status=number, headers=answer_headers, body=Body.of(answer_body))
    exchange = Exchange(
        id="1",
        request=Request(
            method=method,
            scheme=scheme if mark else "https",
            host=host,
            port=443,
            target=slash + path,
            headers=headers,
            body=Body.of(body),
        ),
        response=response,
        error=status[1:] if status.startswith("!") else None,
    )
    for role in _ROLES:
        found = decode(exchange, role)
        assert found.exchange is exchange
        assert found.registry


def log(data: bytes) -> None:
    """A log, held against a story that failed; and the same as what a client printed."""
    join = Join(_FAILED_LEGS)
    count = join.read(io.BytesIO(data), "registry.log")
    assert count.lines == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    for said in join.joined.testimonies().by_leg.values():
        assert all(len(each.said) <= MOST_SAID and "\n" not in each.said for each in said)
    for line in data.split(b"\n")[:50]:
        found = read_line(line, 2026)
        assert found is None or found.time is None or abs(found.time) < 1e12
    ClientJoin(_FAILED_LEGS).read(io.BytesIO(data), "-")
    secrets_in_text(_text(data))


#: What the corpus's lines speak of.
_FAILED_LEGS = [
    decode(exchange)
    for exchange in read_notation("""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN
  < X-Request-Id: 01JDC4ZV7Q8K9
""")
]


TARGETS: dict[str, Target] = {
    "answerer": answerer,
    "certificate": certificate,
    "challenge": challenge,
    "client": client,
    "coding": coding,
    "dates": dates,
    "decode": leg,
    "endpoint": endpoint,
    "errors": errors,
    "jsontext": jsontext,
    "jwt": jwt,
    "layout": layout,
    "log": log,
    "manifest": manifest,
    "presigned": presigned,
    "registry": registry,
    "scope": scope,
    "signature": signature,
    "storage": storage,
    "token_reply": token_reply,
    "token_request": token_request,
    "transport": transport,
    "trusted_keys": trusted_keys,
    "upload": upload,
    "url": url,
}
