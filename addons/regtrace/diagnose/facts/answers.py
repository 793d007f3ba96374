"""What one answer tells besides its status: whose voice it is, its server's clock, its headers."""

from __future__ import annotations

from regtrace.wire.dates import read_http_date
from regtrace.wire.errors import is_registry_voice
from regtrace.wire.exchange import Headers
from regtrace.wire.leg import Leg

_NOTHING = Headers()


def received(leg: Leg) -> Headers:
    """The headers of the answer; none when there was no answer."""
    return leg.exchange.response.headers if leg.exchange.response else _NOTHING


def sent(leg: Leg) -> Headers:
    """The headers of the request."""
    return leg.exchange.request.headers


def server_time(leg: Leg) -> float | None:
    """The answering server's own clock: its ``Date``, epoch seconds UTC (RFC 9110 6.6.1)."""
    return read_http_date(received(leg).get("Date"))


def is_registrys_own(leg: Leg) -> bool:
    """Whether the registry itself answered: the OCI error envelope, or its version header."""
    return is_registry_voice(received(leg), leg.error)


def is_somebody_elses(leg: Leg) -> bool:
    """Whether something before the registry answered in its place: a page or a line of text,
    without the registry's voice."""
    told = leg.error is not None and leg.error.dialect == "text" and not is_registrys_own(leg)
    return told or is_error_page(leg)


def is_error_page(leg: Leg) -> bool:
    """Whether a refusal is a page in HTML, which no registry writes. Of a body that was not kept
    the header tells, where the registry's version header is not beside it."""
    if leg.error is None:
        return False
    unseen = leg.error.dialect == "unrecorded" and not is_registrys_own(leg)
    declared = (received(leg).get("Content-Type") or "").lower()
    return leg.error.dialect == "html" or (unseen and "html" in declared)


def is_head_of_page(leg: Leg) -> bool:
    """Whether an answer to HEAD announces a page; of a registry that is known by name it is left
    open. text/plain says nothing: Go's net/http gives it to JSON that has no type of its own, as in
    go-containerregistry (pkg/registry/error.go)."""
    announced = "html" in (received(leg).get("Content-Type") or "").lower()
    known = leg.product is not None or is_registrys_own(leg)
    return leg.method == "HEAD" and announced and not known


def codes(leg: Leg) -> frozenset[str]:
    """Every error code of the answer, as written (the OCI dialect is upper-cased)."""
    return frozenset(leg.error.codes) if leg.error else frozenset()


def said(leg: Leg) -> str:
    """All that the refusal says in words, in lower case: messages, text details, plain text."""
    if leg.error is None:
        return ""
    words = [leg.error.message, leg.error.text]
    for item in leg.error.items:
        words.append(item.message)
        if isinstance(item.detail, str):
            words.append(item.detail)
    return "\n".join(filter(None, words)).lower()


def where_it_names_itself(leg: Leg) -> str:
    """The place in an answer by which its product is known: its ``Server``, else its page, or that
    it announces one."""
    if "Server" in received(leg):
        return "response.header.Server"
    return "response.header.Content-Type" if leg.method == "HEAD" else "response.body"
