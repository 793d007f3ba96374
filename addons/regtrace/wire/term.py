"""A word of the wire with its kind, so that texts can be built before anybody knew what is secret.

Rules say *which* host or repository a sentence is about; the redactor alone turns a term into text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class TermKind(str, Enum):
    PLAIN = "plain"
    """Ours, or from a closed set: a status, a product name, a number."""
    HOST = "host"
    """``host`` or ``host:port``."""
    URL = "url"
    REPOSITORY = "repository"
    REFERENCE = "reference"
    DIGEST = "digest"
    OBJECT_KEY = "object-key"
    """A path in a bucket."""
    BUCKET = "bucket"
    SERVICE = "service"
    """What a token is for, or who issued it: a word, a host or a URL."""
    SCOPE = "scope"
    """``repository:NAME:pull,push``."""


@dataclass(frozen=True, slots=True)
class Term:
    kind: TermKind
    text: str


def plain(value: object) -> Term:
    return Term(TermKind.PLAIN, str(value))


def host(text: str) -> Term:
    return Term(TermKind.HOST, text)
