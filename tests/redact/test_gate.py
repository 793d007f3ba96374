"""The gate finds a secret however it is written, and lets honest reports pass."""

from __future__ import annotations

import base64
import gzip
import html
import json
import time
import zlib
from pathlib import Path
from urllib.parse import quote

import conversation as talk
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from regtrace.proxy.capture import Reader
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level, Redactor
from regtrace.redact.secrets import secrets_in
from regtrace.redact.shapes import SHORTEST
from regtrace.report import model
from regtrace.report.build import build
from regtrace.report.output import FORMATS
from regtrace.report.telling import Telling
from regtrace.wire.exchange import Exchange, Headers, Request

SECRET = 'p"ä%41<&/ w\\rd+42'
CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.mitm"))


def wrapped(text: str) -> str:
    """As a terminal's renderer breaks long words."""
    return "\n              ".join(text[at : at + 9] for at in range(0, len(text), 9))


ENCODINGS = {
    "plain": lambda text: text,
    "percent": lambda text: quote(text, safe=""),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent of every byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "json": json.dumps,
    "json with letters": lambda text: json.dumps(text, ensure_ascii=False),
    "json twice": lambda text: json.dumps(json.dumps(text)),
    "html": html.escape,
    "html numbers": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    "base64 of percent": lambda text: base64.b64encode(quote(text).encode()).decode(),
    "base64 of base64": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "wrapped": wrapped,
    "wrapped base64": lambda text: wrapped(base64.b64encode(text.encode()).decode()),
    "with tags": lambda text: f"</b>{html.escape(text[:4])}<wbr>{html.escape(text[4:])}",
    "utf-16": lambda text: "\0".join(text),
}


def gate_of(*secrets: str) -> Gate:
    gate = Gate()
    for secret in secrets:
        gate.taint("request.header.X", secret)
    return gate


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("secret", [SECRET, "plain-and-s1mple", "naïve-🔑-key"])
def test_encodings(name: str, secret: str) -> None:
    output = f"before {ENCODINGS[name](secret)} after"
    assert gate_of(secret).leaks(output) == ("request.header.X",)


BYTES = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "utf-16-le": lambda raw: raw.decode().encode("utf-16-le"),
    "utf-16-be": lambda raw: raw.decode().encode("utf-16-be"),
    "utf-16 with its mark": lambda raw: raw.decode().encode("utf-16"),
    "gzip of utf-16": lambda raw: gzip.compress(raw.decode().encode("utf-16-le")),
    "gzip twice": lambda raw: gzip.compress(gzip.compress(raw)),
    "base64 of gzip": lambda raw: base64.b64encode(gzip.compress(raw)),
    "hex of gzip": lambda raw: gzip.compress(raw).hex().encode(),
    "base64url of gzip, not from its beginning": lambda raw: (
        b"ab" + base64.urlsafe_b64encode(b"x" + gzip.compress(raw))
    ),
}


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize(
    "secret", [SECRET, "plain-and-s1mple", "na\u00efve-\U0001f511-key", "a b c d e f g h"]
)
def test_encodings_that_are_bytes(name: str, secret: str) -> None:
    said = f"some words {secret} and others".encode()
    output = b"before " + BYTES[name](said) if "utf-16" not in name else BYTES[name](said)
    assert gate_of(secret).leaks(output) == ("request.header.X",)


def test_a_gzip_that_is_none_is_no_secret() -> None:
    assert gate_of(SECRET).leaks(b"\x1f\x8b\x08 and \x78\x9c that nothing follows") == ()


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("packer", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_at_every_place(before: int, packer: object) -> None:
    packed = packer(b"x" * before + b"s3cr\xc3\xa9t>?>?" + b"yz").decode()  # type: ignore[operator]
    assert gate_of("s3crét>?>?").leaks(f"claims{packed}.sig")


@settings(max_examples=60, deadline=None)
@given(
    secret=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=12, max_size=60
    ),
    name=st.sampled_from(sorted(set(ENCODINGS) - {"utf-16", "with tags"})),
    around=st.text(st.characters(codec="ascii"), max_size=30),
)
def test_any_secret_in_any_encoding(secret: str, name: str, around: str) -> None:
    secret = "Aa1" + secret.strip()
    assume(len("".join(secret.split())) >= SHORTEST)
    assert gate_of(secret).leaks(f"{around} {ENCODINGS[name](secret)} {around}")


@pytest.mark.parametrize("length", [8, 9, 10, 40, 41])
@pytest.mark.parametrize("before", range(9))
def test_a_secret_of_any_length_at_any_place(length: int, before: int) -> None:
    secret = "qZ7_x9Kd-Lm3" * 4
    for gate in (gate_of(secret[:length]), gate_of("An0ther-8", secret[:length])):
        assert gate.leaks("." * before + secret[:length] + ".")


