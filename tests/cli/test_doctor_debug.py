"""``regtrace doctor registry-debug``: what a debug server says, and what none says."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from regtrace.cli import main
from regtrace.diagnose.debug_server import observe
from regtrace.setup import debug_server
from regtrace.wire.debug_server import (
    DebugServer,
    parse_health,
    parse_metrics,
    parse_variables,
)

_METRICS = """\
# HELP registry_http_requests_total Total number of HTTP requests made.
# TYPE registry_http_requests_total counter
registry_http_requests_total{code="202",handler="blob_upload",method="post"} 40
registry_http_requests_total{code="500",handler="blob_upload_chunk",method="patch"} 12
# TYPE registry_http_in_flight_requests gauge
registry_http_in_flight_requests{handler="blob_upload_chunk"} 3
registry_http_in_flight_requests{handler="manifest"} 1
# TYPE registry_http_request_duration_seconds histogram
registry_http_request_duration_seconds_bucket{handler="blob_upload_chunk",method="put",le="60"} 9
registry_http_request_duration_seconds_bucket{handler="blob_upload_chunk",method="put",le="+Inf"} 10
registry_http_request_duration_seconds_sum{handler="blob_upload_chunk",method="put"} 190
registry_http_request_duration_seconds_count{handler="blob_upload_chunk",method="put"} 10
# TYPE registry_storage_action_seconds histogram
registry_storage_action_seconds_bucket{action="Stat",driver="s3aws",le="0.5"} 19
registry_storage_action_seconds_bucket{action="Stat",driver="s3aws",le="+Inf"} 20
registry_storage_action_seconds_sum{action="Stat",driver="s3aws"} 60
registry_storage_action_seconds_count{action="Stat",driver="s3aws"} 20
"""
_VARIABLES = {
    "cmdline": ["registry"],
    "memstats": {},
    "registry": {
        "notifications": {
            "endpoints": [
                {"name": "audit", "Metrics": {"Pending": 7, "Failures": 2, "Errors": 1}},
            ]
        }
    },
}

Answers = Mapping[str, tuple[int, bytes]]


def run(*args: object) -> Result:
    return CliRunner().invoke(main, ["doctor", "registry-debug", *map(str, args)])


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: Answers = {}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        status, body = self.server.answers.get(self.path, (404, b"404 page not found\n"))
        self.send_response(status)
        if status in {301, 302}:
            self.send_header("Location", "http://127.0.0.1:9/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    made = _Server()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


def url(server: _Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


def test_a_registry_in_trouble(server: _Server) -> None:
    server.answers = {
        "/debug/health": (503, b'{"storagedriver_s3aws": "s3aws: \\u001b[2JRequestError"}'),
        "/debug/vars": (200, json.dumps(_VARIABLES).encode()),
        "/metrics": (200, _METRICS.encode()),
    }
    result = run(url(server))
    said = " ".join(result.stdout.split())
    assert result.exit_code == 1
    assert "ERROR RT705 registry-unhealthy: a health check fails" in said
    assert "ERROR RT704 storage-backend-error: 12 of 52 answers since the start were 5xx" in said
    assert "PATCH blob_upload_chunk: 12" in said
    assert "the storage is slow: s3aws Stat, 20 times, 3 s on average" in said
    assert "1 of 10 layers took more than 60 s" in said
    assert "3 not delivered since the start, 7 wait" in said
    assert "in flight 4 requests, 3 of uploads" in said
    assert "debug-server-open" not in said
    assert "\x1b" not in result.output
    document = json.loads(run(url(server), "--json").stdout)
    assert [each["slug"] for each in document["findings"]][:2] == [
        "registry-unhealthy",
        "storage-backend-error",
    ]


def test_a_healthy_registry_without_metrics(server: _Server, tmp_path: Path) -> None:
    server.answers = {
        "/debug/health": (200, b"{}"),
        "/debug/vars": (200, b'{"memstats": {}}'),
    }
    result = run(url(server), "-o", tmp_path / "debug.json")
    assert result.exit_code == 0
    document = json.loads((tmp_path / "debug.json").read_text())
    assert document["findings"] == []
    assert document["not_seen"] == {"/metrics": "answered 404"}
    assert "http.debug.prometheus.enabled" in run(url(server)).stdout


def test_secrets_in_what_the_registry_quotes_are_not_shown(server: _Server) -> None:
    token = "ghp_" + "A1b2C3d4" * 5
    body = json.dumps({"redis": f"dial failed: password=Made0Up1Secret2Value {token}"})
    server.answers = {"/debug/health": (503, body.encode())}
    for result in (run(url(server)), run(url(server), "--json")):
        assert result.exit_code == 1
        assert token not in result.output
        assert "Made0Up1Secret2Value" not in result.output


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"/debug/health": (200, b"<html>sign in</html>")},
        {"/debug/health": (302, b"")},
        {"/metrics": (200, b"\xff\xfe")},
        {"/metrics": (200, b'a{b="c} 1\n')},
        {"/debug/vars": (200, b"[" * 100_000)},
    ],
)
def test_what_is_no_debug_server_ends_with_2_and_one_line(
    answers: Answers, server: _Server
) -> None:
    server.answers = answers
    result = run(url(server))
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "set http.debug.addr" in result.stderr


def test_an_endless_answer_ends(server: _Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug_server, "MOST", 1000)
    server.answers = {"/debug/health": (200, b" " * 2000 + b"{}")}
    result = run(url(server))
    assert result.exit_code == 2
    assert "more than 1000 bytes" in result.stderr


def test_a_server_that_says_nothing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug_server, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = run(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert result.exit_code == 2
    assert "timed out" in result.stderr


@pytest.mark.parametrize("wrong", ["ftp://localhost", "http://", "http://a b"])
def test_a_url_that_is_none_ends_with_2(wrong: str) -> None:
    result = run(wrong)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_a_server_that_answers_elsewhere_is_open() -> None:
    (open_one,) = observe(DebugServer("registry.example.com", health={}))
    assert open_one.slug == "debug-server-open"
    assert observe(DebugServer("localhost", health={})) == ()


def test_few_errors_are_a_warning() -> None:
    counter = "registry_http_requests_total"
    rows = f'{counter}{{code="200"}} 900\n{counter}{{code="503"}} 3\n'
    (found,) = observe(DebugServer("localhost", metrics=parse_metrics(rows.encode())))
    assert (found.slug, found.severity.value) == ("storage-backend-error", "warning")


def test_parsers_refuse_what_they_do_not_know() -> None:
    for parse in (parse_health, parse_variables, parse_metrics):
        for body in (b"", b"[]", b"\0", b'{"a"', b"x y z\n"):
            with pytest.raises(ValueError, match=r"\w"):
                parse(body)


# --- the real one


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@pytest.mark.lab
def test_a_real_registry_whose_storage_does_not_answer(tmp_path: Path) -> None:
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is missing (scripts/lab install)")
    port, debug, closed = _free_port(), _free_port(), _free_port()
    config = tmp_path / "config.yml"
    config.write_text(f"""\
