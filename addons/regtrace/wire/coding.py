"""Packings taken off for reading only: Content-Encoding, and base64.

Digests are always of the bytes as they passed.
"""

from __future__ import annotations

import base64
import zlib

from regtrace.wire.exchange import Headers

#: A small body may unpack to gigabytes; nothing that is read here is larger.
MOST_DECODED = 8 * 1024 * 1024


def decoded(headers: Headers, body: bytes, most: int = MOST_DECODED) -> bytes:
    """The body without gzip or deflate, cut at ``most`` bytes; as it is when it can't be undone.

    Go's HTTP client asks for gzip by itself (net/http transport.go), so token replies and manifests
    may come packed.
    """
    windows = _WINDOWS.get(_coding(headers))
    if windows is None:
        return body
    try:
        return zlib.decompressobj(windows).decompress(body, most)
    except zlib.error:
        return body


def is_readable(headers: Headers) -> bool:
    """Whether the body is not packed, or in a way that can be undone."""
    return _coding(headers) in {"", "identity", *_WINDOWS}


def _coding(headers: Headers) -> str:
    return (headers.get("Content-Encoding") or "").strip().lower()


_WINDOWS = {
    "gzip": zlib.MAX_WBITS | 16,
    "x-gzip": zlib.MAX_WBITS | 16,
    "deflate": zlib.MAX_WBITS,
}


def from_base64(text: str) -> bytes:
    """Base64, URL-safe or not, padded or not; empty when it is neither."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return b""
