"""The proxy's words for a broken transport, as mitmproxy 11.0.2 and 12.2.3 write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation
from regtrace.wire.transport import Failure, in_words, read_failure

UNSENT = (
    "HTTP/1 protocol error: peer closed connection without sending complete message body"
    " (received 200000 bytes, expected 1000000)"
)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("[Errno 111] Connect call failed ('192.0.2.1', 5000)", Failure.REFUSED),
        ("[Errno -2] Name or service not known", Failure.DNS),
        ("[Errno 101] Network is unreachable", Failure.UNREACHABLE),
        ("[Errno 110] Connection timed out", Failure.TIMEOUT),
        ("Certificate verify failed: self-signed certificate", Failure.CERTIFICATE),
        ("The remote server does not speak TLS.", Failure.NOT_TLS),
        (
            "The client does not trust the proxy's certificate for a:443 (tlsv1 alert unknown ca)",
            Failure.CLIENT_TRUST,
        ),
        (
            "Upstream proxy p:8080 refused HTTP CONNECT request: 407 Proxy Authentication Required",
            Failure.UPSTREAM_PROXY,
        ),
        ("Client disconnected.", Failure.LEFT),
        ("server closed connection", Failure.CUT),
        ("stream reset by client (INTERNAL_ERROR)", Failure.CUT),
        (UNSENT, Failure.UNSENT),
        ("Connection killed.", Failure.OTHER),
    ],
)
def test_each_text_has_its_kind(text: str, failure: Failure) -> None:
    assert read_failure(text) is failure


def test_each_kind_has_words() -> None:
    assert all(in_words(failure) for failure in Failure)


@given(st.text(max_size=300))
def test_any_text_has_a_kind(text: str) -> None:
    assert isinstance(read_failure(text), Failure)


@pytest.mark.parametrize(
    ("leg", "left"),
    [
        (f"PATCH /v2/a/blobs/uploads/1 sent=200kB -> ! {UNSENT}", True),
        ("GET /v2/a/manifests/1 -> ! Client disconnected.", True),
        # The same words, but of an answer that the server did not finish.
        (f"GET /v2/a/manifests/1 -> 200 ! {UNSENT}", False),
        ("PATCH /v2/a/blobs/uploads/1 -> ! server closed connection", False),
        # mitmproxy says "by client" of the server's resets too.
        ("PATCH /v2/a/blobs/uploads/1 -> ! stream reset by client (CANCEL)", False),
        ("GET /v2/a/manifests/1 -> 200", False),
    ],
)
def test_who_left(leg: str, left: bool) -> None:
    (exchange,) = read_notation(f"client docker/20.10.24\n{leg}")
    assert decode(exchange).left_by_client is left
