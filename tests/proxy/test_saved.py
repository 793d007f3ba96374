"""A file is read without mitmproxy's reader, and gives the same exchanges as its flows do."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.io import FlowReader, FlowWriter, tnetstring
from mitmproxy.test import tflow

from regtrace.proxy.flows import exchange_of
from regtrace.proxy.saved import saved_flows

CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.mitm"))


def written(*flows: object) -> bytes:
    stream = io.BytesIO()
    for flow in flows:
        FlowWriter(stream).add(flow)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_same_exchanges(path: Path) -> None:
    with path.open("rb") as stream:
        flows = [flow for flow in FlowReader(stream).stream() if isinstance(flow, http.HTTPFlow)]
    with path.open("rb") as stream:
        saved = [flow for flow in saved_flows(stream) if flow is not None]
    assert [exchange_of(flow) for flow in saved] == [exchange_of(flow) for flow in flows]


def test_every_shape_of_flow() -> None:
    flows = [
        tflow.tflow(resp=True),
        tflow.tflow(err=True),
        tflow.tflow(),
        tflow.tflow(ws=True),
    ]
    flows[0].request.headers = http.Headers([(b"X-\xff", b"\xfe"), (b"x-\xff", b"2")])
    flows[0].request.method = b"g\xe9t"
    flows[0].response.reason = "Ünerhört"
    flows[0].response.raw_content = None
    flows[1].server_conn.peername = None
    saved = list(saved_flows(io.BytesIO(written(*flows))))
    assert [exchange_of(flow) for flow in saved if flow] == [exchange_of(flow) for flow in flows]


def test_what_is_not_http_is_passed_over() -> None:
    content = written(tflow.ttcpflow(), tflow.tflow(), tflow.tdnsflow())
    assert [flow is not None for flow in saved_flows(io.BytesIO(content))] == [False, True, False]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("request", "port"), b"443"),
        (("request", "timestamp_start"), b"now"),
        (("request", "headers"), [[b"Host"]]),
        (("request", "headers"), [[b"Host", 7]]),
        (("request", "content"), "text"),
        (("response", "status_code"), None),
        (("metadata",), []),
        (("client_conn", "peername"), [7, 7]),
        (("id",), 7),
    ],
)
def test_a_value_of_another_type_is_damage(place: tuple[str, ...], value: object) -> None:
    state = tflow.tflow(resp=True).get_state()
    inner = state
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    with pytest.raises(ValueError, match=r"^$"):
        list(saved_flows(io.BytesIO(tnetstring.dumps(state))))


@pytest.mark.parametrize(
    "content",
    [b"x", b"5", b"5:", b"5:abc", b"3:abc,", b"-1:,", b"9999999999999:", b"4:-1:,]", b"6:2:12,]]"],
)
def test_what_is_no_flow_is_damage(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        list(saved_flows(io.BytesIO(content)))


def test_nothing_but_damage_comes_of_flipped_bytes() -> None:
    whole = written(tflow.tflow(resp=True))
    dice = random.Random(5)
    for _ in range(2_000):
        broken = bytearray(whole)
        broken[dice.randrange(len(whole))] = dice.randrange(256)
        try:
            for flow in saved_flows(io.BytesIO(bytes(broken))):
                if flow is not None:
                    exchange_of(flow)
        except ValueError:
            pass
