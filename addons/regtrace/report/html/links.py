"""Where a link within the page leads: the anchors of legs and findings, of those that are drawn."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_OURS = re.compile(r"([a-z]+)-[0-9]{1,9}")
_WEB = re.compile(r"https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._~/%?=&#+-]*)?")


@dataclass(frozen=True, slots=True)
class Here:
    """The anchors of what is drawn in this page, by its id in the report."""

    legs: Mapping[str, str]
    findings: Mapping[str, str]

    @classmethod
    def of(cls, legs: Iterable[str], findings: Iterable[str]) -> Here:
        return cls(_anchors("leg", legs), _anchors("finding", findings))


def is_web(url: str) -> bool:
    """Whether this may become a link that leads out of the page."""
    return _WEB.fullmatch(url) is not None


def _anchors(kind: str, ids: Iterable[str]) -> dict[str, str]:
    return {id_: _anchor(kind, id_) for id_ in ids}


def _anchor(kind: str, id_: str) -> str:
    """The id itself, such as ``leg-12``; one that is not of our making gets another name."""
    ours = _OURS.fullmatch(id_)
    if ours and ours[1] == kind:
        return id_
    return f"{kind}-x{hashlib.sha256(id_.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
