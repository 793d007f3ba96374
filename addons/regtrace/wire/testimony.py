"""What somebody else wrote about a leg: a line of a log that a program beside the wire kept.

Plain data that ``evidence`` makes and ``diagnose`` weighs. A testimony is never the wire itself:
who reads it can see in which file and line it stands, and how surely it speaks of this very leg.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Told(str, Enum):
    """What a line of a log means."""

    NO_TOKEN = "no-token"
    """The registry saw no token in the request."""
    INVALID_TOKEN = "invalid-token"
    SMALL_SCOPE = "small-scope"
    """The token does not grant what the request needs."""
    UNTRUSTED_KEY = "untrusted-key"
    WRONG_ISSUER = "wrong-issuer"
    WRONG_AUDIENCE = "wrong-audience"
    TOKEN_OVER = "token-over"
    TOKEN_EARLY = "token-early"
    STORAGE = "storage"
    """The registry's storage refused it, in the words of its driver."""
    DISK = "disk"
    UNEXPECTED_EOF = "unexpected-eof"
    CLIENT_LEFT = "client-left"
    OTHER_SECRET = "other-secret"
    """The upload's ``_state`` was signed with another ``http.secret``."""
    SECRET_MADE_UP = "secret-made-up"
    """The registry started without ``http.secret`` and made up one."""
    PANIC = "panic"
    READ_ONLY = "read-only"
    QUOTA = "quota"
    UPSTREAM_REFUSED = "upstream-refused"
    """Nothing listens where the reverse proxy passes requests on to."""
    UPSTREAM_LATE = "upstream-late"
    UPSTREAM_BROKE = "upstream-broke"
    UPSTREAM_UNKNOWN = "upstream-unknown"
    """The reverse proxy can't find its upstream by name, or has no live one."""
    UPSTREAM_TLS = "upstream-tls"
    BODY_TOO_LARGE = "body-too-large"
    ACCESS_FORBIDDEN = "access-forbidden"
    """The token server knows the account and grants it nothing of what was asked."""
    LOGIN_REFUSED = "login-refused"
    BLOCKED = "blocked"
    """The address was shut out after too many failed logins."""


#: What a registry can dislike about a token; one excludes the others.
TOKEN_FAULTS = frozenset(
    {
        Told.UNTRUSTED_KEY,
        Told.WRONG_ISSUER,
        Told.WRONG_AUDIENCE,
        Told.TOKEN_OVER,
        Told.TOKEN_EARLY,
    }
)


@dataclass(frozen=True, slots=True)
class Testimony:
    source: str
    """Whose log: ``registry-log``, ``front-log`` (a reverse proxy's) or ``token-log``."""
    file: str
    """Its name, without folders."""
    line: int
    said: str
    """The words, as they were written."""
    told: frozenset[Told] = frozenset()
    joined_by: str = ""
    """How it is known to be about this leg."""


@dataclass(frozen=True, slots=True)
class Testimonies:
    """All that logs say of the legs of a capture."""

    by_leg: Mapping[str, tuple[Testimony, ...]] = field(default_factory=dict)
    general: tuple[Testimony, ...] = ()
    """What is said of the registry, not of a request."""


NO_TESTIMONY = Testimonies()
