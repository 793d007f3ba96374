"""The handshake: a proxy that signs with an authority, as mitmproxy does, and a client's trust."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from mitmproxy.certs import CertStore

from regtrace.setup import authority
from regtrace.setup.authority import Authority
from regtrace.setup.handshake import shake
from regtrace.setup.refused import Refused

_REGISTRY = "registry.test:5050"


@pytest.fixture
def made(tmp_path: Path) -> Authority:
    return authority.create(tmp_path / "ca", ["registry.test"])


@contextmanager
def proxy(confdir: Path, name: str = "registry.test", *, answer: int = 200) -> Iterator[str]:
    """A proxy that answers one CONNECT and shows a certificate for this name; its URL."""
    entry = CertStore.from_store(confdir, "mitmproxy", 2048).get_cert(name, [x509.DNSName(name)])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (confdir / "leaf.pem").write_bytes(entry.cert.to_pem())
    context.load_cert_chain(confdir / "leaf.pem", confdir / "mitmproxy-ca.pem")
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            assert connection.recv(4096).startswith(f"CONNECT {_REGISTRY} ".encode())
            connection.sendall(f"HTTP/1.1 {answer} Said\r\n\r\n".encode())
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        thread.join()
        listening.close()


def test_a_client_that_trusts_the_authority_accepts_it(made: Authority) -> None:
    with proxy(made.folder) as url:
        shaken = shake(_REGISTRY, url, made, [made.certificate])

    assert shaken.trusted, shaken.said


def test_one_that_does_not_refuses_it(made: Authority) -> None:
    with proxy(made.folder) as url:
        shaken = shake(_REGISTRY, url, made, [])

    assert not shaken.trusted
    assert shaken.said.startswith("the client refuses it: ")


def test_a_certificate_of_another_authority_proves_nothing(made: Authority, tmp_path: Path) -> None:
    other = authority.create(tmp_path / "other")
    with proxy(other.folder) as url:
        shaken = shake(_REGISTRY, url, made, [other.certificate])

    assert not shaken.trusted
    assert "another authority (CN=regtrace CA until" in shaken.said


def test_a_proxy_that_refuses_the_tunnel_is_told(made: Authority) -> None:
    with proxy(made.folder, answer=502) as url:
        shaken = shake(_REGISTRY, url, made, [made.certificate])

    assert not shaken.trusted
    assert "502" in shaken.said


def test_a_proxy_that_is_not_there_is_told(made: Authority) -> None:
    shaken = shake(_REGISTRY, "http://127.0.0.1:1", made, [made.certificate])

    assert shaken.said == (f"no handshake with {_REGISTRY} through 127.0.0.1:1: Connection refused")


def test_what_is_no_proxy_is_refused(made: Authority) -> None:
    with pytest.raises(Refused, match="is no address of a proxy"):
        shake(_REGISTRY, "127.0.0.1:8080", made, [])