version: 0.1
storage:
  s3:
    accesskey: MADEUPMADEUPMADEUP00
    secretkey: made/up/secret/key/of/a/test/0123456789
    region: us-east-1
    regionendpoint: http://127.0.0.1:{closed}
    bucket: registry
    secure: false
http:
  addr: 127.0.0.1:{port}
  secret: made-up-secret-of-a-test
  debug: {{addr: "127.0.0.1:{debug}", prometheus: {{enabled: true, path: /metrics}}}}
health: {{storagedriver: {{enabled: true, interval: 1s, threshold: 1}}}}
""")
    # With AWS_CA_BUNDLE it panics at its start.
    environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "serve", str(config)], stdout=log, stderr=log, env=environment
        )
    try:
        _wait(f"http://127.0.0.1:{debug}/debug/vars")
        deadline = time.monotonic() + 60
        result = run(f"http://127.0.0.1:{debug}")
        while result.exit_code == 0 and time.monotonic() < deadline:
            time.sleep(1)
            result = run(f"http://127.0.0.1:{debug}")
    finally:
        process.terminate()
        process.wait(10)
    assert result.exit_code == 1, result.output
    assert "RT705 registry-unhealthy" in result.stdout
    assert "storagedriver_s3: s3aws: RequestError" in result.stdout
    assert "in flight" in result.stdout


def _wait(address: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
