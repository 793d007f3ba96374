"""One link of the chain between a client and a registry, and how it was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OK, BROKEN, WARNING, UNKNOWN = "ok", "broken", "warning", "unknown"


@dataclass(frozen=True, slots=True)
class Link:
    """``fix`` is what to do; empty when nothing is."""

    name: str
    state: str
    said: str
    fix: str = ""


def first_broken(links: Sequence[Link]) -> Link | None:
    return next((link for link in links if link.state == BROKEN), None)
