"""Canaries stand in every place, come out nowhere, and are found when a handler is broken."""

from __future__ import annotations

from pathlib import Path

import conversation as talk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regtrace.proxy.capture import Reader
from regtrace.redact.canary import plant
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import proof
from regtrace.report.output import Leaking
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Body, Connection, Exchange, Headers, Request, Response
from regtrace.wire.leg import Kind

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.mitm"))


def test_planting_is_deterministic() -> None:
    for exchange in talk.EXCHANGES:
        assert plant(exchange) == plant(exchange)


def test_no_real_secret_stays_where_a_canary_can_stand() -> None:
    for exchange in talk.EXCHANGES:
        copy, _ = plant(exchange)
        assert talk.SECRETS["registry token"] not in str(copy.request.headers)
        assert talk.SECRETS["form password"] not in str(copy.request.body.kept)
        assert talk.SECRETS["s3 v4 signature"] not in copy.request.target


def test_the_same_secret_gets_the_same_canary() -> None:
    copies = [decode(plant(exchange)[0]) for exchange in talk.EXCHANGES]
    issued = {
        leg.token_reply.token.sha256 for leg in copies if leg.token_reply and leg.token_reply.token
    }
    carried = {leg.bearer.sha256 for leg in copies if leg.bearer}
    assert carried <= issued


def test_the_copy_tells_the_same_story() -> None:
    for exchange in talk.EXCHANGES:
        leg, copy = decode(exchange), decode(plant(exchange)[0])
        assert (copy.kind, copy.repository, copy.tag, copy.digest) == (
            leg.kind,
            leg.repository,
            leg.tag,
            leg.digest,
        )
        assert (copy.state and copy.state.offset) == (leg.state and leg.state.offset)
        if leg.kind is Kind.STORAGE and leg.presigned and copy.presigned:
            assert (
                copy.presigned.expires_at == leg.presigned.expires_at
                or leg.presigned.scheme == "cloudfront"
            )


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.value)
def test_the_proof_holds(level: Level) -> None:
    result = proof.prove(talk.EXCHANGES, level)
    assert result.found == 0
    assert result.planted > 100


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.value)
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_proof_holds_over_real_captures(path: Path, level: Level) -> None:
    with path.open("rb") as stream:
        result = proof.prove(Reader(path.name, stream), level)
    assert result.found == 0
    assert result.planted > 10


@pytest.mark.parametrize("handler", ["query", "client_address", "prose", "user"])
def test_the_proof_fails_when_a_handler_is_broken(
    handler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redactor, handler, lambda *values: values[-1])
    planted, found = proof.trial(talk.EXCHANGES, Level.VENDOR)
    assert planted
    assert found
    with pytest.raises(Leaking) as refused:
        proof.prove(talk.EXCHANGES, Level.VENDOR)
    assert not any(value in str(refused.value) for value in talk.SECRETS.values())


def test_the_proof_is_bounded() -> None:
    many = [
        Exchange(id=f"{number}-{exchange.id}", request=exchange.request, response=exchange.response)
        for number in range(20)
        for exchange in talk.EXCHANGES
    ]
    sample = proof.Sample()
    for exchange in many:
        sample.add(exchange)
    chosen = sample.exchanges()
    assert len(chosen) == proof.MOST
    assert chosen == sorted(chosen, key=many.index)
    kinds = {exchange.request.method for exchange in chosen}
    assert kinds == {exchange.request.method for exchange in talk.EXCHANGES}


def test_nothing_to_plant_in() -> None:
    assert proof.prove([], Level.VENDOR).found == 0


# --- hostile and malformed

TEXT = st.text(max_size=40)
ODD = st.sampled_from(
    ["%", "%zz", "%ff%fe", "=", "Basic", "Basic =", "Basic ÿ", "Bearer", "Bearer a.b.c", "\0",
     "?&&=", "https://[", "https://u:p@[::1]:99999/", "_state=AAAA", "AWS4-HMAC-SHA256 Credential=",
     "\ufeff", "a\rb", "{" * 50, "<Error><StringToSign>", "//", "/v2/%2F/blobs/x:y"]
)  # fmt: skip
VALUE = st.one_of(TEXT, ODD, st.tuples(ODD, TEXT).map("".join))
NAME = st.sampled_from(
    """Authorization Cookie Set-Cookie Location Referer WWW-Authenticate X-Registry-Auth Host Link
    User-Agent Content-Type Content-Encoding Via X-Forwarded-For Retry-After Server X-Odd
    Docker-Upload-UUID :authority""".split()
)
FIELDS = st.lists(st.tuples(NAME, VALUE), max_size=6).map(Headers)
BODY = st.one_of(VALUE.map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=60))
METHOD = st.sampled_from(["GET", "PUT", "POST", "PATCH", "HEAD", "CONNECT", "x y"])
TARGET = st.tuples(
    st.sampled_from(["/", "/v2/", "/v2/a/b/blobs/uploads/", "/v2/a/manifests/", "/token", "*", ""]),
    VALUE,
).map("".join)


@st.composite
def exchanges(draw: st.DrawFn) -> Exchange:
    request = Request(
        method=draw(METHOD),
        scheme="https",
        host=draw(st.sampled_from(["r.test", "::1", "10.0.0.1", "ü.test", ""])),
        port=443,
        target=draw(TARGET),
        headers=draw(FIELDS),
        body=Body.of(draw(BODY)),
    )
    response = Response(
        status=draw(st.sampled_from([200, 202, 307, 401, 403, 500])),
        headers=draw(FIELDS),
        body=Body.of(draw(BODY)),
    )
    return Exchange(
        id=draw(st.uuids()).hex,
        request=request,
        response=draw(st.sampled_from([response, None])),
        error=draw(st.one_of(st.none(), VALUE)),
        connection=Connection(id="1", client_host="203.0.113.9"),
    )


@settings(max_examples=120, deadline=None)
@given(odd=st.lists(exchanges(), max_size=3), level=st.sampled_from(list(Level)))
def test_hostile_traffic_neither_stops_nor_leaks(odd: list[Exchange], level: Level) -> None:
    assert proof.trial(odd, level)[1] == frozenset()


#: Long enough, and random enough, to be nothing but a secret.
RANDOM = st.binary(min_size=20, max_size=40).map(lambda raw: "Qz7" + raw.hex()[:37] + "Xk")


@settings(max_examples=80, deadline=None)
@given(
    secret=RANDOM,
    place=st.integers(0, len(talk.EXCHANGES) - 1),
    header=st.sampled_from(["X-Odd", "Authorization", "Cookie", "Retry-After", "Server", "ETag"]),
    level=st.sampled_from(list(Level)),
)
def test_a_random_secret_in_a_random_place(
    secret: str, place: int, header: str, level: Level
) -> None:
    exchange = talk.EXCHANGES[place]
    redactor = Redactor(level)
    redactor.learn(exchange)
    shown = [
        redactor.header(header, secret),
        redactor.header(header, f"Bearer {secret}"),
        redactor.header(
            "Location", f"https://{secret}:{secret}@r.test/{secret}/x?a={secret}&{secret}"
        ),
        redactor.query("digest", secret),
        redactor.prose(f"no {secret} here, key={secret}; https://r.test/?{secret}={secret}"),
        redactor.challenges(f'Bearer realm="{secret}", {secret}="x", error="{secret}"'),
        redactor.scope(secret),
        redactor.session(secret),
        redactor.method(secret),
        redactor.code(secret),
        redactor.url_text(f"https://r.test/v2/a/blobs/uploads/{secret}"),
    ]
    assert [text for text in shown if secret in text] == []
