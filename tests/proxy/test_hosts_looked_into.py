"""The option registry_hosts in real TLS: what the registry does not name passes sealed."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from proxying import answer, client, connect, free_port, proxy, request_head, run, server

from site_authority import Authority

OURS, THEIRS = "CN=mitmproxy,O=mitmproxy", "CN=Test CA"


def _signer(port: int, target: str, request: bytes = b"") -> str:
    """Who signed the certificate that the client sees; then it sends the request."""
    sock, head = connect(port, target)
    assert b" 200 " in head.splitlines()[0]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with sock, context.wrap_socket(sock, server_hostname=target.partition(":")[0]) as tls:
        shown = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
        if request:
            tls.sendall(request)
            with suppress(OSError):
                while tls.recv(65536):
                    pass
        return ",".join(
            f"{name}={attribute.value}"
            for name, oid in (
                ("CN", x509.NameOID.COMMON_NAME),
                ("O", x509.NameOID.ORGANIZATION_NAME),
            )
            for attribute in shown.issuer.get_attributes_for_oid(oid)
        )


def test_other_hosts_pass_untouched_until_the_registry_names_them(
    tmp_path: Path, confdir: Path, authority: Authority
) -> None:
    other = 0

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request_head(reader)
        realm = f'Bearer realm="https://localhost:{other}/token",service="r"'
        writer.write(answer("401 Unauthorized", f"WWW-Authenticate: {realm}"))
        await writer.drain()

    async def story() -> None:
        nonlocal other
        tls = authority.server()
        async with server(answers, tls) as port, server(answers, tls) as other:
            registry = f"127.0.0.1:{port}"
            allowed = (f"registry_hosts={registry}",)
            async with proxy(tmp_path, confdir, settings=allowed, ssl_insecure=True) as proxied:
                ask = f"GET /v2/ HTTP/1.1\r\nHost: {registry}\r\n\r\n".encode()
                assert await client(_signer, proxied.port, f"localhost:{other}", ask) == THEIRS
                sock, head = await client(connect, proxied.port, f"localhost:{free_port()}")
                sock.close()
                assert b" 502 " in head.splitlines()[0]
                assert await client(_signer, proxied.port, registry, ask) == OURS
                assert await client(_signer, proxied.port, f"localhost:{other}") == OURS
        assert [flow.request.port for flow in proxied.flows()] == [port]
        assert [leg["kind"] for leg in proxied.report["legs"]] == ["ping"]

    run(story())
