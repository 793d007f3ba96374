"""What stands in an OpenSSL connection's place, to show a client that a server speaks no TLS."""

from __future__ import annotations

from OpenSSL import SSL

#: As Go's net/http server.go answers what is no HTTP; clients look at the first five bytes.
_ANSWER = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class PlainAnswer:
    """In the place of an OpenSSL connection (mitmproxy proxy/layers/tls.py, TLSLayer): it answers
    whatever comes with plain HTTP, and gets no further."""

    def __init__(self) -> None:
        self._left = _ANSWER

    def bio_write(self, data: bytes) -> int:
        return len(data)

    def bio_read(self, size: int) -> bytes:
        said, self._left = self._left, b""
        if not said:
            raise SSL.WantReadError
        return said

    def do_handshake(self) -> None:
        raise SSL.WantReadError
