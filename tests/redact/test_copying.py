"""A redacted copy decodes to the same facts and findings, holds no secret, and is its own copy."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import conversation as talk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regtrace.diagnose.engine import examine
from regtrace.diagnose.rules import CATALOGUE, LAST_RESORT
from regtrace.follow.tracker import tell
from regtrace.proxy.capture import Reader
from regtrace.redact import bodies, copying
from regtrace.redact.canary import plant
from regtrace.redact.copying import Copier, texts_of
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level, Redactor
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Body, Connection, Exchange, Headers, Request, Response
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.notation import read_notation

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.mitm"))
RULES = [*CATALOGUE, LAST_RESORT]
#: At ``public`` a name is a label, and these findings rest on what is wrong with a name or with a
#: sentence that says it.
OF_NAMES = {
    "account-not-permitted",
    "bearer-lost-before-registry",
    "challenge-duplicated",
    "gar-gcr-denied-or-misnamed",
    "manifest-unknown",
    "name-invalid",
    "policy-violation",
    "token-endpoint-denied",
    "unrecognised-failure",
    "vhost-not-found",
}


def copied(exchanges: Sequence[Exchange], level: Level = Level.VENDOR) -> list[Exchange]:
    redactor = Redactor(level)
    for exchange in exchanges:
        redactor.learn(exchange)
    copier = Copier(redactor)
    return [copier.exchange(exchange) for exchange in exchanges]


def findings(exchanges: Iterable[Exchange]) -> list[tuple[Any, ...]]:
    told: list[tuple[Any, ...]] = []
    for operation in tell([decode(exchange) for exchange in exchanges]):
        legs = tuple((leg.id, leg.kind) for leg in operation.legs)
        told.append((operation.kind, operation.ending, legs))
        for finding in examine(operation).findings:
            fails = finding.fails
            blamed = tuple(leg.id for leg in fails.legs)
            by = finding.explained_by
            told.append((finding.rule.slug, fails.confidence, fails.owner, blamed, by))
    return told


def stories(rule: Any) -> list[str]:
    texts = [rule.fires, rule.silent]
    for more in ("also_fires", "also_silent"):
        texts += getattr(rule, more, ())
    return texts


def assert_fit_to_leave(exchanges: Sequence[Exchange], level: Level = Level.VENDOR) -> None:
    copies = copied(exchanges, level)
    assert findings(copies) == findings(exchanges)
    assert copied(copies, level) == copies
    gate = Gate()
    for exchange in exchanges:
        gate.learn(exchange)
    assert gate.leaks(b"\x1f".join(map(texts_of, copies))) == ()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
@pytest.mark.parametrize("level", [Level.VENDOR, Level.INTERNAL], ids=lambda level: level.value)
def test_a_copy_of_a_rules_story_tells_the_same(rule: Any, level: Level) -> None:
    for story in stories(rule):
        assert_fit_to_leave(list(read_notation(story)), level)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_a_copy_of_a_capture_tells_the_same(capture: Path) -> None:
    with capture.open("rb") as stream:
        assert_fit_to_leave(list(Reader(str(capture), stream)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
def test_public_changes_only_findings_that_rest_on_names(rule: Any) -> None:
    for story in stories(rule):
        exchanges = list(read_notation(story))
        copies = copied(exchanges, Level.PUBLIC)
        assert copied(copies, Level.PUBLIC) == copies
        slugs = (
            {row[0] for row in findings(each) if len(row) == 5} for each in (exchanges, copies)
        )
        before, after = slugs
        assert before ^ after <= OF_NAMES


# --- no secret


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.value)
def test_no_secret_of_the_conversation_is_in_its_copy(level: Level) -> None:
    hidden = dict(talk.SECRETS)
    if level is not Level.INTERNAL:
        hidden.update(talk.PEOPLE, client=talk.CLIENT, peer=talk.PEER4, six=talk.PEER6)
    if level is Level.PUBLIC:
        hidden.update((name, name) for name in talk.NAMES)
    gate = Gate()
    for name, value in hidden.items():
        gate.taint(name, value, whole=True)
    raw = b"\x1f".join(map(texts_of, copied(talk.EXCHANGES, level)))
    assert gate.leaks(raw) == ()
    text = raw.decode("utf-8", "replace")
    assert [name for name, value in hidden.items() if value in text] == []


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.value)
@pytest.mark.parametrize("capture", CAPTURES[::7], ids=lambda path: path.stem)
def test_no_canary_is_in_the_copy_of_a_capture(capture: Path, level: Level) -> None:
    with capture.open("rb") as stream:
        planted = [plant(exchange) for exchange in Reader(str(capture), stream)]
    gate, count = Gate(), 0
    for canary in {one.value: one for _, canaries in planted for one in canaries}.values():
        if level is not Level.INTERNAL or not canary.personal:
            gate.taint(canary.where, canary.value, whole=canary.whole)
            count += 1
    copies = copied([exchange for exchange, _ in planted], level)
    assert count > 10
    assert gate.leaks(b"\x1f".join(map(texts_of, copies))) == ()


# --- what support needs


def legs(level: Level = Level.VENDOR) -> list[tuple[Leg, Leg]]:
    copies = copied(talk.EXCHANGES, level)
    return [(decode(a), decode(b)) for a, b in zip(talk.EXCHANGES, copies, strict=True)]


#: The survival contract: what must be read in the copy as in the original.
FACTS: dict[str, Callable[[Leg], Any]] = {
    "kind": lambda leg: leg.kind,
    "method": lambda leg: leg.method,
    "status": lambda leg: leg.status,
    "client": lambda leg: leg.client,
    "registry": lambda leg: leg.registry,
    "repository": lambda leg: leg.repository,
    "digest": lambda leg: leg.digest,
    "upload session": lambda leg: leg.session,
    "upload offset": lambda leg: leg.state and (leg.state.offset, leg.state.started_at),
    "challenge": lambda leg: [(c.scheme, c.service, c.scopes) for c in leg.challenges],
    "asked for": lambda leg: (
        leg.token_request
        and (leg.token_request.service, leg.token_request.scopes, leg.token_request.grant_type)
    ),
    "credentials": lambda leg: leg.credentials and (leg.credentials.scheme, leg.credentials.user),
    "token's times": lambda leg: (
        leg.bearer
        and leg.bearer.jwt
        and (leg.bearer.jwt.expires, leg.bearer.jwt.not_before, leg.bearer.jwt.issued)
    ),
    "token's audience": lambda leg: leg.bearer and leg.bearer.jwt and leg.bearer.jwt.audience,
    "token's access": lambda leg: leg.bearer and leg.bearer.jwt and leg.bearer.jwt.access,
    "token's lifetime": lambda leg: (
        leg.token_reply
        and (leg.token_reply.expires_in, leg.token_reply.issued_at, leg.token_reply.refresh)
    ),
    "redirect": lambda leg: leg.location and (leg.location.origin, leg.location.path),
    "signature's scheme": lambda leg: leg.presigned and leg.presigned.scheme,
    "signature's window": lambda leg: (
        leg.presigned and (leg.presigned.signed_at, leg.presigned.expires_at)
    ),
    "signature's region": lambda leg: (
        leg.presigned
        and (leg.presigned.region, leg.presigned.signed_headers, leg.presigned.permissions)
    ),
    "error's codes": lambda leg: leg.error and (leg.error.dialect, leg.error.codes),
    "vendor": lambda leg: leg.vendor,
    "date": lambda leg: leg.exchange.response and leg.exchange.response.headers.get("Date"),
    "sizes": lambda leg: (leg.exchange.request.body.size, leg.manifest and leg.manifest.layers),
}


@pytest.mark.parametrize("fact", FACTS)
def test_survives(fact: str) -> None:
    """Wherever no secret was put in the fact's own place."""
    read, seen = FACTS[fact], 0
    for original, copy in legs(Level.INTERNAL):
        said = repr(read(original))
        places = f"{said} {original.url.path}".lower()
        if not any(secret.lower() in places for secret in talk.SECRETS.values()):
            assert repr(read(copy)) == said
            seen += bool(read(original))
    assert seen


