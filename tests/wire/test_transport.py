"""The proxy's words for a broken transport, as mitmproxy 11.0.2 and 12.2.3 write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation
from regtrace.wire.transport import (
    CertificateFault,
    Failure,
    addresses_in,
    in_words,
    read_certificate_fault,
    read_failure,
    upstream_status,
)

UNSENT = (
    "HTTP/1 protocol error: peer closed connection without sending complete message body"
    " (received 200000 bytes, expected 1000000)"
)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("[Errno 111] Connect call failed ('192.0.2.1', 5000)", Failure.REFUSED),
        ("[Errno 110] Connect call failed ('192.0.2.1', 5000)", Failure.TIMEOUT),
        ("[Errno 113] Connect call failed ('192.0.2.1', 5000)", Failure.UNREACHABLE),
        ("[Errno 60] Connect call failed ('192.0.2.1', 5000)", Failure.TIMEOUT),
        (
            (
                "Multiple exceptions: [Errno 101] Connect call failed ('2001:db8::1', 443, 0, 0),"
                " [Errno 111] Connect call failed ('192.0.2.1', 443)"
            ),
            Failure.REFUSED,
        ),
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
        ("Request body exceeds mitmproxy's body_size_limit.", Failure.SIZE_LIMIT),
        ("server closed connection", Failure.CUT),
        ("stream reset by client (CANCEL)", Failure.CUT),
        ("stream reset by client (INTERNAL_ERROR)", Failure.HTTP2),
        ("HTTP/2 connection closed: <ConnectionTerminated error_code:2>", Failure.HTTP2),
        ("OpenSSL Error([('SSL routines', '', 'wrong version number')])", Failure.NOT_TLS),
        (
            "OpenSSL Error([('SSL routines', '', 'tlsv13 alert certificate required')])",
            Failure.CLIENT_CERTIFICATE,
        ),
        ("ssl/tls alert bad certificate", Failure.CLIENT_CERTIFICATE),
        (
            "OpenSSL Error([('SSL routines', '', 'ssl/tls alert handshake failure')])",
            Failure.TLS_ALERT,
        ),
        (
            (
                "The remote server and mitmproxy cannot agree on a TLS version to use. You may need"
                " to adjust mitmproxy's tls_version_server_min option."
            ),
            Failure.TLS_VERSION,
        ),
        (UNSENT, Failure.UNSENT),
        ("Connection killed.", Failure.OTHER),
    ],
)
def test_each_text_has_its_kind(text: str, failure: Failure) -> None:
    assert read_failure(text) is failure


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Certificate verify failed: certificate has expired", CertificateFault.EXPIRED),
        ("Certificate verify failed: self-signed certificate", CertificateFault.UNKNOWN_ISSUER),
        ("Certificate verify failed: hostname mismatch", CertificateFault.WRONG_NAME),
        ("Certificate verify failed: CA md too weak", CertificateFault.OTHER),
        ("The remote server does not speak TLS.", None),
    ],
)
def test_what_was_wrong_with_a_certificate(text: str, fault: CertificateFault | None) -> None:
    assert read_certificate_fault(text) is fault


def test_the_addresses_that_were_tried() -> None:
    text = (
        "Multiple exceptions: [Errno 111] Connect call failed ('2001:db8::1', 443, 0, 0),"
        " [Errno 111] Connect call failed ('192.0.2.7', 443)"
    )
    assert addresses_in(text) == ("2001:db8::1", "192.0.2.7")
    assert addresses_in("[Errno 101] Network is unreachable") == ()


def test_the_status_of_an_upstream_proxy() -> None:
    refused = (
        "Upstream proxy p:8080 refused HTTP CONNECT request: 407 Proxy Authentication Required"
    )
    assert upstream_status(refused) == 407
    assert upstream_status("refused HTTP CONNECT request: x") is None


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
