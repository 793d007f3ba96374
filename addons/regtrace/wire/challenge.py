"""What a 401 asks for: the challenges in ``WWW-Authenticate`` (RFC 9110 11.6.1).

Read more kindly than the RFC allows, because registries, and the proxies in front of them, bend
it: several challenges in one value, values without quotes (GCR) or with one quote missing, no
comma between parameters, any case of scheme and key (Nexus: ``BASIC``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from regtrace.wire.scope import Scope, parse_scopes

#: Characters of one header value that are looked at; many servers send no longer header at all.
MAX_VALUE = 8192

#: Header values that are looked at, and challenges that are kept. Real answers have one or two.
MAX_CHALLENGES = 32

_SEPARATORS = re.compile(r"[\s,]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_EQUALS = re.compile(r"\s*=\s*")
_TOKEN68 = re.compile(r"\s+([A-Za-z0-9._~+/-]+)=*\s*(?=,|$)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_BARE = re.compile(r"[^\s,]*")
#: An unquoted scope holds commas itself; only known actions are taken for its continuation.
_BARE_SCOPE = re.compile(r"[^\s,]*(?:,(?:pull|push|delete|\*)(?=[\s,]|$))*")
_NEXT_PARAM = re.compile(r",\s*[A-Za-z_-]+\s*=")

_KEYS = frozenset({"realm", "service", "scope", "error", "error_description"})


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in. A value that was absent is None; of a repeated one the first counts."""

    scheme: str
    """Lower case: ``bearer``, ``basic``, ``negotiate``, ..."""
    realm: str | None = None
    """Of Bearer: the token server's URL, as sent."""
    service: str | None = None
    """Which audience the token must be for."""
    scopes: tuple[Scope, ...] = ()
    error: str | None = None
    """RFC 6750 3.1: ``invalid_token``, ``insufficient_scope``; absent when no token arrived."""
    error_description: str | None = None
    params: tuple[tuple[str, str], ...] = ()
    """Every parameter in its order, keys in lower case. A token68 (the handshake of Negotiate and
    NTLM) is not among them: it is secret, and says nothing here."""

    def param(self, key: str) -> str | None:
        """The first value of this parameter (lower case), or None."""
        return next((value for name, value in self.params if name == key), None)


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Every challenge of every ``WWW-Authenticate`` value, in the order sent."""
    found = (
        challenge
        for value in islice(values, MAX_CHALLENGES)
        for challenge in _parse_value(value[:MAX_VALUE])
    )
    return tuple(islice(found, MAX_CHALLENGES))


@lru_cache(maxsize=256)  # a registry asks for the same again and again
def _parse_value(text: str) -> tuple[Challenge, ...]:
    """A word before ``=`` is a parameter of the challenge at hand, any other word begins one."""
    read: list[tuple[str, list[tuple[str, str]]]] = []
    at = 0
    while (at := _end(_SEPARATORS.match(text, at), at)) < len(text):
        word = _TOKEN.match(text, at)
        if word is None:  # a stray character
            at += 1
            continue
        at = word.end()
        if equals := _EQUALS.match(text, at):
            key = word[0].lower()
            value, at = _read_value(text, equals.end(), key)
            if read:
                read[-1][1].append((key, value))
            continue
        read.append((word[0].lower(), []))
        secret = _TOKEN68.match(text, at)
        if secret and secret[1].lower() not in _KEYS:
            at = secret.end()
    return tuple(_challenge(scheme, tuple(params)) for scheme, params in read)


def _end(match: re.Match[str] | None, otherwise: int) -> int:
    return match.end() if match else otherwise


def _read_value(text: str, at: int, key: str) -> tuple[str, int]:
    """The parameter's value that begins here, and where it ends."""
    if not text.startswith('"', at):
        bare = (_BARE_SCOPE if key == "scope" else _BARE).match(text, at)
        end = _end(bare, at)
        return text[at:end].rstrip('"'), end
    quoted = _QUOTED.match(text, at)
    if quoted and (quoted.end() == len(text) or text[quoted.end()] in ", \t"):
        return _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
    # The closing quote is missing: the value lasts to the next parameter. A quote that merely
    # lacks the comma behind it (realm="a"service="b") has no parameter inside.
    last = quoted.end() - 1 if quoted else len(text)
    if follower := _NEXT_PARAM.search(text, at, last):
        return _ESCAPE.sub(r"\1", text[at + 1 : follower.start()]), follower.start()
    return _ESCAPE.sub(r"\1", text[at + 1 : last]), min(last + 1, len(text))


def _challenge(scheme: str, params: tuple[tuple[str, str], ...]) -> Challenge:
    first: dict[str, str] = {}
    for key, value in params:
        first.setdefault(key, value)
    scopes = " ".join(value for key, value in params if key == "scope")
    return Challenge(
        scheme,
        first.get("realm"),
        first.get("service"),
        parse_scopes(scopes),
        first.get("error"),
        first.get("error_description"),
        params,
    )
