"""What is other in a leg than in its like: what it got, was told, was allowed and how long it took.

Of what a leg says (``Leg.decoded``), only that is compared which means the same in every run; times
are compared by what they come to, such as a token's lifetime.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regtrace.report.compare.masks import Masks
from regtrace.report.compare.model import Difference
from regtrace.report.header_names import DECIDING
from regtrace.report.model import Leg
from regtrace.report.visible import duration, rate

SLOWER = 3.0
"""Times as long as in the good run, from which on a leg was slower."""
AT_LEAST = 1.0
"""Seconds longer: below, it is the weather."""
_MEASURABLE = 1_000_000
"""Bytes from which on a leg is judged by its rate."""

_OFF = 60
"""Seconds by which clocks may differ (token servers and storages allow about as many)."""
_LIFETIMES = 0.1
"""Share of a lifetime that is no difference: it is counted from when the answer began."""

_FRAMING = frozenset({"Content-Length", "Transfer-Encoding"})
"""Either will do."""


def differences(
    good: Leg, bad: Leg, masks: tuple[Masks, Masks], *, same_client: bool
) -> list[Difference]:
    """The most telling first. Another client sends other header fields, which says nothing."""
    answered = good.status == bad.status and good.error is None and bad.error is None
    found = [*_answer(good, bad, masks)]
    found += _said(good, bad, masks)
    found += _headers(good, bad, answered=answered, same_client=same_client)
    slow = slower(
        (_seconds(good), max(good.request_bytes or 0, good.response_bytes or 0)),
        (_seconds(bad), max(bad.request_bytes or 0, bad.response_bytes or 0)),
        AT_LEAST,
    )
    return [*found, *([slow] if slow else [])]


# --- what came back


def _answer(good: Leg, bad: Leg, masks: tuple[Masks, Masks]) -> Iterator[Difference]:
    if good.status != bad.status:
        yield Difference("status", "", _status(good), _status(bad), matters=True)
    if good.error != bad.error:
        told = _masked(good.error, masks[0]) != _masked(bad.error, masks[1])
        both = good.error is not None and bad.error is not None
        if told:
            matters = bad.error is not None and not both
            yield Difference("error", "", good.error, bad.error, matters=matters)
    elif good.status == bad.status and _code(good) != _code(bad):
        yield Difference("error", "code", _code(good), _code(bad), matters=True)


def _status(leg: Leg) -> str | None:
    if leg.status is None:
        return None
    code = leg.decoded.get("error")
    code = _text(code, "code") if isinstance(code, Mapping) else None
    return f"{leg.status} {code}" if code else str(leg.status)


def _code(leg: Leg) -> str | None:
    """The code of the error that the answer tells, or who speaks so."""
    error = leg.decoded.get("error")
    if not isinstance(error, Mapping):
        return None
    code = error.get("code") or error.get("dialect")
    return str(code) if code else None


# --- what it said


def _said(good: Leg, bad: Leg, masks: tuple[Masks, Masks]) -> Iterator[Difference]:
    yield from _scopes(good, bad, masks)
    yield from _token(good, bad, masks)
    yield from _challenges(good, bad, masks)
    for field, what in (
        ("credentials", "credentials"),
        ("answered_by", "answerer"),
        ("vendor", "answerer"),
        ("tunnel", "credentials"),
    ):
        one, other = _text(good.decoded, field), _text(bad.decoded, field)
        if one != other:
            yield Difference(what, field, one, other, matters=field != "tunnel")
    yield from _location(good, bad, masks)
    yield from _signature(good, bad)
    one, other = (
        _text(_map(good, "manifest"), "media_type"),
        _text(_map(bad, "manifest"), "media_type"),
    )
    if one and other and one != other:
        yield Difference("manifest", "media type", one, other, matters=True)


def _scopes(good: Leg, bad: Leg, masks: tuple[Masks, Masks]) -> Iterator[Difference]:
    for field in ("asked", "granted"):
        one, other = _texts(good.decoded, field), _texts(bad.decoded, field)
        same = {*map(masks[0].text, one)} == {*map(masks[1].text, other)}
        if not same:
            yield Difference("scope", field, _listed(one), _listed(other), matters=True)


def _token(good: Leg, bad: Leg, masks: tuple[Masks, Masks]) -> Iterator[Difference]:
    one, other = _map(good, "issued_token"), _map(bad, "issued_token")
    if not one and not other:
        return
    if not one or not other:
        none = "no token"
        yield Difference(
            "claims", "", _text(one, "kind") or none, _text(other, "kind") or none, matters=True
        )
        return
    for field in ("kind", "issuer"):
        left, right = _text(one, field), _text(other, field)
        if _masked(left, masks[0]) != _masked(right, masks[1]):
            yield Difference("claims", field, left, right, matters=True)
    left, right = _listed(_texts(one, "audience")), _listed(_texts(other, "audience"))
    if _masked(left, masks[0]) != _masked(right, masks[1]):
        yield Difference("claims", "audience", left, right, matters=True)
    yield from _times(good, bad, (one, other), "claims", ("not_before", "expires"))


def _signature(good: Leg, bad: Leg) -> Iterator[Difference]:
    one, other = _map(good, "signature"), _map(bad, "signature")
    if not one and not other:
        return
    if not one or not other:
        left, right = _text(one, "scheme") or "none", _text(other, "scheme") or "none"
        yield Difference("signature", "scheme", left, right, matters=True)
        return
    for field in ("scheme", "region"):
        left, right = str(one.get(field) or ""), str(other.get(field) or "")
        if left != right:
            yield Difference("signature", field, left or None, right or None, matters=True)
    signed = _listed(_texts(one, "signed_headers")), _listed(_texts(other, "signed_headers"))
    if signed[0] != signed[1]:
        yield Difference("signature", "signed headers", *signed, matters=True)
    yield from _times(good, bad, (one, other), "signature", ("signed_at", "expires_at"))


def _times(
    good: Leg,
    bad: Leg,
    said: tuple[Mapping[str, Any], Mapping[str, Any]],
    what: str,
    fields: tuple[str, str],
) -> Iterator[Difference]:
    """When it begins to hold, against the clock of the capture, and for how long."""
    begins, ends = fields
    legs = good, bad
    early = [_after(from_.get(begins), leg.started) for from_, leg in zip(said, legs, strict=True)]
    if None not in early and abs(early[0] - early[1]) > _OFF:  # type: ignore[operator]
        yield Difference(what, "clock", _clock(early[0]), _clock(early[1]), matters=True)
    left = [_after(from_.get(ends), leg.started) for from_, leg in zip(said, legs, strict=True)]
    if (left[0] is None) != (left[1] is None):
        yield Difference(what, "lifetime", _lasting(left[0]), _lasting(left[1]), matters=False)
    elif left[0] is not None and left[1] is not None:
        gap, most = abs(left[0] - left[1]), max(abs(left[0]), abs(left[1]))
        if gap > max(most * _LIFETIMES, 5):
            shorter = left[1] < left[0]
            yield Difference(
                what, "lifetime", _lasting(left[0]), _lasting(left[1]), matters=shorter
            )


def _clock(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    word = "ahead of" if seconds > 0 else "behind"
    return f"{duration(abs(seconds))} {word} the request"


def _lasting(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return f"{duration(seconds)} left" if seconds > 0 else f"over since {duration(-seconds)}"


def _after(moment: Any, started: float) -> float | None:
    known = isinstance(moment, (int, float)) and not isinstance(moment, bool)
    return moment - started if known else None


def _challenges(good: Leg, bad: Leg, masks: tuple[Masks, Masks]) -> Iterator[Difference]:
    one, other = _texts(good.decoded, "challenges"), _texts(bad.decoded, "challenges")
    if [*map(masks[0].text, one)] == [*map(masks[1].text, other)] or good.status != bad.status:
        return
    yield Difference("challenge", "", _listed(one), _listed(other), matters=True)


def _location(good: Leg, bad: Leg, masks: tuple[Masks, Masks]) -> Iterator[Difference]:
    one, other = _text(good.decoded, "location"), _text(bad.decoded, "location")
    left = masks[0].place(one) if one else None
    right = masks[1].place(other) if other else None
    lacks = right is None and "Location" in _texts(good.decoded, "response_headers")
    if left != right and good.status == bad.status and not lacks:
        yield Difference("redirect", "target", left, right, matters=True)


# --- header fields


def _headers(good: Leg, bad: Leg, *, answered: bool, same_client: bool) -> Iterator[Difference]:
    """Of another answer the fields are others too, which says nothing more."""
    for side, field in (("request", "request_headers"), ("response", "response_headers")):
        if side == "response" and not answered:
            continue
        if (field in good.decoded) != (field in bad.decoded) and not _knows(good, bad):
            continue
        one, other = {*_texts(good.decoded, field)}, {*_texts(bad.decoded, field)}
        deciding = DECIDING if same_client or side == "response" else frozenset[str]()
        if one & _FRAMING and other & _FRAMING:
            deciding -= _FRAMING
        for decides in (True, False):
            gone = sorted(name for name in one - other if (name in deciding) is decides)
            new = sorted(name for name in other - one if (name in deciding) is decides)
            if gone or new:
                told = _listed(gone), _listed(new)
                yield Difference("headers", side, *told, matters=decides and bool(gone))


def _knows(good: Leg, bad: Leg) -> bool:
    """Whether both reports list header fields at all: older ones do not."""
    return all({"request_headers", "response_headers"} & set(leg.decoded) for leg in (good, bad))


# --- how long it took


def slower(
    good: tuple[float | None, int], bad: tuple[float | None, int], at_least: float
) -> Difference | None:
    """Seconds and bytes of either side. A larger body may take as much longer as it is larger."""
    (one, little), (other, much) = good, bad
    if one is None or other is None:
        return None
    measured = little >= _MEASURABLE and much >= _MEASURABLE
    expected = one * max(much / little, 1) if measured else one
    if other - expected < at_least or other < SLOWER * expected:
        return None
    times = f" ({other / expected:.0f} times as long)" if expected > 0 else ""
    told = f"{_pace(other, much)}{times}"
    return Difference("slower", "", _pace(one, little), told, matters=True)


def _pace(seconds: float, count: int) -> str:
    speed = rate(count, seconds) if count >= _MEASURABLE else ""
    return f"{duration(seconds)} at {speed}" if speed else duration(seconds)


def _seconds(leg: Leg) -> float | None:
    return None if leg.ended is None else max(leg.ended - leg.started, 0.0)


# --- reading what a report says, which may be a stranger's


def _map(leg: Leg, field: str) -> Mapping[str, Any]:
    value = leg.decoded.get(field)
    return value if isinstance(value, Mapping) else {}


def _text(said: Mapping[str, Any], field: str) -> str | None:
    value = said.get(field)
    return value if isinstance(value, str) and value else None


def _texts(said: Mapping[str, Any], field: str) -> list[str]:
    value = said.get(field)
    known = isinstance(value, Sequence) and not isinstance(value, str)
    return [item for item in value if isinstance(item, str)] if known else []  # type: ignore[union-attr]


def _listed(texts: Sequence[str]) -> str | None:
    return ", ".join(texts) or None


def _masked(text: str | None, masks: Masks) -> str | None:
    return None if text is None else masks.text(text)
