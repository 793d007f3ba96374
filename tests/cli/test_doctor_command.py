"""``regtrace doctor`` before links that are broken for real: a closed port, a proxy that refuses, a
certificate that nobody trusts, a name that does not resolve."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from following import registry

from regtrace.cli import main
from regtrace.setup import chain
from site_authority import Authority

_HOST = "registry.test"
_PASSWORD = "made-up-password"


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no trust but what a test says; registry.test is this machine."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "SSL_CERT_FILE":
            monkeypatch.delenv(name)
    monkeypatch.setattr(chain, "registry_folders", lambda: [tmp_path / "certs.d"])
    monkeypatch.setattr("regtrace.setup.roots.registry_folders", lambda: [tmp_path / "certs.d"])
    resolve = socket.getaddrinfo

    def resolved(host: Any, *words: Any, **more: Any) -> Any:
        if host == "nowhere.test":
            raise socket.gaierror(-2, "Name or service not known")
        return resolve("127.0.0.1" if host == _HOST else host, *words, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def _doctor(*words: str, **more: Any) -> tuple[int, dict[str, Any]]:
    ran = CliRunner().invoke(main, ["doctor", *words, "--json"], **more)
    assert ran.exit_code in {0, 1}, ran.output
    told: dict[str, Any] = json.loads(ran.stdout)
    return ran.exit_code, told


def _broken(told: dict[str, Any], part: str = "path") -> tuple[str, str]:
    """The first broken link: its name, and what was said with what to do."""
    link = next(link for link in told[part] if link["state"] == "broken")
    assert link["fix"] or part == "registry"
    return link["name"], f"{link['said']} {link['fix']}"


@pytest.fixture
def proxy() -> Iterator[Any]:
    """Proxies that answer each CONNECT with a status of theirs."""
    servers = []

    def started(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.recv(65536)
                client.sendall(answer)
                client.close()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield started
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


# --- the way to the proxy


def test_no_proxy_is_set() -> None:
    status, told = _doctor("path", _HOST)

    assert status == 1
    name, said = _broken(told)
    assert name == "proxy setting"
    assert "has no HTTPS_PROXY" in said
    assert "regtrace run" in said


def test_another_proxy_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://jane:made-up@corp.example.com:3128")

    _, told = _doctor("path", "--proxy", "http://127.0.0.1:8080", _HOST)

    name, said = _broken(told)
    assert name == "proxy setting"
    assert "corp.example.com:3128" in said
    assert "made-up" not in json.dumps(told)


def test_loopback_names_are_never_proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:8080")

    _, told = _doctor("path", "localhost:5000")

    assert _broken(told)[0] == "registry's name"


def test_no_proxy_leaves_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:8080")
    monkeypatch.setenv("no_proxy", "other.example,.test")

    _, told = _doctor("path", _HOST)

    name, said = _broken(told)
    assert name == "NO_PROXY"
    assert "the entry .test" in said


def test_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")

    _, told = _doctor("path", _HOST)

    name, said = _broken(told)
    assert name == "proxy"
    assert f"mitmdump --listen-host 127.0.0.1 --listen-port {port}" in said


def test_the_proxy_s_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://nowhere.test:8080")

    _, told = _doctor("path", _HOST)

    name, said = _broken(told)
    assert name == "proxy"
    assert "can't be resolved" in said


@pytest.mark.parametrize("status", ["403 Forbidden", "407 Proxy Authentication Required"])
def test_the_proxy_refuses_the_tunnel(
    status: str, proxy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
    monkeypatch.setenv("HTTPS_PROXY", proxy(answer))

    _, told = _doctor("path", _HOST)

    name, said = _broken(told)
    assert name == "tunnel"
    assert status in said


@pytest.fixture
def tunnel() -> Iterator[Any]:
    """Proxies that open a tunnel to one port, whatever is asked for."""
    servers = []

    def started(port: int) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def pump(source: socket.socket, target: socket.socket) -> None:
            try:
                while piece := source.recv(65536):
                    target.sendall(piece)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                there = socket.create_connection(("127.0.0.1", port))
                for pair in ((client, there), (there, client)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield started
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def test_the_client_does_not_trust_the_proxy(
    tunnel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with registry(Authority(tmp_path).server()) as site:
        monkeypatch.setenv("HTTPS_PROXY", tunnel(site.port))
        _, told = _doctor("path", "192.0.2.1")

    name, said = _broken(told)
    assert name == "trust"
    assert "regtrace ca install" in said


def test_a_bundle_that_is_not_there_is_told(
    proxy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy(b""))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "misspelt.pem"))

    _, told = _doctor("path", _HOST)

    name, said = _broken(told)
    assert name == "trust"
    assert "misspelt.pem" in said


def test_the_connection_passes_sealed(
    tunnel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_authority = Authority(tmp_path)
    with registry(site_authority.server()) as site:
        monkeypatch.setenv("HTTPS_PROXY", tunnel(site.port))
        monkeypatch.setenv("SSL_CERT_FILE", str(site_authority.path))
        monkeypatch.setattr(chain, "is_loopback", lambda host: False)
        monkeypatch.setattr("regtrace.wire.proxy_settings.is_loopback", lambda host: False)
        _, told = _doctor("path", "127.0.0.1")

    name, said = _broken(told)
    assert name == "interception"
    assert "CN=Test CA" in said
    assert "registry_hosts" in said


def test_without_a_registry_the_proxy_alone_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", place)
        monkeypatch.setenv("HTTP_PROXY", place)
        status, told = _doctor()

    assert status == 0
    assert [link["name"] for link in told["path"]] == ["proxy setting", "proxy"]


def test_a_process_has_settings_of_its_own() -> None:
    _, told = _doctor("path", "--client", str(os.getpid()), _HOST)

    assert f"process {os.getpid()}" in told["path"][1]["said"]


# --- the registry


def _registry(site: Any, *words: str, **more: Any) -> tuple[int, dict[str, Any]]:
    return _doctor("registry", site.url, *words, **more)


def test_a_healthy_registry_has_no_finding() -> None:
    with registry(realm="SELF/token") as site:
        words = ["--user", "jane", "--password-stdin", "--allow-upload", "team/app"]
        status, told = _registry(site, *words, input=f"{_PASSWORD}\n")

    assert status == 0, told
    assert told["report"]["findings"] == []
    assert [ask.split("?")[0] for ask in site.asked] == [
        "GET /v2/",
        "GET /v2/_catalog",
        "GET /token",
        "GET /v2/",
        "GET /token",
        "POST /v2/team/app/blobs/uploads/",
        "DELETE /v2/team/app/blobs/uploads/1",
    ]
    assert _PASSWORD not in json.dumps(told)


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize(
    ("place", "owner"), [("127.0.0.1", "network"), ("nowhere.test", "interception")]
)
def test_an_upstream_proxy_that_is_not_there(scheme: str, place: str, owner: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    through = f"http://{place}:{port}"
    status, told = _doctor("registry", f"{scheme}://r.example.com", "--upstream-proxy", through)

    assert status == 1
    assert not [link for link in told["registry"] if link["name"] == "DNS"]
    (finding,) = told["report"]["findings"]
    assert (finding["slug"], finding["owner"]) == ("upstream-proxy-unreachable", owner)
    assert f"{place}:{port}" in finding["title"]


def test_an_upstream_proxy_that_wants_a_login(proxy: Any) -> None:
    through = proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    status, told = _doctor("registry", "https://r.corp", "--upstream-proxy", through)

    assert status == 1
    (finding,) = told["report"]["findings"]
    assert finding["slug"] == "proxy-refuses-connect"


def test_nothing_is_written_unless_it_is_allowed() -> None:
    with registry(realm="SELF/token") as site:
        _registry(site)

    assert {ask.split()[0] for ask in site.asked} == {"GET"}


def test_the_password_is_asked_for_and_not_shown() -> None:
    with registry(realm="SELF/token") as site:
        ran = CliRunner().invoke(
            main, ["doctor", "registry", site.url, "--user", "jane"], input=f"{_PASSWORD}\n"
        )

    assert ran.exit_code == 0
    assert any(login.startswith("Basic ") for login in site.logins)
    assert _PASSWORD not in ran.output


def test_an_upload_address_of_the_inside(tmp_path: Path) -> None:
    where = "http://127.0.0.9:9/v2/team/app/blobs/uploads/1?_state=x"
    with registry(location=where) as site:
        status, told = _registry(site, "--allow-upload", "team/app")

    assert status == 1
    name, said = _broken(told, "registry")
    assert name == "upload"
    assert "http://127.0.0.9:9" in said
    assert site.asked[-1].startswith("DELETE /v2/team/app/blobs/uploads/1")


def test_a_storage_that_refuses_is_told_by_the_rule() -> None:
    blob = f"team/app@sha256:{'a' * 64}"
    day = time.strftime("%Y%m%d", time.gmtime())
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    signed = (
        f"/bucket/docker/registry/v2/blobs/sha256/aa/{'a' * 64}/data"
        f"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={moment}&X-Amz-Expires=1200"
        f"&X-Amz-Credential=MADEUP%2F{day}%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-SignedHeaders=host&X-Amz-Signature={'0f' * 32}"
    )
    with (
        registry(storage_status=403) as storage,
        registry(storage=f"{storage.url}{signed}") as site,
    ):
        status, told = _registry(site, "--blob", blob)

    assert status == 1
    assert _broken(told, "registry")[0] == "storage"
    assert "storage-403-on-head" in {each["slug"] for each in told["report"]["findings"]}
    assert storage.logins == [""]
    assert storage.asked == [f"HEAD {signed}"]


def test_a_token_server_that_can_t_be_reached() -> None:
    with registry(realm="http://nowhere.test/token") as site:
        status, told = _registry(site)

    assert status == 1
    assert _broken(told, "registry")[0] == "token server"
    assert "realm-unreachable" in {each["slug"] for each in told["report"]["findings"]}


def test_a_clock_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    with registry() as site:
        site.RequestHandlerClass.date_time_string = (  # type: ignore[method-assign]
            lambda self, timestamp=None: formatdate(now - 3600, usegmt=True)
        )
        try:
            status, told = _registry(site)
        finally:
            del site.RequestHandlerClass.date_time_string

    assert status == 1
    name, said = _broken(told, "registry")
    assert name == "clock"
    assert "ahead of the registry's" in said


def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    with registry(Authority(tmp_path).server()) as site:
        status, told = _registry(site)

    assert status == 1
    slugs = {each["slug"] for each in told["report"]["findings"]}
    assert "upstream-certificate-rejected-by-mitm" in slugs


def test_a_registry_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    status, told = _doctor("registry", f"https://127.0.0.1:{port}")

    assert status == 1
    assert _broken(told, "registry")[0] == "IPv4"
    assert "tcp-refused-or-timeout" in {each["slug"] for each in told["report"]["findings"]}


def test_a_name_that_does_not_resolve() -> None:
    status, told = _doctor("registry", "https://nowhere.test")

    assert status == 1
    assert _broken(told, "registry")[0] == "DNS"
    assert "dns-failure" in {each["slug"] for each in told["report"]["findings"]}


def test_a_report_is_written_like_any_other(tmp_path: Path) -> None:
    with registry() as site:
        _registry(site, "-o", str(tmp_path / "a.json"))

    assert json.loads((tmp_path / "a.json").read_text())["schema"] == "regtrace/report/1"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["registry", "ftp://a"], "write https://"),
        (["registry", "a.b", "--blob", "team/app"], "--blob"),
        (["registry", "a.b", "--blob", "team/app@sha256:12"], "--blob"),
        (["registry", "a.b", "--allow-upload", "team/app:1"], "--allow-upload"),
        (["registry", "a.b", "--password-stdin"], "add --user"),
        (["path", "--client", "nobody", "a.b"], "--client"),
        (["path", "--client", "4194399", "a.b"], "process 4194399"),
        (["path", "--proxy", "http://:x", "a.b"], "write http://HOST:PORT"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_one_line(words: list[str], said: str) -> None:
    ran = CliRunner().invoke(main, ["doctor", *words])

    assert ran.exit_code == 2
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1
