"""What a request path means in the registry's API: route, repository, reference, session.

Only the path is read here. That it parses does not prove that a registry answers there; whether
the URL was announced as a token realm or an upload Location is found in ``follow``, and it is
asked first, since ``/v2/token`` and a Location may be any URL at all.

Routers match greedily on the repository, whose components may be called ``blobs``, ``manifests``
or ``v2``, so a path is read from the right (distribution registry/api/v2/descriptors.go).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from urllib.parse import unquote

#: Characters of a path that are looked at. A name has 255 at most, a digest 135 and an upload id
#: a few hundred; what is longer is no registry path, and would only cost time.
MAX_PATH = 4096

#: How many ``/v2/`` are tried as the API's root. ``v2`` is a legal name component.
MAX_ROOTS = 8

#: RepositoryNameTotalLengthMax of distribution/reference.
MAX_NAME = 255

#: Longer than any registered algorithm's digest (sha512: 135).
MAX_DIGEST = 256

# distribution-spec spec.md, "Pulling manifests"; image-spec descriptor.md, "Digests".
_NAME_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_NAME_PART}(?:/{_NAME_PART})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_DIGEST = re.compile(r"([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)")
_LOWER_HEX = re.compile(r"[a-f0-9]+")
_HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}

#: distribution-spec extensions/README.md, and zot's own.
_RESERVED = frozenset({"_catalog", "_chainguard", "_docker", "_oci", "_zot"})

_V1_ROUTES = frozenset({"_ping", "search", "repositories", "images"})


class Route(str, Enum):
    """A place in the API. Words of distribution-spec, except where noted."""

    BASE = "base"
    """``/v2/``, which clients call to learn whether and how to log in (end-1)."""
    CATALOG = "catalog"
    EXTENSION = "extension"
    """``_oci/ext/discover`` and other reserved ``_`` words (distribution-spec extensions/), and
    OpenShift's signatures."""
    TAGS = "tags"
    MANIFEST = "manifest"
    REFERRERS = "referrers"
    UPLOADS = "uploads"
    """Where an upload starts: ``blobs/uploads/`` (end-4, end-11)."""
    UPLOAD = "upload"
    """One upload session (end-5, end-6, end-13)."""
    BLOB = "blob"
    V1 = "v1"
    """Docker's first registry protocol, which old clients fall back to."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path, taken apart.

    ``repository``, ``tag`` and ``digest`` are what stood in their place, percent-decoded, even
    when it breaks the grammar: that is what ``name_valid`` and ``reference_valid`` say.
    """

    route: Route
    prefix: str = ""
    """What stands before ``/v2/``, as sent, without the slash: part of the registry's identity."""
    repository: str | None = None
    tag: str | None = None
    digest: str | None = None
    session: str | None = None
    name_valid: bool = True
    """The repository is absent or obeys the name grammar."""
    reference_valid: bool = True
    """The tag or digest is absent or obeys its grammar."""


def is_name(text: str) -> bool:
    """A repository name (distribution-spec), 255 characters at most."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """A tag (distribution-spec)."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """``algorithm:encoded`` (image-spec); of a SHA-2 algorithm the exact count of lower hex."""
    if len(text) > MAX_DIGEST or (match := _DIGEST.fullmatch(text)) is None:
        return False
    algorithm, encoded = match.groups()
    length = _HEX_LENGTH.get(algorithm)
    return length is None or (len(encoded) == length and _LOWER_HEX.fullmatch(encoded) is not None)


@lru_cache(maxsize=256)  # several readers ask for the same path
def parse_endpoint(path: str) -> Endpoint | None:
    """The endpoint of a request path (percent-encoded, without the query), or None.

    A path that begins with ``/v2/`` is read from there. Elsewhere, behind a front that maps
    paths, the first ``/v2/`` wins that leaves something parsable, and then the grammar must be
    obeyed to the letter, because other products have ``/v2/`` in their paths too.
    """
    if len(path) > MAX_PATH or not path.startswith("/"):
        return None
    segments = path[1:].split("/")
    if segments[0] == "v1":
        return Endpoint(Route.V1) if len(segments) > 1 and segments[1] in _V1_ROUTES else None
    if segments[0] == "v2":
        return _read_tail("", _tail(segments, 0))
    if segments[:2] == ["extensions", "v2"]:
        return _read_signatures(_tail(segments, 1))
    roots = [at for at, segment in enumerate(segments[:-1]) if segment == "v2"]
    for at in roots[:MAX_ROOTS]:
        if _is_storage_layout(segments, at):
            return None
        found = _read_tail("/" + "/".join(segments[:at]), _tail(segments, at))
        if found and _is_beyond_doubt(found):
            return found
    return None


def _tail(segments: list[str], root: int) -> list[str]:
    """The decoded segments after the root. One trailing slash says nothing."""
    tail = [unquote(segment) for segment in segments[root + 1 :]]
    return tail[:-1] if tail and not tail[-1] else tail


def _is_storage_layout(segments: list[str], root: int) -> bool:
    """``docker/registry/v2/blobs/...``: distribution's files in a bucket (storage/paths.go)."""
    return segments[max(root - 2, 0) : root] == ["docker", "registry"] and (
        segments[root + 1] in {"blobs", "repositories"}
    )