def test_the_same_token_is_the_same_everywhere_and_another_is_another() -> None:
    pairs = {
        (leg.bearer.sha256, copy.bearer.sha256)
        for leg, copy in legs()
        if leg.bearer and copy.bearer
    }
    assert len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs})


def test_sizes_and_the_digest_of_a_changed_manifest_stay() -> None:
    content = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/x", "digest": talk.CONFIG, "size": 7},
            "layers": [],
            "annotations": {"com.example.owner": "Jane of Corp"},
        }
    ).encode()
    request = Request(
        method="PUT",
        scheme="https",
        host="registry.test",
        port=443,
        target="/v2/team/app/manifests/1",
        headers=Headers([("Content-Type", "application/vnd.oci.image.manifest.v1+json")]),
        body=Body.of(content),
    )
    exchange = Exchange(id="a", request=request)
    (copy,) = copied([exchange])
    assert b"Jane" not in (copy.request.body.kept or b"")
    assert copy.request.body.size == len(content)
    assert decode(copy).digest == decode(exchange).digest


# --- each handler

SECRET = "qX7zK2mW9rT4vB8nL3pS"
PACKED = base64.b64encode(f"bob:{SECRET}".encode()).decode()
LOGIN = base64.urlsafe_b64encode(json.dumps({"password": SECRET}).encode()).decode()

