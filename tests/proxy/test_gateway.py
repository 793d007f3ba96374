"""A registry, its token server and its storage behind the gateway, as a client and a report see
them. All three listen on one port; what tells them apart is the Host that they are asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from proxying import ADDON, PATIENCE, answer, client, request_body, run, server

from regtrace.cli import main
from regtrace.proxy import gateway
from regtrace.proxy.gateway import Address, Origin
from regtrace.proxy.running import NotStarted, Running, Setup, running

_BLOB = "/v2/team/app/blobs/sha256:" + "a" * 64
_SIGNED = "/bucket%2Fblobs/data?X-Amz-Signature=ab%2b%2B+c&X-Amz-Date=20260101T000000Z&x"


@dataclass
class Site:
    """What was asked of the three servers: request line, headers in lower case."""

    port: int = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def of(self, host: str) -> list[tuple[str, dict[str, str]]]:
        return [(line, said) for line, said in self.asked if said["host"] == f"{host}:{self.port}"]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode().strip().split("\r\n")
        said = {name.lower(): value for name, value in (each.split(": ", 1) for each in fields)}
        self.asked.append((line, said))
        await request_body(reader, head)
        writer.write(self._answer(line.split()[0], line.split()[1], said))
        await writer.drain()
        writer.close()

    def _answer(self, method: str, target: str, said: dict[str, str]) -> bytes:
        if said["host"].startswith("localhost"):
            body = b'{"token": "made-up-token"}'
            return answer("200 OK", "Content-Type: application/json", body=body)
        if said["host"].startswith("127.0.0.99"):
            return answer("403 Forbidden")
        if target == "/v2/":
            realm = f'realm="http://localhost:{self.port}/auth",service="reg, istry",error="x"'
            return answer("401 Unauthorized", f"WWW-Authenticate: Bearer {realm}")
        if target.startswith("/v2/team/app/tags"):
            link = f'<http://127.0.0.1:{self.port}/v2/team/app/tags/list?n=1>; rel="next"'
            return answer("200 OK", f"Link: {link}", body=b'{"tags": []}')
        if method == "POST":
            state = "_state=a%2Bb"
            where = f"http://127.0.0.1:{self.port}/v2/team/app/blobs/uploads/1?{state}"
            return answer("202 Accepted", f"Location: {where}")
        if method == "PUT":
            return answer("201 Created", "Location: /v2/team/app/blobs/sha256:x")
        where = f"http://user:pw@127.0.0.99:{self.port}{_SIGNED}"
        return answer("307 Temporary Redirect", f"Location: {where}", "X-Other: Location: x")


@dataclass
class Behind:
    """A gateway that runs before the site, and afterwards what it left behind."""

    site: Site
    folder: Path
    addresses: list[Address]
    proxy: Running

    def ask(self, url: str, method: str = "GET", **more: Any) -> tuple[int, dict[str, str]]:
        host, _, target = url.removeprefix("http://").rpartition("@")[2].partition("/")
        connection = HTTPConnection(host, timeout=PATIENCE)
        try:
            headers = {"User-Agent": "docker/20.10.24", **more.pop("headers", {})}
            connection.request(method, f"/{target}", headers=headers, **more)
            got = connection.getresponse()
            got.read()
            return got.status, dict(got.getheaders())
        finally:
            connection.close()

    @property
    def here(self) -> str:
        return f"http://127.0.0.1:{self.addresses[0][1]}"


@asynccontextmanager
async def behind(tmp_path: Path, confdir: Path) -> AsyncIterator[Behind]:
    site = Site()
    async with server(site.handle) as port:
        site.port = port
        storage = await asyncio.start_server(site.handle, "127.0.0.99", port)
        registry = gateway.read_origin(f"http://127.0.0.1:{port}")
        assert registry is not None
        addresses = gateway.loopback()
        setup = _setup(tmp_path, confdir, registry, addresses)
        async with running(setup) as proxy, storage:
            yield Behind(site, tmp_path, addresses, proxy)


def _setup(folder: Path, confdir: Path, registry: Origin, addresses: list[Address]) -> Setup:
    inward, outward = gateway.addons(registry, addresses)
    return Setup(
        script=ADDON,
        confdir=confdir,
        modes=gateway.modes(addresses),
        capture=folder / "push.mitm",
        reports=[str(folder / "push.json")],
        live="off",
        lazily=True,
        first=[inward],
        last=[outward],
    )


def reported(capture: Path) -> dict[str, Any]:
    """What ``regtrace report`` says of it."""
    told = CliRunner().invoke(main, ["report", str(capture), "--format", "json"])
    report: dict[str, Any] = json.loads(told.stdout)
    return report


def test_a_pull_stays_with_the_gateway_and_the_report_shows_the_true_names(
    tmp_path: Path, confdir: Path
) -> None:
    site = Site()

    async def story() -> None:
        nonlocal site
        async with behind(tmp_path, confdir) as each:
            site = each.site
            await client(_pull, each)

    run(story())

    ((token, token_said),) = site.of("localhost")
    assert token == "GET /auth?service=reg%2C+istry HTTP/1.1"
    assert token_said["authorization"] == "Basic bWFkZTp1cA=="
    ((storage, storage_said),) = site.of("127.0.0.99")
    assert storage == f"GET {_SIGNED} HTTP/1.1"
    assert storage_said["referer"] == f"http://127.0.0.1:{site.port}{_BLOB}"
    _check_report(reported(tmp_path / "push.mitm"), site)


def _pull(behind: Behind) -> None:
    status, said = behind.ask(f"{behind.here}/v2/")
    assert status == 401
    port = behind.addresses[0][1]
    realm, rest = said["WWW-Authenticate"].split(",", 1)
    assert realm == f'Bearer realm="http://127.0.0.2:{port}/auth"'
    assert rest == 'service="reg, istry",error="x"'
    basic = {"Authorization": "Basic bWFkZTp1cA=="}
    status, _ = behind.ask(f"http://127.0.0.2:{port}/auth?service=reg%2C+istry", headers=basic)
    assert status == 200
    status, said = behind.ask(f"{behind.here}{_BLOB}", headers={"Authorization": "Bearer x"})
    assert status == 307
    assert said["Location"] == f"http://user:pw@127.0.0.3:{port}{_SIGNED}"
    assert said["X-Other"] == "Location: x"
    status, _ = behind.ask(said["Location"], headers={"Referer": f"{behind.here}{_BLOB}"})
    assert status == 403


def _check_report(report: dict[str, Any], site: Site) -> None:
    urls = [leg["url"] for leg in report["legs"]]
    origins = {url.split("/")[2] for url in urls}
    assert origins == {f"{host}:{site.port}" for host in ("127.0.0.1", "localhost", "127.0.0.99")}
    (failed,) = (each for each in report["operations"] if each["outcome"] == "failed")
    (root,) = failed["root_findings"]
    finding = next(each for each in report["findings"] if each["id"] == root)
    assert "127.0.0.99" in finding["title"] + finding["cause"]
    lacks = [row["what"] for row in report["not_seen"]]
    assert "how the client fares under the registry's own name" in lacks
    for field_name in (
        "request.header.Host",
        "request.header.Referer",
        "response.header.Location",
        "response.header.WWW-Authenticate.realm",
    ):
        assert f"{field_name} as the client had it" in lacks


def test_live_and_replay_tell_the_same(tmp_path: Path, confdir: Path) -> None:
    async def story() -> None:
        async with behind(tmp_path, confdir) as each:
            await client(_pull, each)

    run(story())

    live = json.loads((tmp_path / "push.json").read_text())
    again = reported(tmp_path / "push.mitm")
    for part in ("verdict", "operations", "legs", "findings", "not_seen"):
        assert live[part] == again[part]


def test_uploads_keep_their_state_and_relative_addresses_stay(
    tmp_path: Path, confdir: Path
) -> None:
    async def story() -> None:
        async with behind(tmp_path, confdir) as each:
            await client(_push, each)

    run(story())

    legs = reported(tmp_path / "push.mitm")["legs"]
    assert [leg["status"] for leg in legs] == [202, 201, 200]


def _push(behind: Behind) -> None:
    _, said = behind.ask(f"{behind.here}/v2/team/app/blobs/uploads/", "POST", body=b"")
    assert said["Location"] == f"{behind.here}/v2/team/app/blobs/uploads/1?_state=a%2Bb"
    # More than is kept: a body that is streamed.
    status, said = behind.ask(said["Location"], "PUT", body=b"x" * 5_000_000)
    assert (status, said["Location"]) == (201, "/v2/team/app/blobs/sha256:x")
    _, said = behind.ask(f"{behind.here}/v2/team/app/tags/list")
    assert said["Link"] == f'<{behind.here}/v2/team/app/tags/list?n=1>; rel="next"'


def test_an_address_that_stands_for_nothing_is_refused(tmp_path: Path, confdir: Path) -> None:
    async def story() -> None:
        async with behind(tmp_path, confdir) as each:
            host, port = each.addresses[5]
            status, _ = await client(each.ask, f"http://{host}:{port}/v2/")
            assert status == 502
            assert each.site.asked == []

    run(story())


def test_only_loopback_addresses_are_listened_on(tmp_path: Path, confdir: Path) -> None:
    async def story() -> None:
        async with behind(tmp_path, confdir) as each:
            addresses = each.proxy.master.addons.get("proxyserver").listen_addrs()
            assert all(address[0].startswith("127.") for address in addresses)

    run(story())


def test_a_port_that_is_taken_is_told(tmp_path: Path, confdir: Path) -> None:
    async def story() -> None:
        async with server(Site().handle) as port:
            registry = gateway.read_origin("http://127.0.0.1:1")
            assert registry is not None
            taken = _setup(tmp_path, confdir, registry, [("127.0.0.1", port)])
            with pytest.raises(NotStarted, match=str(port)):
                async with running(taken):
                    pass

    run(story())


def test_with_no_address_left_the_true_one_is_given(tmp_path: Path, confdir: Path) -> None:
    origin = gateway.read_origin("https://registry.example.com")
    other = gateway.read_origin("https://auth.example.com")
    assert origin is not None
    assert other is not None
    places = gateway.Places(origin, [("127.0.0.1", 5000)])

    assert places.address(origin) == ("127.0.0.1", 5000)
    assert places.address(other) is None


@pytest.mark.parametrize(
    "url", ["", "/v2/", "ftp://a/b", "http://", "http://a:b/", "https://[::1", "//a/b", "a:b"]
)
def test_what_is_no_origin_is_none(url: str) -> None:
    assert gateway.read_origin(url) is None


def test_the_authority_stays_as_it_was_written() -> None:
    origin = gateway.read_origin("https://user:pw@Bucket.S3.Example.com:443/key")

    assert origin == Origin("https", "bucket.s3.example.com", 443, "Bucket.S3.Example.com:443")
