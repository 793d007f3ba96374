"""What came instead of what was asked for: other bytes, fewer bytes, packed bytes, old answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regtrace.diagnose.facts.answers import received, sent
from regtrace.diagnose.facts.blobs import sizes
from regtrace.wire.integrity import asks_for
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.transport import Failure, read_failure

if TYPE_CHECKING:
    from regtrace.diagnose.facts import Facts

_READS = frozenset({Kind.BLOB_GET, Kind.MANIFEST_GET, Kind.STORAGE})

#: How a download ends too early that nobody reset on purpose.
_CUT = frozenset({Failure.CUT, Failure.UNSENT, Failure.TIMEOUT})


def spoilt(facts: Facts) -> tuple[Leg, ...]:
    """Answers with other bytes than were asked for by digest, that the operation ended by."""
    return tuple(fatal.leg for fatal in facts.fatal if fatal.leg.intact is False)


def coding(leg: Leg) -> str | None:
    """The Content-Encoding of an answer; None where there is none."""
    named = (received(leg).get("Content-Encoding") or "").strip().lower()
    return None if named in {"", "identity"} else named


def coding_was_asked_for(leg: Leg) -> bool:
    named = coding(leg)
    return named is not None and asks_for(named, sent(leg).get("Accept-Encoding") or "")


def came(leg: Leg) -> int | None:
    """Bytes of the answer's body that passed here; None where that is not known."""
    return leg.exchange.response.body.size if leg.exchange.response else None


def announced(facts: Facts, leg: Leg) -> int | None:
    """Bytes of what was asked for, as a manifest that passed says; None where none does."""
    return sizes(facts.legs).get(leg.digest or "")


def expected(facts: Facts, leg: Leg) -> int | None:
    """Bytes that the answer should have: by a manifest, else by its own Content-Length."""
    whole = announced(facts, leg)
    if leg.status == 200 and whole is not None:
        return whole
    length = received(leg).get("Content-Length") or ""
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None


def is_cut_off(leg: Leg) -> bool:
    """A download that was answered well and ended in the middle, not by the client."""
    begun = leg.status in {200, 206} and leg.kind in _READS and leg.method == "GET"
    error = leg.exchange.error
    if not begun or error is None or leg.left_by_client:
        return False
    # The same words for both sides; clients reset the streams of downloads that they drop.
    return read_failure(error) in _CUT and "stream reset" not in error.lower()


def is_cut_short(facts: Facts, leg: Leg) -> bool:
    """Ended as it should, with fewer bytes than the manifest says, and not what was asked for."""
    size, whole = came(leg), expected(facts, leg)
    short = size is not None and whole is not None and size < whole
    return leg.intact is False and coding(leg) is None and short and not is_page(leg)


def is_page(leg: Leg) -> bool:
    """Called a web page by its Content-Type."""
    return "html" in (received(leg).get("Content-Type") or "").lower()


#: Caches name their hits: Squid, Varnish, CloudFront, Fastly (``X-Cache``), Cloudflare, nginx.
_HIT_HEADERS = ("X-Cache", "CF-Cache-Status", "X-Cache-Status", "X-Proxy-Cache")


def from_cache(leg: Leg) -> str | None:
    """The header by which an answer tells that a cache gave it; None where none does."""
    age = (received(leg).get("Age") or "").strip()
    if age.isascii() and age.isdigit() and int(age[:9]) > 0:
        return "Age"
    return next((name for name in _HIT_HEADERS if _is_hit(received(leg).get(name))), None)


def _is_hit(value: str | None) -> bool:
    words = (value or "").lower().replace("_", " ").replace(",", " ").split()
    return any(word in {"hit", "refreshhit"} for word in words)
