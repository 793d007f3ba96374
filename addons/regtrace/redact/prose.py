"""Sentences that strangers wrote: what could be a secret, a person or an address becomes a label.

Servers quote what they were sent, so a sentence is first searched for the secrets that the capture
is known to hold, then read word by word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from regtrace.redact.grammar import is_digest, is_uuid
from regtrace.redact.shapes import credentials_in, is_word
from regtrace.wire.hosts import is_address

if TYPE_CHECKING:
    from regtrace.redact.redactor import Redactor

#: Characters of a stranger's sentence that are shown.
MOST = 400

_URL = re.compile(r"https?://[^\s\"'<>()\\^`{|}]+")
_WORD = re.compile(r"[^\s\"'<>(){}|,;\\]+")
#: What may follow a word without belonging to it.
_TAIL = re.compile(r"[.:]+\Z")
_PAIR = re.compile(r"([A-Za-z][\w.-]{0,40})([=:])(.+)\Z")
_AUTHORITY = re.compile(r"\[([0-9A-Fa-f:.%\w]+)\](?::(\d{1,5}))?|([\d.]+):(\d{1,5})")
_HOST = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::\d{1,5})?")
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z-]{1,30}/v?[0-9][0-9A-Za-z.+~-]{0,30}")
_SECRETIVE = re.compile(
    r"pass|secret|token|credential|api_?key|auth|signature|bearer|basic", re.IGNORECASE
)
_LONG, _MIXED = 20, 12


def prose(redactor: Redactor, text: str) -> str:
    """A stranger's sentence, cut at ``MOST`` characters."""
    return _told(redactor, text[: 2 * MOST], guess=True)[:MOST]


def whole(redactor: Redactor, text: str) -> str:
    """The same of any length, for a copy that is searched for its words."""
    return _told(redactor, text, guess=True)


def plain(redactor: Redactor, text: str) -> str:
    """A sentence of ours that may hold a stranger's word. Only what is known is replaced."""
    return _told(redactor, text, guess=False)


def _told(redactor: Redactor, text: str, *, guess: bool) -> str:
    text = redactor.swept(text)
    shown, at = [], 0
    for match in _URL.finditer(text):
        shown.append(_words(redactor, text[at : match.start()], guess=guess))
        url = match[0].rstrip(".,:;!?]")
        shown += [redactor.url_text(url), match[0][len(url) :]]
        at = match.end()
    shown.append(_words(redactor, text[at:], guess=guess))
    return "".join(shown)


def _words(redactor: Redactor, text: str, *, guess: bool) -> str:
    before = ""

    def one(match: re.Match[str]) -> str:
        nonlocal before
        tail = _TAIL.search(match[0])
        word = match[0][: tail.start()] if tail else match[0]
        after, before = before, word.lower()
        return _word(redactor, word, after, guess=guess) + (tail[0] if tail else "")

    return _WORD.sub(one, text)


def _word(redactor: Redactor, word: str, after: str, *, guess: bool) -> str:
    if not word or redactor.is_label(word) or is_digest(word) or is_uuid(word):
        return word
    if known := _address(redactor, word) or redactor.known(word):
        return known
    if pair := _PAIR.match(word):
        key, mark, value = pair.groups()
        if _SECRETIVE.search(key) and not is_word(value) and not redactor.is_label(value):
            return f"{key}{mark}{redactor.label('value', value)}"
        if mark == "=":
            return f"{key}={_word(redactor, value, '', guess=guess)}"
    if "@" in word and guess:
        return redactor.user(word)
    if _is_suspicious(word, after):
        return redactor.label("value", word)
    return _without_names(redactor, word) if guess and redactor.hides_names else word


def _without_names(redactor: Redactor, word: str) -> str:
    """A word that may be a name which no exchange used in its own place."""
    if _PRODUCT.fullmatch(word):
        return word
    if _HOST.fullmatch(word):
        return redactor.host(word)
    return redactor.label("name", word) if "/" in word.strip("/") else word


def _is_suspicious(word: str, after: str) -> bool:
    if credentials_in(word):
        return True
    announced = after in {"basic", "bearer"} and len(word) >= 6
    if is_word(word):
        return announced and not word.islower()
    mixed = (
        any(map(str.isdigit, word)) and any(map(str.isupper, word)) and any(map(str.islower, word))
    )
    return len(word) >= _LONG or (mixed and len(word) >= _MIXED) or announced


def _address(redactor: Redactor, word: str) -> str | None:
    """The label of an IP address, its port kept; None when the word is none."""
    inside = _AUTHORITY.fullmatch(word)
    text = (inside[1] or inside[3]) if inside else word.strip("[]")
    port = (inside[2] or inside[4]) if inside else None
    if not is_address(text):
        return None
    shown = redactor.address(text)
    return f"{shown}:{port}" if port else shown
