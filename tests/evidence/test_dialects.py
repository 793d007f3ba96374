"""Every dialect says the same of one request, behind every collector's prefix."""

from __future__ import annotations

import gzip
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.evidence.dialects import MOST_LINE, MOST_SAID, LogLine, read_line
from regtrace.wire.dates import read_iso
from regtrace.wire.testimony import Told

WHEN = read_iso("2026-11-24T05:15:39Z")
JSON = (
    '{"auth.user.name":"builder","err.code":"unknown",'
    '"err.detail":"s3aws: NoSuchBucket: \\n\\tstatus code: 404",'
    '"err.message":"unknown error","http.request.id":"10575791-e1a7","http.request.method":"GET",'
    '"http.request.uri":"/v2/team/app/manifests/1?x=1","http.request.useragent":"skopeo/1.9.3",'
    '"http.response.status":500,"level":"error","msg":"response completed with error","time":'
    '"2026-11-24T05:15:39.880137124Z"}'
)
TEXT = (
    'time="2026-11-24T05:15:39.880137124Z" level=error msg="response completed with error"'
    " auth.user.name=builder err.code=unknown"
    ' err.detail="s3aws: NoSuchBucket: \\n\\tstatus code: 404" err.message="unknown error"'
    " http.request.id=10575791-e1a7 http.request.method=GET"
    ' http.request.uri="/v2/team/app/manifests/1?x=1" http.request.useragent="skopeo/1.9.3"'
    " http.response.status=500"
)
TTY = (
    "\x1b[31mERRO\x1b[0m[0004] response completed with error          "
    ' \x1b[31merr.code\x1b[0m=unknown err.detail="s3aws: NoSuchBucket: \\n\\tstatus code: 404"'
    ' err.message="unknown error" http.request.id=10575791-e1a7 http.request.method=GET'
    ' http.request.uri="/v2/team/app/manifests/1?x=1" http.request.useragent="skopeo/1.9.3"'
    " http.response.status=500 auth.user.name=builder"
)
PREFIXES = {
    "bare": "{}",
    "docker logs -t": "2026-11-24T05:15:39.880200000Z {}",
    "compose": "registry-1  | {}",
    "compose -t": "registry-1  | 2026-11-24T05:15:39.880200000Z {}",
    "cri": "2026-11-24T05:15:39.880200000+00:00 stderr F {}",
    "journalctl": "Nov 24 05:15:39 host docker-registry[812]: {}",
    "journalctl -o short-iso": "2026-11-24T05:15:39+0000 host docker-registry[812]: {}",
    "svlogd": "2026-11-24_05:15:39.88020 {}",
}


@pytest.mark.parametrize("form", [JSON, TEXT, TTY], ids=["json", "text", "terminal"])
@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_distribution_behind_every_prefix(form: str, prefix: str) -> None:
    line = read_line(prefix.format(form).encode(), 2026)
    assert line is not None
    assert (line.method, line.path, line.status) == ("GET", "/v2/team/app/manifests/1", 500)
    assert (line.agent, line.ids, line.users) == ("skopeo/1.9.3", ("10575791-e1a7",), ("builder",))
    assert line.said == "unknown: unknown error: s3aws: NoSuchBucket: status code: 404"
    assert line.told == {Told.STORAGE}
    if form is TTY and prefix in {PREFIXES["bare"], PREFIXES["compose"]}:
        assert line.time is None  # a terminal is shown seconds since the start
    else:
        assert line.time == pytest.approx(WHEN, abs=1)


def test_dockers_own_files_hold_lines_within_lines() -> None:
    outer = json.dumps({"log": TEXT + "\n", "stream": "stderr", "time": "2026-11-24T05:15:40Z"})
    line = read_line(outer.encode())
    assert line is not None
    assert line.path == "/v2/team/app/manifests/1"
    assert line.time == pytest.approx(WHEN, abs=1)


COMBINED = (
    '10.77.0.10 - - [24/Nov/2026:07:15:39 +0200] "HEAD /v2/team/app/blobs/sha256:ab?x HTTP/1.1"'
    ' 401 218 "" "docker/20.10.24+dfsg1 UpstreamClient(Docker-Client/20.10.24 \\\\(linux\\\\))"'
)


def test_the_combined_format() -> None:
    line = read_line(COMBINED.encode())
    assert line is not None
    assert line.is_access
    assert line.time == WHEN
    assert (line.method, line.path, line.status) == ("HEAD", "/v2/team/app/blobs/sha256:ab", 401)
    assert line.agent is not None
    assert line.agent.startswith("docker/20.10.24+dfsg1 Upstream")
    assert line.said == ""


def test_harbors_nginx_has_no_time_of_its_own() -> None:
    """From make/photon/prepare/templates/nginx: $remote_addr - "$request" $status …, by syslog."""
    raw = (
        b"Nov 24 05:15:39 172.18.0.1 proxy[1017]: 10.9.8.7 -"
        b' "PUT /v2/team/app/manifests/1 HTTP/1.1" 412 145 "-" "docker/24.0.7" 0.012 0.012 .'
    )
    line = read_line(raw, 2026)
    assert line is not None
    assert (line.status, line.time, line.zoned) == (412, WHEN, False)


