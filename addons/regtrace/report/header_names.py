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

_NAMES = {name.lower(): name for name in DECIDING | _TELLING}


def header_names(headers: Headers) -> tuple[str, ...]:
    """Those of the list that are there, each once, sorted."""
    return _listed(tuple([name for name, _ in headers]))


@lru_cache(maxsize=256)  # a program sends the same fields with every message
def _listed(names: tuple[str, ...]) -> tuple[str, ...]:
    found = {_NAMES.get(name.lower()) for name in names}
    return tuple(sorted(name for name in found if name))
