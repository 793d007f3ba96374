"""The whole way, at every level: no secret comes out, and what support needs is still there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import conversation as talk
import jsonschema
import pytest

import regtrace.report
from regtrace.redact import headers, urls
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.json import render
from regtrace.wire.url import Url

SCHEMA = json.loads((Path(regtrace.report.__path__[0]) / "report-1.json").read_text())


@pytest.fixture(params=list(Level), ids=lambda level: level.value)
def level(request: pytest.FixtureRequest) -> Level:
    chosen: Level = request.param
    return chosen


def test_nothing_secret_is_told(level: Level) -> None:
    assert talk.leaks(talk.told(level), level) == set()


def test_the_gate_passes_what_is_told(level: Level) -> None:
    gate = Gate()
    for exchange in talk.EXCHANGES:
        gate.learn(exchange)
    assert gate.leaks(talk.told(level)) == ()


def test_the_report_obeys_its_schema(level: Level) -> None:
    jsonschema.validate(json.loads(render(talk.report(level))), SCHEMA)


#: What the diagnosis rests on, at every level.
KEPT = [
    talk.DIGEST,
    talk.SESSION,
    talk.REQUEST_ID,
    ":pull,push",
    "X-Amz-Date=20261123T202516Z",
    "X-Amz-Expires=1200",
    "X-Amz-SignedHeaders=host",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    "/20261123/eu-west-1/s3/aws4_request",
    "/20261123/eu-west-1/ecr/aws4_request",
    "SignedHeaders=host;x-amz-date",
    "Expires=1795466716",
    "X-Goog-Expires=600",
    "se=2026-11-23T20:55:16Z",
    "sp=r",
    "verify=1795468516-",
    "(until=1795469999)",
    "Key-Pair-Id=K2ABCDEFGH1234",
    "(offset=3180,started=1795465515)",
    '"region": "eu-west-1"',
    "SignatureDoesNotMatch",
    "The request signature we calculated does not match",
    "Mon, 23 Nov 2026 20:25:16 GMT",
    f'"expires": {talk.START + 300}',
    f'"not_before": {talk.START - 10}',
    '"product": "docker"',
    '"version": "27.3.1"',
    "glcbt-",
    "AWSALB=cookie-",
    "HttpOnly",
    "JSESSIONID=cookie-",
    "gitlab-ci-token:",
    "registry/2.0",
    "server closed connection",
    "/docker/registry/v2/blobs/sha256/",
    "/jwt/auth",
    "0-3179",
]
NAMED = [talk.HOST, talk.AUTH, talk.STORE, talk.REPOSITORY, talk.TAG, talk.BUCKET]


def test_what_support_needs_survives(level: Level) -> None:
    said = talk.told(level)
    wanted = KEPT if level is Level.PUBLIC else [*KEPT, *NAMED, "issuer-of-corp"]
    assert [fact for fact in wanted if fact not in said] == []


def test_names_and_people_are_readable_inside() -> None:
    said = talk.told(Level.INTERNAL)
    assert talk.PEOPLE["alice"] in said
    assert talk.CLIENT in said


def test_one_token_has_one_label() -> None:
    legs = [leg.decoded for leg in talk.report(Level.PUBLIC).legs.values()]
    issued = [leg["issued_token"]["label"] for leg in legs if "issued_token" in leg]
    carried = {leg["token"] for leg in legs if "token" in leg}
    assert carried <= set(issued)
    assert len(carried) == 1


def test_a_second_look_changes_nothing() -> None:
    """What was redacted is not redacted again."""
    redactor = Redactor(Level.PUBLIC)
    for exchange in talk.EXCHANGES:
        redactor.learn(exchange)
        sides = [exchange.request.headers]
        sides += [exchange.response.headers] if exchange.response else []
        for name, value in (field for side in sides for field in side):
            if name.lower() in {"location", "referer", "host", "x-request-id", "retry-after"}:
                once = redactor.header(name, value)
                assert redactor.header(name, once.replace(redactor.label("credentials", "x"), ""))
        if exchange.error:
            once = redactor.prose(exchange.error)
            assert redactor.prose(once) == once


# --- no handler is dead


def _identity(*arguments: Any, **_: Any) -> Any:
    """The value as it came."""
    value = arguments[-1]
    if isinstance(value, Url):
        pairs = "&".join(f"{key}={text}" for key, text in value.query)
        return f"{value.origin}{value.path}?{pairs}"
    return value


METHODS = """address bucket capture_name challenges client_address code digest header host method
    label plain prose query reference registry repository scope service session swept url url_text
    user word""".split()
URL_TABLE = ["policy", "verify", "x-amz-credential", "account", "client_id", "_state", "scope"]
HEADER_TABLE = """authorization cookie etag link location proxy-authorization referer set-cookie
    user-agent www-authenticate x-forwarded-for x-ms-error-code x-registry-auth host via""".split()


def _gives_away() -> bool:
    return any(talk.leaks(talk.told(level), level) for level in (Level.PUBLIC, Level.VENDOR))


@pytest.mark.parametrize("name", METHODS)
def test_a_handler_that_is_switched_off_leaks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Redactor, name, _identity)
    assert _gives_away()


@pytest.mark.parametrize("name", URL_TABLE)
def test_a_query_handler_that_is_switched_off_leaks(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(urls._QUERY, name, _identity)
    assert _gives_away()


@pytest.mark.parametrize("name", HEADER_TABLE)
def test_a_header_handler_that_is_switched_off_leaks(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(headers._HANDLERS, name, _identity)
    assert _gives_away()
