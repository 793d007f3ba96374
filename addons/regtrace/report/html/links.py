"""Where a link within the page leads: the anchors of legs and findings, of those that are drawn."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_OURS = re.compile(r"(?:leg|finding)-[0-9]{1,9}")
_WEB = re.compile(r"https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._~/%?=&#+-]*)?")


def anchors(ids: Iterable[str]) -> dict[str, str]:
    """Each id with its anchor. An id that is not of our own making gets a name of its own."""
    return {id_: id_ if _OURS.fullmatch(id_) else _named(id_) for id_ in ids}


def is_web(url: str) -> bool:
    """Whether this may become a link that leads out of the page."""
    return _WEB.fullmatch(url) is not None


def _named(id_: str) -> str:
    return f"x-{hashlib.sha256(id_.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
