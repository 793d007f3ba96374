"""Which hosts a registry is asked for: its own, and its token server's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from regtrace.setup.probe import hosts_of
from regtrace.setup.refused import Refused


@contextmanager
def registry(*, status: int = 401, **headers: str) -> Iterator[str]:
    """A server that answers so to /v2/, and to nothing else; its URL."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/v2/" else 599)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_realm_s_host_is_found() -> None:
    challenge = 'Bearer realm="https://Auth.test:5443/jwt/auth",service="registry"'
    with registry(WWW_Authenticate=challenge) as url:
        assert hosts_of(url) == ("127.0.0.1", "auth.test")
        assert hosts_of(f"{url}/any/path") == ("127.0.0.1", "auth.test")


def test_a_registry_without_a_token_server_is_alone() -> None:
    with registry(WWW_Authenticate='Basic realm="Registry"') as url:
        assert hosts_of(url) == ("127.0.0.1",)
    with registry(status=200) as url:
        assert hosts_of(url) == ("127.0.0.1",)


def test_a_redirect_is_not_followed() -> None:
    with registry(status=302, Location="http://127.0.0.1:1/") as url:
        assert hosts_of(url) == ("127.0.0.1",)


@pytest.mark.parametrize("realm", ["https://[bad/", "https:///path"])
def test_a_realm_that_is_no_url_is_refused(realm: str) -> None:
    with registry(WWW_Authenticate=f'Bearer realm="{realm}"') as url, pytest.raises(Refused):
        hosts_of(url)


@pytest.mark.parametrize("url", ["ftp://registry.test", "http://", "http://[bad"])
def test_what_is_no_url_of_a_registry_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="is no URL of a registry"):
        hosts_of(url)


def test_a_registry_that_does_not_answer_is_told_with_what_to_do() -> None:
    with pytest.raises(Refused, match="name the hosts yourself"):
        hosts_of("http://127.0.0.1:1")