def _is_beyond_doubt(endpoint: Endpoint) -> bool:
    return (
        endpoint.name_valid and endpoint.reference_valid and (endpoint.route is not Route.EXTENSION)
    )


def _read_tail(prefix: str, tail: list[str]) -> Endpoint | None:
    if not tail:
        return Endpoint(Route.BASE, prefix)
    if tail == ["_catalog"]:
        return Endpoint(Route.CATALOG, prefix)
    route, length = _match(tail)
    # No name component starts with "_", so such a word inside what would be the name begins an
    # extension, or is a mistake of who asks for a known route. Behind the name it may be a tag or a
    # session.
    marks = (
        at
        for at, segment in enumerate(tail[:length])
        if segment in _RESERVED or (route is None and segment.startswith("_"))
    )
    mark = next(marks, len(tail))
    if mark == 0:
        return Endpoint(Route.EXTENSION, prefix)
    if mark < len(tail) - 1:
        return _named(Route.EXTENSION, prefix, tail[:mark])
    return _named(route, prefix, tail[:length], tail[-1]) if route else None


def _match(tail: list[str]) -> tuple[Route | None, int]:
    """The route, and how many leading segments are its repository; read from the right."""
    count = len(tail)
    if count < 3:
        return None, count
    last, before, third = tail[-1], tail[-2], tail[-3]
    if (before, last) == ("tags", "list"):
        return Route.TAGS, count - 2
    if before == "manifests" and last:
        return Route.MANIFEST, count - 2
    if before == "referrers" and ":" in last:
        return Route.REFERRERS, count - 2
    if (before, last) == ("blobs", "uploads"):
        return Route.UPLOADS, count - 2
    if (third, before) == ("blobs", "uploads") and last and count > 3:
        return Route.UPLOAD, count - 3
    if before == "blobs" and ":" in last:
        return Route.BLOB, count - 2
    return None, count


def _named(route: Route, prefix: str, name: list[str], last: str = "") -> Endpoint | None:
    repository = "/".join(name)
    if not repository.strip("/"):
        return None
    valid = is_name(repository)
    if route is Route.UPLOAD:
        return Endpoint(route, prefix, repository, session=last, name_valid=valid)
    if route not in {Route.MANIFEST, Route.BLOB, Route.REFERRERS}:
        return Endpoint(route, prefix, repository, name_valid=valid)
    if ":" in last:  # never part of a tag
        return Endpoint(
            route,
            prefix,
            repository,
            digest=last,
            name_valid=valid,
            reference_valid=is_digest(last),
        )
    return Endpoint(
        route, prefix, repository, tag=last, name_valid=valid, reference_valid=is_tag(last)
    )


def _read_signatures(tail: list[str]) -> Endpoint | None:
    """``/extensions/v2/<name>/signatures/<digest>`` of OpenShift's registry, as containers/image
    calls it (docker_client.go getExtensionsSignatures)."""
    if len(tail) < 3 or tail[-2] != "signatures" or not is_digest(tail[-1]):
        return None
    repository = "/".join(tail[:-2])
    return (
        Endpoint(Route.EXTENSION, "", repository, digest=tail[-1]) if is_name(repository) else None
    )