NGINX = (
    "2026/11/24 05:15:39 [error] 4321#4321: *7 {}, client: 10.77.0.10, server: registry.test,"
    ' request: "GET /v2/ HTTP/1.1", upstream: "https://10.0.0.5:5000/v2/?secret=x", host: "r.test"'
)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "connect() failed (111: Connection refused) while connecting to upstream",
            Told.UPSTREAM_REFUSED,
        ),
        (
            "upstream timed out (110: Connection timed out) while reading response header",
            Told.UPSTREAM_LATE,
        ),
        (
            "upstream prematurely closed connection while reading response header from upstream",
            Told.UPSTREAM_BROKE,
        ),
        ("client intended to send too large body: 5000000 bytes", Told.BODY_TOO_LARGE),
        ("no live upstreams while connecting to upstream", Told.UPSTREAM_UNKNOWN),
    ],
)
def test_nginxs_error_log(words: str, told: Told) -> None:
    line = read_line(NGINX.format(words).encode())
    assert line is not None
    assert (line.method, line.path, line.source) == ("GET", "/v2/", "front-log")
    assert (line.time, line.zoned) == (WHEN, False)
    assert told in line.told
    assert line.said == f"{words} (https://10.0.0.5:5000)"


def test_gitlabs_registry() -> None:
    """Written from the documented fields of its logs (docs/…/logging of container-registry)."""
    app = {
        "auth_user_name": "root",
        "code": "UNKNOWN",
        "correlation_id": "01JDC4ZV7Q8K9",
        "detail": "s3aws: RequestTimeTooSkewed: The difference is too large.",
        "error": "unknown: unknown error",
        "host": "registry.example.com",
        "level": "error",
        "method": "PUT",
        "msg": "unknown error",
        "time": "2026-11-24T05:15:39.000Z",
        "uri": "/v2/team/app/blobs/uploads/u?digest=x",
        "user_agent": "docker/24.0.7",
    }
    line = read_line(json.dumps(app).encode())
    assert line is not None
    assert (line.method, line.path) == ("PUT", "/v2/team/app/blobs/uploads/u")
    assert line.ids == ("01JDC4ZV7Q8K9",)
    assert "RequestTimeTooSkewed" in line.said
    assert line.told == {Told.STORAGE}


def test_gitlabs_production_log() -> None:
    rails = {
        "method": "GET",
        "path": "/jwt/auth",
        "format": "html",
        "controller": "JwtController",
        "action": "auth",
        "status": 403,
        "time": "2026-11-24T05:15:39.000Z",
        "params": [{"key": "scope", "value": "repository:team/app:push"}],
        "ua": "docker/24.0.7",
        "correlation_id": "01JDC4ZV7Q8K9",
        "username": "mallory",
    }
    line = read_line(json.dumps(rails).encode())
    assert line is not None
    assert (line.method, line.path, line.status) == ("GET", "/jwt/auth", 403)
    assert (line.source, line.users) == ("token-log", ("mallory",))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("token signed by untrusted key with ID: ABCD", Told.UNTRUSTED_KEY),
        ("unable to verify certificate chain: x509: unknown authority", Told.UNTRUSTED_KEY),
        ("token from untrusted issuer: x", Told.WRONG_ISSUER),
        ("token intended for another audience: x", Told.WRONG_AUDIENCE),
        ("token not to be used before 2026-11-24", Told.TOKEN_EARLY),
        ("token not to be used after 2026-11-24", Told.TOKEN_OVER),
        ("error authorizing context: authorization token required", Told.NO_TOKEN),
        ("unknown error completing upload: unexpected EOF", Told.UNEXPECTED_EOF),
        ("write /data/docker/registry: no space left on device", Told.DISK),
        ("filesystem: mkdir /var/lib/registry/docker: permission denied", Told.DISK),
        ("client disconnected during blob PATCH", Told.CLIENT_LEFT),
        ("error resolving upload: invalid secret", Told.OTHER_SECRET),
    ],
)
def test_what_words_mean(said: str, told: Told) -> None:
    raw = json.dumps({"level": "warning", "msg": said, "time": "2026-11-24T05:15:39Z"})
    line = read_line(raw.encode())
    assert line is not None
    assert line.told == {told}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\0\0",
        b"plain words",
        b"{}",
        b'{"time": "never"}',
        b'{"log": {"log": 1}}',
        b"[" * 50_000,
        b'{"a":' * 10_000,
        b"2026/99/99 99:99:99 x",
        b"x" * (MOST_LINE + 1),
        gzip.compress(b"x", mtime=0),
    ],
)
def test_what_is_no_such_line(raw: bytes) -> None:
    assert read_line(raw) is None


def test_hostile_lines_cost_no_more_than_honest_ones() -> None:
    """Long runs of what a pattern might begin with, at every place."""
    began = time.process_time()
    for piece in (
        "a",
        "a.",
        "=",
        '"',
        "[",
        "[24/Nov",
        ' "GET ',
        "request: ",
        "\\",
        '{"',
        "time=",
        "é",
    ):
        text = (piece * MOST_LINE)[: MOST_LINE - 100]
        for raw in (
            text,
            f'{{"msg":"{text}"',
            f'level=x msg="{text}',
            f"2026/11/24 05:15:39 {text}",
        ):
            read_line(raw.encode()[:MOST_LINE])
    assert time.process_time() - began < 5


def test_what_is_said_is_short_and_one_line() -> None:
    raw = json.dumps({"level": "error", "msg": "a\nb\t" + "c " * MOST_SAID})
    line = read_line(raw.encode())
    assert line is not None
    assert "\n" not in line.said
    assert len(line.said) <= MOST_SAID


@given(
    st.binary(max_size=400),
    st.sampled_from([JSON, TEXT, TTY, COMBINED, NGINX]),
    st.integers(0, 400),
)
def test_any_bytes_are_read(noise: bytes, form: str, at: int) -> None:
    raw = form.encode()
    for mixed in (noise, raw[:at] + noise + raw[at:], raw[:at] + noise):
        line = read_line(mixed, 2026)
        assert line is None or isinstance(line, LogLine)