def test_what_one_output_had_is_found_in_the_next_too() -> None:
    gate = gate_of(SECRET)
    packed = base64.b64encode(f"a {SECRET} b".encode()).decode()
    assert gate.leaks(packed) == gate.leaks(f"again {packed}") == ("request.header.X",)
    other = base64.b64encode(b"An0ther-secret").decode()
    assert gate.leaks(other) == ()
    gate.taint("cookie", "An0ther-secret")
    assert gate.leaks(other) == ("cookie",)


def test_what_was_cut_off_is_found_at_either_end() -> None:
    secret = talk.SECRETS["opaque token"]
    assert gate_of(secret).leaks(f"{secret[:30]}…")
    assert gate_of(secret).leaks(f"…{secret[-30:]}")


def request(**headers: str) -> Exchange:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Exchange(
        id="1",
        request=Request(
            method="GET",
            scheme="https",
            host="registry.example",
            port=443,
            target="/v2/team/app-2024/manifests/v1.2.3-rc1?service=container_registry",
            headers=Headers(named),
        ),
    )


@pytest.mark.parametrize(
    "password",
    ["registry", "container_registry", "team/app-2024", "app-2024", "registry.example", "20261123"],
)
def test_a_password_that_is_a_name_does_not_refuse_every_report(password: str) -> None:
    gate = Gate()
    packed = base64.b64encode(f"u:{password}".encode()).decode()
    gate.learn(request(Authorization=f"Basic {packed}"))
    honest = "push of team/app-2024 at registry.example, service container_registry, 20261123T10"
    assert gate.leaks(honest) == ()
    assert gate.leaks(f"{honest} {packed}")


HONEST = [
    "Basic authentication is not enough",
    f"sha256:{'0a' * 32} e2de57d9-efb0-4204-a8af-d3be1303fe54",
    "X-Amz-Signature=signature-1&sig=signature-2\n   the registry sent the client here",
    "https://global-container-registry-eu.test/v2/glen-production-registry/app",
    "Bearer token-1, Basic user-1:password-1 (glcbt-...)",
    "x-amz-id-2: " + "Ab+/" * 19,
    "state-1(offset=0,started=1795465515)",
]


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_passes(text: str) -> None:
    assert Gate().leaks(text) == ()


SHAPES = {
    "a signed JWT": "eyJ" + "hbGciOiJ.eyJ" + "pc3MiOiJ4.c2lnbmF0dXJlLW9mLW1pbmU",
    "Basic credentials": "Basic " + base64.b64encode(b"bob:pw").decode(),
    "an AWS key id": "AKI" + "A" + "QZ7" * 5 + "Q",
    "a personal access token": "gh" + "p_" + "q7Z" * 12,
    "a private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "a URL's signature": "X-Amz-Signature=" + "0f" * 32,
    "an upload state": "?_state=" + "qZ7_" * 30,
}


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes(kind: str) -> None:
    assert kind in Gate().leaks(f'"{SHAPES[kind]}"')


def test_every_secret_of_the_conversation_is_known() -> None:
    """What the handlers alone keep out: values that no name marks as secret."""
    unmarked = {
        "digest that is none", "error code", "header code", "media type", "retry-after", "server",
        "etag", "agent", "version", "tag", "front path", "method", "client id", "capture name",
        "opaque session", "opaque path", "v1 path", "unknown header", "unknown value", "bare key",
        "azure object", "nonce", "skoid", "gcs account", "echoed hash", "cloudfront policy",
    }  # fmt: skip
    gate = Gate()
    for exchange in talk.EXCHANGES:
        gate.learn(exchange)
    inside = (" jti", " kid", " mac")
    marked = {n: v for n, v in talk.SECRETS.items() if n not in unmarked and not n.endswith(inside)}
    assert [name for name, value in marked.items() if not gate.leaks(f"<{value}>")] == []


def test_secrets_name_their_place_and_not_their_value() -> None:
    for exchange in talk.EXCHANGES:
        for secret in secrets_in(exchange):
            assert secret.value not in secret.where or len(secret.value) < 8


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.value)
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_real_captures_pass(path: Path, level: Level) -> None:
    with path.open("rb") as stream:
        exchanges = list(Reader(path.name, stream))
    gate = Gate()
    for exchange in exchanges:
        gate.learn(exchange)
    report = build(
        map(Telling.of, talk.operations(exchanges)),
        capture=model.Capture(path.name, "file", len(exchanges), None, None),
        redactor=Redactor(level),
    )
    assert [gate.leaks(render(report)) for render in FORMATS.values()] == [()] * len(FORMATS)


def test_the_cost_hardly_grows_with_the_number_of_secrets() -> None:
    few = gate_of(*(f"Secret-{number:09}-Q" for number in range(100)))
    many = gate_of(*(f"Secret-{number:09}-Q" for number in range(20_000)))
    output = "".join(f'"digest": "sha256:{number:064x}", ' for number in range(4_000))
    assert _seconds(many, output) < 20 * _seconds(few, output)


def _seconds(gate: Gate, output: str) -> float:
    gate.leaks("")
    began = time.perf_counter()
    assert gate.leaks(output) == ()
    return max(time.perf_counter() - began, 1e-3)