HEADERS = {
    "authorization": f"Basic {PACKED}",
    "content-location": f"https://bob:{SECRET}@registry.test/v2/",
    "content-type": f"text/html; a={SECRET}",
    "cookie": f"sid={SECRET}",
    "docker-content-digest": f"{SECRET}/{SECRET}",
    "link": f'<https://registry.test/v2/?sig={SECRET}>; rel="next"',
    "location": f"https://registry.test/v2/?sig={SECRET}",
    "proxy-authenticate": f'Basic realm="{SECRET}"',
    "proxy-authorization": f"Bearer {SECRET}",
    "referer": f"https://registry.test/{SECRET}",
    "server": f"nginx {SECRET}",
    "user-agent": f"docker/27.3.1 {SECRET}",
    "via": f"1.1 {SECRET}",
    "www-authenticate": f'Bearer realm="https://auth.test/?token={SECRET}"',
    "x-minio-error-desc": f"no {SECRET}",
    "x-registry-auth": LOGIN,
    "x-registry-config": LOGIN,
}
QUERIES = {
    "_state": SECRET,
    "akamai_signature": f"exp=1795468000~hmac={SECRET}",
    "digest": f"{SECRET}/",
    "mount": f"{SECRET}/",
    "password": SECRET,
    "policy": SECRET,
}


def with_header(name: str, value: str) -> Exchange:
    request = Request(
        method="GET",
        scheme="https",
        host="registry.test",
        port=443,
        target="/v2/",
        headers=Headers([(name, value)]),
    )
    return Exchange(id="a", request=request)


def said_of(exchange: Exchange) -> bytes:
    """The copy by a redactor that has learned nothing: its handlers must do by themselves."""
    return texts_of(Copier(Redactor()).exchange(exchange))


def is_told(raw: bytes) -> bool:
    gate = Gate()
    gate.taint("planted", SECRET)
    return gate.leaks(raw) != ()


def as_it_is(_: Copier, value: str) -> str:
    return value


@pytest.mark.parametrize("name", sorted(copying._HEADERS))
def test_the_handler_of_a_header_hides_and_no_other_code_would(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = with_header(name, HEADERS[name])
    assert not is_told(said_of(exchange))
    monkeypatch.setitem(copying._HEADERS, name, as_it_is)
    assert is_told(said_of(exchange))


@pytest.mark.parametrize("name", sorted(copying._QUERY))
def test_the_handler_of_a_query_key_hides_and_no_other_code_would(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = with_header("Location", f"/v2/?{name}={QUERIES[name]}")
    assert not is_told(said_of(exchange))
    monkeypatch.setitem(copying._QUERY, name, as_it_is)
    assert is_told(said_of(exchange))


def answering(content: bytes, content_type: str = "application/json") -> Exchange:
    headers = Headers([("Content-Type", content_type)])
    response = Response(status=403, headers=headers, body=Body.of(content))
    return Exchange(id="a", request=with_header("Accept", "*/*").request, response=response)


@pytest.mark.parametrize("key", sorted(bodies._TEXTS))
def test_the_handler_of_a_json_key_hides_and_no_other_code_would(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = answering(json.dumps({key: f"ghp_{SECRET}%"}).encode())
    assert not is_told(said_of(exchange))
    monkeypatch.setitem(bodies._TEXTS, key, as_it_is)
    assert is_told(said_of(exchange))


@pytest.mark.parametrize("name", sorted(bodies._LEAVES))
def test_the_handler_of_an_xml_element_hides_and_no_other_code_would(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = f"<Error><{name}>ghp_{SECRET}%</{name}></Error>".encode()
    assert not is_told(said_of(answering(page, "application/xml")))
    monkeypatch.setitem(bodies._LEAVES, name, as_it_is)
    assert is_told(said_of(answering(page, "application/xml")))


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"unheard_of": SECRET}).encode(),
        json.dumps({"config": {"Env": [f"API={SECRET}"], "Cmd": [SECRET]}, "rootfs": {}}).encode(),
        json.dumps({"history": [{"created_by": f"RUN echo {SECRET}"}]}).encode(),
        json.dumps({"annotations": {"a": SECRET}, "layers": []}).encode(),
        json.dumps({"number": 123456789012}).encode().replace(b"123456789012", SECRET.encode()),
        f'{{"token": "{SECRET}", "token": "x"}}'.encode(),
        f'{{"deep": {"[" * 50}"{SECRET}"{"]" * 50}}}'.encode(),
        f"<Error a='{SECRET}'><!-- {SECRET} --><X>{SECRET}</X></Error>".encode(),
        f"<Error><Signature>{SECRET}</Signature".encode(),
        f"<html>Bearer {SECRET}</html>".encode(),
        b"\xff\xfe" + SECRET.encode("utf-16-le"),
        f'{{"errors": [{{"code": "X", "detail": {{"a": "token {SECRET}"}}}}]}}'.encode(),
    ],
)
def test_a_body_says_no_secret_in_any_place(content: bytes) -> None:
    assert not is_told(said_of(answering(content)))


