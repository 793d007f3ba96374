"""A redacted capture is a file of mitmproxy's, and nothing is in it that no handler passed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.flow import Flow
from mitmproxy.http import Headers, HTTPFlow
from mitmproxy.io import FlowReader, FlowWriter, tnetstring
from mitmproxy.test import tflow

from regtrace.proxy.capture import Reader, flow_states
from regtrace.proxy.redacted import FlowCopier, _packed, records
from regtrace.redact.copying import Copier
from regtrace.redact.redactor import Level, Redactor
from regtrace.wire.exchange import Exchange

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.mitm"))
SECRET = "qX7zK2mW9rT4vB8nL3pS"


def exchanges_in(raw: bytes) -> list[Exchange]:
    return list(Reader("x", io.BytesIO(raw)))


def redacted(raw: bytes) -> tuple[bytes, Copier]:
    redactor = Redactor(Level.VENDOR)
    for exchange in exchanges_in(raw):
        redactor.learn(exchange)
    copier = Copier(redactor)
    states = flow_states(io.BytesIO(raw), is_har=False)
    return b"".join(records(states, FlowCopier(copier), lambda _: True)), copier


def saved(*flows: Flow) -> bytes:
    stream = io.BytesIO()
    for flow in flows:
        FlowWriter(stream).add(flow)
    return stream.getvalue()


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_it_reads_as_the_redacted_exchanges(capture: Path) -> None:
    raw = capture.read_bytes()
    copy, copier = redacted(raw)
    assert exchanges_in(copy) == [copier.exchange(exchange) for exchange in exchanges_in(raw)]
    assert redacted(copy)[0] == copy
    flows = list(FlowReader(io.BytesIO(copy)).stream())
    assert len(flows) == len(exchanges_in(raw))


def full_of_secrets() -> HTTPFlow:
    """In every field that a flow has besides its messages."""
    flow = tflow.tflow(resp=True, err=True)
    assert flow.response
    flow.comment = flow.marked = SECRET
    flow.metadata = {"proxyauth": ("bob", SECRET), "regtrace": {"x": SECRET, "tunnel": SECRET}}
    flow.request.trailers = Headers([(b"x", SECRET.encode())])
    flow.response.trailers = Headers([(b"x", SECRET.encode())])
    flow.request.authority = f"{SECRET}@h.test"
    flow.client_conn.sni = flow.server_conn.sni = f"{SECRET}.test"
    flow.client_conn.cipher = SECRET
    flow.client_conn.error = flow.server_conn.error = SECRET
    flow.client_conn.alpn = SECRET.encode()
    flow.client_conn.alpn_offers = [SECRET.encode()]
    flow.id = flow.client_conn.id = SECRET
    return flow


def test_no_field_of_a_flow_lets_a_secret_through() -> None:
    raw = saved(full_of_secrets())
    assert SECRET.encode() in raw
    copy, _ = redacted(raw)
    assert SECRET.encode() not in copy
    assert len(list(FlowReader(io.BytesIO(copy)).stream())) == 1


def test_other_protocols_stay_behind() -> None:
    copy, _ = redacted(saved(tflow.ttcpflow(), tflow.tflow(), tflow.tdnsflow(), tflow.tudpflow()))
    (flow,) = FlowReader(io.BytesIO(copy)).stream()
    assert isinstance(flow, HTTPFlow)


def test_bytes_of_a_layer_stay_behind() -> None:
    flow = tflow.tflow(resp=True)
    assert flow.response
    flow.request.path = "/v2/team/app/blobs/sha256:" + "a" * 64
    flow.response.headers["content-type"] = "application/octet-stream"
    flow.response.raw_content = b"layer bytes"
    copy, _ = redacted(saved(flow))
    assert b"layer bytes" not in copy
    (exchange,) = exchanges_in(copy)
    assert exchange.response
    assert exchange.response.body.size == len(b"layer bytes")
    assert exchange.response.body.kept is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -7,
        1.5,
        1e-9,
        "",
        "äb",
        b"",
        b"\0x",
        [],
        [[1], b"a"],
        {},
        {"a": {"b": 1}},
    ],
)
def test_values_are_packed_as_mitmproxy_does(value: Any) -> None:
    assert _packed(value) == tnetstring.dumps(value)
