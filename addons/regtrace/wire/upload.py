"""Upload sessions: how far they are, and which session a message belongs to.

Only what one message says. Whether two offsets agree is asked where the legs come together.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from functools import lru_cache

from regtrace.wire.dates import read_iso
from regtrace.wire.exchange import Headers
from regtrace.wire.jsontext import parse_json
from regtrace.wire.url import Url

#: A ``_state`` holds a name (255 at most), a UUID, a number and a date: some 500 characters.
_LONGEST_STATE = 4096

#: distribution writes an HMAC-SHA256 in front of the JSON (registry/handlers/hmac.go).
_MAC_SIZE = 32

#: Session ids are UUIDs or opaque tokens; the longest seen (Artifact Registry) have some 200.
_LONGEST_SESSION = 512

#: Far beyond any blob, and what a signed 64-bit size can hold (Go's int64).
_LARGEST_OFFSET = 2**63 - 1

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")

#: ``0-0``, ``0-1023``, Quay's ``bytes=0-1023`` and ``bytes=0--1``, RFC 9110 ``bytes 0-9/10``.
_RANGE = re.compile(r"(?:bytes[= ])?[ ]?([0-9]{1,19})-(-1|[0-9]{1,19})(?:/(?:[0-9]{1,19}|\*))?")
_LONGEST_RANGE = 80


@dataclass(frozen=True, slots=True)
class UploadState:
    """What distribution tells itself in the ``_state`` of an upload's Location.

    ``name`` is the repository, ``uuid`` the session, ``offset`` the bytes stored so far,
    ``started_at`` when the session began (epoch seconds UTC, by the registry's clock).
    """

    name: str
    uuid: str
    offset: int
    started_at: float | None = None


@dataclass(frozen=True, slots=True)
class ByteRange:
    """First and last byte, both inclusive. ``last`` is ``first - 1`` when there are none yet.

    The ``0-0`` in the answer to an upload's POST means "nothing yet" in every registry, although
    its words say one byte (distribution-spec end-4a, distribution blobupload.go).
    """

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many bytes the range spans."""
        return self.last - self.first + 1


@lru_cache(maxsize=256)  # a Location comes back as the next request
def read_state(value: str | None) -> UploadState | None:
    """The ``_state`` of distribution (registry/handlers/hmac.go), readable without its secret.

    Base64url of 32 bytes HMAC and a JSON object. The HMAC is neither checked nor kept. None for
    a value that was cut or altered on its way, and for other registries' values.
    """
    if not value or len(value) > _LONGEST_STATE or not _BASE64URL.fullmatch(value):
        return None
    bare = value.rstrip("=")
    try:
        packed = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError:
        return None
    state = parse_json(packed[_MAC_SIZE:], _LONGEST_STATE)
    if not isinstance(state, dict):
        return None
    name, uuid, offset = state.get("Name"), state.get("UUID"), state.get("Offset")
    started = state.get("StartedAt")
    if not isinstance(name, str) or not isinstance(uuid, str):
        return None
    if type(offset) is not int or not 0 <= offset <= _LARGEST_OFFSET:
        return None
    return UploadState(name, uuid, offset, read_iso(started if isinstance(started, str) else None))


def read_range(value: str | None) -> ByteRange | None:
    """``Range`` of an upload's answers, ``Content-Range`` of a chunk or of a 206, in any dialect.

    The specification has ``0-1023`` without a unit, Quay ``bytes=0-1023`` and ``bytes=0--1`` for
    an empty session (quay endpoints/v2/blob.py), a 206 ``bytes 0-1023/4096`` (RFC 9110 14.4).
    None for anything else: docker gives up there with ``bad range format``.
    """
    if not value or len(value) > _LONGEST_RANGE:
        return None
    match = _RANGE.fullmatch(value.strip())
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    return ByteRange(first, last) if last >= first - 1 else None


def is_dockers_range(value: str | None) -> bool:
    """Whether docker's engine can go on from this ``Range`` of a chunk's answer: ``0-1023``, and
    nothing before it. Without one it gives the layer up (its client's blob_writer.go ReadFrom)."""
    span = read_range(value)
    return span is not None and (value or "").strip()[:1].isdigit()


def session_id(url: Url, headers: Headers) -> str | None:
    """The id of the upload session: ``Docker-Upload-UUID``, else the last part of the path.

    ``url`` is a session's URL (the request's own, or the Location that opened it); a path counts
    when it reads ``…/uploads/<id>``, as Artifact Registry's own upload paths do too. The id holds
    across Locations whose host or ``_state`` changed.
    """
    named = (headers.get("Docker-Upload-UUID") or "").strip()
    if not named:
        parent, _, named = url.path.rstrip("/").rpartition("/")
        if not parent.endswith("/uploads"):
            return None
    return named if 0 < len(named) <= _LONGEST_SESSION else None
