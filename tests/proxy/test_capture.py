"""Captures of others: of mitmproxy without regtrace, of an older mitmproxy, of browsers."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader, tnetstring
from proxying import replayed_by_mitmproxy

from regtrace.proxy.capture import PLAIN_LACKS, Reader
from regtrace.report.model import NotSeen
from regtrace.wire.exchange import Exchange

CAPTURES = Path(__file__).parents[2] / "captures"


def read(content: bytes) -> list[Exchange]:
    reader = Reader("push.mitm", io.BytesIO(content))
    exchanges = list(reader)
    assert reader.damage is None
    return exchanges


def lacks(content: bytes) -> list[NotSeen]:
    reader = Reader("push.mitm", io.BytesIO(content))
    assert list(reader)
    return reader.lacks()


@pytest.mark.parametrize("version", [8, 11])
def test_what_mitmproxy_alone_recorded_says_what_it_lacks(
    tmp_path: Path, confdir: Path, version: int
) -> None:
    raw = (CAPTURES / "docker-push-ok.mitm").read_bytes()
    states = [flow.get_state() for flow in FlowReader(io.BytesIO(raw)).stream()]
    if version == 8:
        states = [as_mitmproxy_8_wrote_it(state) for state in states]
    plain = b"".join(tnetstring.dumps({**state, "metadata": {}}) for state in states)
    assert lacks(raw) == []
    assert lacks(plain) == [PLAIN_LACKS]
    capture = tmp_path / "plain.mitm"
    capture.write_bytes(plain)
    told = asyncio.run(replayed_by_mitmproxy(capture, confdir, tmp_path / "again.json"))
    assert [row["what"] for row in told["not_seen"]] == [PLAIN_LACKS.what]
    assert told["verdict"]["outcome"] == "ok"


def as_mitmproxy_8_wrote_it(state: dict[str, Any]) -> dict[str, Any]:
    """The steps of mitmproxy/io/compat.py from format 15 to 21, backwards."""
    client, server = state["client_conn"], state["server_conn"]
    for connection in (client, server):
        connection["cipher_name"] = connection.pop("cipher")
        connection["tls_established"] = connection["timestamp_tls_setup"] is not None
        connection["state"] = 0
        del connection["transport_protocol"]
    client["address"] = client.pop("peername")
    client["tls_extensions"] = []
    del client["proxy_mode"]
    server["ip_address"], server["source_address"] = server.pop("peername"), server.pop("sockname")
    server["via2"], server["via"] = server["via"], None
    del state["timestamp_created"]
    return {**state, "version": 15, "mode": "regular"}


@pytest.mark.parametrize("name", ["docker-push-s3-403", "docker-push-untrusted-ca"])
def test_an_older_mitmproxy(name: str) -> None:
    capture = CAPTURES / f"{name}.mitm"
    with capture.open("rb") as stream:
        flows = [flow for flow in FlowReader(stream).stream() if isinstance(flow, http.HTTPFlow)]
    older = b"".join(tnetstring.dumps(as_mitmproxy_8_wrote_it(flow.get_state())) for flow in flows)
    assert b"7:version;2:15#" in older
    exchanges = read(older)
    assert exchanges
    assert exchanges == read(capture.read_bytes())
