"""Which header fields a message had: by name alone, and only names that may decide something.

A closed list: a name from it says nothing that could be secret, and a stranger's thousand fields
of his own make no row longer. What every message has (``Host``, ``Date``, ``Accept-Encoding``,
``Connection``) or what decides nothing (``Strict-Transport-Security``) is not in it.
"""

from __future__ import annotations

from functools import lru_cache

from regtrace.wire.exchange import Headers

DECIDING = frozenset(
    """Authorization Content-Length Content-Range Content-Type Docker-Content-Digest
    Docker-Upload-UUID Location OCI-Subject Range Transfer-Encoding WWW-Authenticate""".split()
)
"""Without them a client or a registry goes another way (distribution-spec, docker, RFC 9110)."""

_TELLING = frozenset(
    """Accept Accept-Ranges Age Allow CF-Mitigated CF-Ray Content-Encoding Cookie
    Docker-Distribution-Api-Version ETag Expect Forwarded If-Match If-None-Match Link
    OCI-Chunk-Max-Length OCI-Chunk-Min-Length OCI-Filters-Applied Proxy-Authenticate
    Proxy-Authorization RateLimit-Limit RateLimit-Remaining Retry-After Server Set-Cookie Via
    X-Amz-Bucket-Region X-Amz-Content-SHA256 X-Amz-Date X-Amz-Request-Id X-Cache X-Forwarded-For
    X-Forwarded-Host X-Forwarded-Proto X-MS-Blob-Type X-MS-Error-Code X-MS-Request-Id
    X-Minio-Error-Code X-Registry-Auth X-Squid-Error""".split()
)
"""They tell who answered, or who stood between."""

_NAMES = tuple(sorted(DECIDING | _TELLING))
_BITS = {name.lower(): 1 << place for place, name in enumerate(_NAMES)}


def header_mask(headers: Headers) -> int:
    """Those of the list that are there, a bit for each: a long capture has very many rows."""
    return _mask(tuple([name for name, _ in headers]))


@lru_cache(maxsize=256)  # a program sends the same fields with every message
def _mask(names: tuple[str, ...]) -> int:
    mask = 0
    for name in names:
        mask |= _BITS.get(name.lower(), 0)
    return mask


@lru_cache(maxsize=256)
def header_names(mask: int) -> tuple[str, ...]:
    """The names that these bits stand for, sorted."""
    return tuple(name for place, name in enumerate(_NAMES) if mask >> place & 1)
