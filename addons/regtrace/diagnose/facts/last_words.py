"""What the registry itself said when it refused for good, and the digests it named by it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from regtrace.diagnose.facts.answers import is_somebody_elses
from regtrace.diagnose.rule import Evidence
from regtrace.wire.endpoint import is_digest
from regtrace.wire.leg import Kind, Leg

if TYPE_CHECKING:
    from regtrace.diagnose.facts import Facts

_DIGEST = re.compile(r"\bsha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})\b")

#: More missing blobs than an image has layers are no help.
_MOST_DIGESTS = 256


def last_words(facts: Facts, *kinds: Kind) -> tuple[Leg, ...]:
    """The refusals (400 and more) to legs of these kinds that the operation ended by, without those
    that something before the registry spoke in its place; by start."""
    return tuple(
        fatal.leg
        for fatal in facts.fatal
        if fatal.leg.kind in kinds
        and (fatal.leg.status or 0) >= 400
        and not fatal.leg.broken
        and not is_somebody_elses(fatal.leg)
    )


def shown_by(leg: Leg, why: str) -> tuple[Evidence, ...]:
    """Where a refusal stands: its status, and the error in its body if there is one."""
    status = Evidence(leg, "response.status", why)
    if leg.error is None or leg.error.dialect in {"empty", "unrecorded"}:
        return (status,)
    return status, Evidence(leg, "response.body", "what it said")


def tries(facts: Facts, legs: Iterable[Leg]) -> int:
    """How often these requests were made in vain, repeats included."""
    return sum(len(facts.attempts(leg)) for leg in legs)


def digests_in(leg: Leg) -> tuple[str, ...]:
    """Every digest that a refusal names, in its details or its words, each once."""
    if leg.error is None:
        return ()
    texts = [leg.error.text]
    for item in leg.error.items:
        texts += (item.message, *texts_in(item.detail))
    found = (digest for text in texts for digest in _DIGEST.findall(text))
    return tuple(dict.fromkeys(filter(is_digest, found)))[:_MOST_DIGESTS]


def texts_in(value: Any) -> Iterator[str]:
    """Every text in JSON data, whose depth the decoder has bounded."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts_in(inner)
