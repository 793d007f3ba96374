"""Behind another proxy (mitmproxy's mode ``upstream``): what fails at it is no fault of the
registry, and what fails behind it is none of the proxy; in copies that may leave as well."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from proxying import (
    PING,
    Handler,
    Proxied,
    agrees,
    answer,
    client,
    free_port,
    get_over_tls,
    proxy,
    replayed,
    request_head,
    run,
    server,
    through,
    trusting,
)

from regtrace.proxy.capture import Reader, flow_states
from regtrace.proxy.flows import exchange_of
from regtrace.proxy.redacted import FlowCopier, records
from regtrace.redact.copying import Copier
from regtrace.redact.redactor import Level, Redactor
from regtrace.wire.hosts import is_address
from site_authority import Authority

REGISTRY = "registry.example.com"
LOGIN = 'Proxy-Authenticate: Basic realm="site"'


def says(said: bytes) -> Handler:
    """A server that answers so, whatever it is asked, and hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(said)
        await writer.drain()

    return handle


def leads_to(port: int) -> Handler:
    """A proxy that opens every tunnel to this port of 127.0.0.1."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        there, onward = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_pass_on(reader, onward), _pass_on(there, writer))

    return handle


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)


async def judged(
    tmp_path: Path, confdir: Path, upstream: str, *, tls: bool = True, **options: Any
) -> Proxied:
    """What a ping through this upstream proxy is judged to be, the same in every reading."""
    async with proxy(tmp_path, confdir, mode=[f"upstream:{upstream}"], **options) as proxied:
        if tls:
            await client(get_over_tls, proxied.port, f"{REGISTRY}:443", trusting(confdir), REGISTRY)
        else:
            await client(through, proxied.port, f"http://{REGISTRY}/v2/")
    await agrees(proxied, confdir)
    for level in Level:
        copy = tmp_path / f"{level.value}.mitm"
        copy.write_bytes(_copied(proxied.capture, level))
        assert faults(replayed(copy)) == faults(proxied.report)
    return proxied


def _copied(capture: Path, level: Level) -> bytes:
    raw = capture.read_bytes()
    redactor = Redactor(level)
    for exchange in Reader("x", io.BytesIO(raw)):
        redactor.learn(exchange)
    copier = FlowCopier(Copier(redactor))
    return b"".join(records(flow_states(io.BytesIO(raw), is_har=False), copier, lambda _: True))


def faults(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    roots = [finding for finding in report["findings"] if finding["explained_by"] is None]
    return [(root["slug"], root["owner"], root["confidence"]) for root in roots]


AT_THE_PROXY = "upstream-proxy-unreachable"


@pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])
@pytest.mark.parametrize(
    ("place", "owner"), [("127.0.0.1", "network"), ("proxy.invalid", "interception")]
)
def test_a_proxy_that_is_not_there(
    tmp_path: Path, confdir: Path, place: str, owner: str, tls: bool
) -> None:
    async def story() -> None:
        upstream = f"http://{place}:{free_port()}"
        proxied = await judged(tmp_path, confdir, upstream, tls=tls)
        assert faults(proxied.report) == [(AT_THE_PROXY, owner, "certain")]
        (finding,) = proxied.report["findings"]
        assert upstream.removeprefix("http://") in finding["title"]
        public = (tmp_path / "public.mitm").read_bytes()
        assert is_address(place) or place.encode() not in public

    run(story())


@pytest.mark.parametrize(
    ("said", "slug", "owner"),
    [
        (b"", AT_THE_PROXY, "network"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", AT_THE_PROXY, "interception"),
        (answer("403 Forbidden"), "proxy-refuses-connect", "network"),
        (answer("407 Authentication Required", LOGIN), "proxy-refuses-connect", "network"),
    ],
    ids=["hangs up", "no HTTP", "403", "407"],
)
def test_a_proxy_that_lets_nobody_through(
    tmp_path: Path, confdir: Path, said: bytes, slug: str, owner: str
) -> None:
    async def story() -> None:
        async with server(says(said)) as port:
            proxied = await judged(tmp_path, confdir, f"http://127.0.0.1:{port}")
        assert faults(proxied.report) == [(slug, owner, "certain")]

    run(story())


@pytest.mark.parametrize("speaks_tls", [True, False])
def test_a_proxy_that_is_asked_by_tls(
    tmp_path: Path, confdir: Path, authority: Authority, speaks_tls: bool
) -> None:
    """And has a certificate that mitmproxy does not trust, or speaks none."""

    async def story() -> None:
        async with server(says(PING), authority.server() if speaks_tls else None) as port:
            proxied = await judged(tmp_path, confdir, f"https://127.0.0.1:{port}")
        assert faults(proxied.report) == [(AT_THE_PROXY, "interception", "certain")]

    run(story())


def test_a_registry_behind_it_that_is_not_trusted(
    tmp_path: Path, confdir: Path, authority: Authority
) -> None:
    async def story() -> None:
        async with (
            server(says(PING), authority.server()) as behind,
            server(leads_to(behind)) as port,
        ):
            proxied = await judged(tmp_path, confdir, f"http://127.0.0.1:{port}")
        ((slug, owner, _),) = faults(proxied.report)
        assert (slug, owner) == ("upstream-certificate-rejected-by-mitm", "interception")

    run(story())


def test_a_registry_behind_it_that_hangs_up(tmp_path: Path, confdir: Path) -> None:
    """mitmproxy's words are those of a proxy that does."""

    async def story() -> None:
        async with server(hangs_up) as behind, server(leads_to(behind)) as port:
            proxied = await judged(tmp_path, confdir, f"http://127.0.0.1:{port}")
        assert proxied.leg("ping")["error"] == "connection closed"
        assert [slug for slug, _, _ in faults(proxied.report)] == ["unrecognised-failure"]

    run(story())


def test_all_goes_well(tmp_path: Path, confdir: Path) -> None:
    async def story() -> None:
        async with server(says(PING)) as port:
            proxied = await judged(tmp_path, confdir, f"http://127.0.0.1:{port}", tls=False)
        assert faults(proxied.report) == []
        assert proxied.leg("ping")["status"] == 200
        (flow,) = proxied.flows()
        there = exchange_of(flow).connection
        assert (there.through, there.through_answered) == (("127.0.0.1", port), True)
        assert there.server_host is None

    run(story())