@pytest.mark.parametrize(
    "target",
    [
        f"/v2/?%zz={SECRET}",
        f"/v2/%ff%{SECRET}",
        f"/v2/../{SECRET}/../v2/",
        f"/v2/?{SECRET}",
        f"/v2/#{SECRET}",
        f"/v2/?a=%25{SECRET}",
        f"http://{SECRET}@registry.test/v2/",
        f"/{SECRET}/v2/team/app/tags/list",
        f"/v2/?sig=&sig={SECRET}&sig=",
    ],
)
def test_a_malformed_target_says_no_secret(target: str) -> None:
    exchange = with_header("Location", target)
    assert not is_told(said_of(exchange))
    (copy,) = copied([exchange])
    assert copied([copy]) == [copy]


def test_every_one_of_several_equal_headers_is_redacted() -> None:
    headers = Headers([("Authorization", f"Bearer {SECRET}"), ("authorization", f"Basic {PACKED}")])
    request = Request(
        method="GET", scheme="https", host="h.test", port=443, target="/v2/", headers=headers
    )
    assert not is_told(said_of(Exchange(id="a", request=request)))


_PLACES: dict[str, Callable[[str], Exchange]] = {
    "a header": lambda secret: with_header("X-Unheard-Of", secret),
    "bearer": lambda secret: with_header("Authorization", f"Bearer {secret}"),
    "a query": lambda secret: with_header("Location", f"/v2/?x={secret}"),
    "a path": lambda secret: with_header("Location", f"https://h.test/{secret}"),
    "userinfo": lambda secret: with_header("Location", f"https://u:{secret}@h.test/"),
    "a json text": lambda secret: answering(json.dumps({"token": secret, "x": [secret]}).encode()),
    "an element": lambda secret: answering(f"<Error><Token>{secret}</Token></Error>".encode()),
    "a cookie": lambda secret: with_header("Set-Cookie", f"a={secret}; Path=/{secret}"),
}


@settings(max_examples=200, deadline=None)
@given(
    secret=st.text(
        st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"),
        min_size=24,
        max_size=80,
    ).filter(lambda text: sum(map(str.isdigit, text)) > 3 and any(map(str.isupper, text))),
    place=st.sampled_from(sorted(_PLACES)),
)
def test_no_secret_leaves_from_any_place(secret: str, place: str) -> None:
    exchange = _PLACES[place](secret)
    (copy,) = copied([exchange])
    gate = Gate()
    gate.taint("planted", secret)
    assert gate.leaks(texts_of(copy)) == ()
    assert copied([copy]) == [copy]


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=400), name=st.sampled_from(sorted(copying._HEADERS)))
def test_no_bytes_break_it(content: bytes, name: str) -> None:
    text = content.decode("latin-1")
    for exchange in (with_header(name, text), answering(content), with_header("Location", text)):
        (copy,) = copied([exchange])
        (again,) = copied([copy])
        assert again == copy


# --- connections


def test_a_client_is_a_label_and_loopback_stays() -> None:
    def shown(host: str) -> str | None:
        connection = Connection(id="c", client_host=host)
        request = with_header("Accept", "*/*").request
        (copy,) = copied([Exchange(id="a", request=request, connection=connection)])
        return copy.connection.client_host

    assert shown("10.1.2.3") == "client-1"
    assert shown("127.0.0.1") == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "known"),
    [("8.8.8.8", Reach.PUBLIC), ("2600::1", Reach.PUBLIC), ("10.1.2.3", Reach.PRIVATE)],
)
def test_a_server_keeps_its_reach(address: str, known: Reach) -> None:
    request = with_header("Accept", "*/*").request
    connection = Connection(id="c", server_host=address)
    (copy,) = copied([Exchange(id="a", request=request, connection=connection)])
    assert copy.connection.server_host not in {None, address}
    assert reach(copy.connection.server_host or "") is known
    assert copied([copy]) == [copy]


@cache
def _tunnel() -> Exchange:
    error = "[Errno 101] Connect call failed ('2001:db8:77::7', 443, 0, 0)"
    request = Request(
        method="CONNECT", scheme="https", host="h.test", port=443, target="h.test:443"
    )
    return Exchange(id="a", request=request, error=error, error_at=1.0, tunnel="server-connect")


def test_an_address_in_an_error_stays_one_of_its_family() -> None:
    (copy,) = copied([_tunnel()])
    assert copy.error == "[Errno 101] Connect call failed ('2001:db8:a::1', 443, 0, 0)"
    assert decode(copy).kind is Kind.CONNECT
