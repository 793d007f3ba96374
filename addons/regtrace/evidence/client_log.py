"""What the client printed, joined to the legs that made it print so.

docker, dockerd's debug log, podman, skopeo, buildah, buildkit, containerd's ctr and kaniko are
read alike: a line counts when it holds a message of the table in ``messages``. It is joined by the
URL in it where there is one, else by the digest, the status or the words of the answer. One that
fits several requests alike is joined to none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO
from urllib.parse import unquote

from regtrace.evidence.dialects import MOST_LINE
from regtrace.evidence.messages import Sense, senses
from regtrace.wire.leg import Leg

#: Messages of one run that are kept, and characters of each that are shown.
_MOST_MESSAGES, _MOST_SAID = 100, 600
_MOST_LINES = 2_000_000

_ANSI = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]")
_URL = re.compile(r"https?://[^\s\"'<>\\]{1,4000}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_STATUS = re.compile(
    r"(?:HTTP|status|StatusCode|code|registry)\W{1,3}(?:code )?(\d{3})\b"
    r"|\b([345]\d\d) \(?[A-Z][a-z]|: (?:error parsing )?HTTP (\d{3})\b"
)
_METHOD = re.compile(r"\b(HEAD|GET|POST|PATCH|PUT)\b(?: request to)? \\*\"?http", re.IGNORECASE)
#: What differs between the lines of one countdown.
_COUNTS = re.compile(r"\d{1,6} seconds?\b|\b\d{1,4}/\d{1,4}\b")
_MESSAGE = re.compile(r'\b(?:msg|error)="((?:[^"\\]|\\.){1,60000})"')
#: What the registry's words are in its answer → as clients print them.
_SAYS = ("denied", "unauthorized", "unknown", "invalid", "unsupported", "toomanyrequests")
_CODES = re.compile(
    r"\b(manifest unknown|name unknown|blob unknown|unknown blob|digest invalid|manifest invalid"
    r"|manifest blob unknown|blob upload unknown|blob upload invalid|size invalid|name invalid)\b"
)
_UNEXPECTED = {"bad gateway": 502, "service unavailable": 503, "gateway time-out": 504}


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """A message of the client, and whose answer it was."""

    file: str
    line: int
    said: str
    sense: str
    """In other words; see :mod:`regtrace.evidence.messages`."""
    leg: str | None
    """Id of its leg's exchange; None where it is not known."""
    joined_by: str
    """By what, or why to none."""


def read_messages(stream: BinaryIO) -> list[tuple[int, str, Sense]]:
    """The lines with a known message: number, text, sense. Equal ones come once."""
    found: list[tuple[int, str, Sense]] = []
    seen: set[str] = set()
    for number, raw in enumerate(_lines(stream), 1):
        if number > _MOST_LINES or len(found) >= _MOST_MESSAGES:
            break
        text = _said(raw)
        alike = _COUNTS.sub("", text)
        if not text or alike in seen:
            continue
        sense = next(senses(text), None)
        if sense is not None:
            seen.add(alike)
            found.append((number, text, sense))
    return found


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Bounded: what of a line is longer than any message is passed over."""
    while line := stream.readline(MOST_LINE):
        rest = line
        while not rest.endswith(b"\n") and len(rest) == MOST_LINE:
            rest = stream.readline(MOST_LINE)
        yield line


def _said(raw: bytes) -> str:
    """The message in a line, without what loggers and terminals put around it."""
    text = _ANSI.sub("", raw.decode("utf-8", "replace")).replace("\0", "")
    text = text.rsplit("\r", 1)[-1].strip() if "\r" in text.strip() else text.strip()
    parts = _MESSAGE.findall(text)
    if parts and text.startswith(("time=", "level=")):
        text = ": ".join(parts)
    return text


class ClientJoin:
    """The legs that clients' messages are held against."""

    def __init__(self, legs: Iterable[Leg]) -> None:
        self._legs = sorted(legs, key=lambda leg: leg.started)
        self._failed = [
            leg for leg in self._legs if (leg.refused or leg.leads_nowhere) and not leg.is_challenge
        ]

    def read(self, stream: BinaryIO, name: str) -> list[ClientMessage]:
        """The messages in one file. What its reading raises is passed on."""
        file = "standard input" if name == "-" else PurePath(name).name
        found = []
        for number, text, sense in read_messages(stream):
            leg, how = self._joined(text)
            said = text if len(text) <= _MOST_SAID else _around(text, sense.said)
            found.append(
                ClientMessage(file, number, said, sense.message.sense, leg.id if leg else None, how)
            )
        return found

    def _joined(self, text: str) -> tuple[Leg | None, str]:
        urls = [unquote(url.rstrip(".,:;\\\"')")) for url in _URL.findall(text)]
        by_url = [leg for leg in self._failed if any(_is_at(leg, url) for url in urls)]
        method = _METHOD.search(text)
        if method and by_url:
            by_url = [leg for leg in by_url if leg.method == method[1].upper()] or by_url
        if by_url:
            return by_url[-1], "its URL"  # the last of the tries: what the client gave up by
        candidates, by = self._failed, []
        status = _status(text)
        if status is not None:
            candidates = [leg for leg in candidates if leg.status == status or leg.broken]
            answered = [leg for leg in candidates if leg.status == status]
            candidates = answered or candidates
            by.append("its status")
        digests = set(_DIGEST.findall(unquote(text)))
        of_digest = [leg for leg in candidates if leg.digest in digests]
        if of_digest:
            candidates = of_digest
            by.append("its digest")
        if words := _words(text):
            saying = [leg for leg in candidates if _answered(leg, words)]
            candidates = saying
            by.append("the words of the answer")
        if not by or not candidates:
            return None, "no leg answers to it"
        asked = {(leg.method, leg.digest or leg.session or leg.url.path) for leg in candidates}
        if len(asked) > 1:
            return None, "it fits several legs alike"
        return candidates[-1], " and ".join(by)


def _is_at(leg: Leg, url: str) -> bool:
    """Whether a URL in a message is this leg's: host and path; queries are cut or redacted."""
    place = url.partition("?")[0]
    return unquote(f"{leg.url.origin}{leg.url.path}").rstrip("/") == place.rstrip("/")


def _status(text: str) -> int | None:
    match = _STATUS.search(text)
    if match:
        number = int(next(part for part in match.groups() if part))
        return number if 200 <= number <= 599 else None
    lowered = text.lower()
    return next((code for words, code in _UNEXPECTED.items() if words in lowered), None)


def _words(text: str) -> frozenset[str]:
    """Error codes that the client prints, as registries write them."""
    lowered = text.lower()
    found = {word for word in _SAYS if re.search(rf"\b{word}: ", lowered)}
    codes = _CODES.findall(lowered)
    found.update("blob unknown" if code == "unknown blob" else code for code in codes)
    return frozenset(found)


def _answered(leg: Leg, words: Iterable[str]) -> bool:
    """Whether the leg's answer holds one of these codes; a body that is empty stands for its
    status."""
    codes = {code.lower().replace("_", " ") for code in leg.error.codes} if leg.error else set()
    by_status = {401: "unauthorized", 403: "denied", 429: "toomanyrequests", 404: "blob unknown"}
    codes.add(by_status.get(leg.status or 0, ""))
    if leg.status == 401:
        codes.add("denied")  # as newer clients say of insufficient_scope
    return not codes.isdisjoint(words)


def _around(text: str, known: str) -> str:
    """The part of a long message that is known, with what stands about it."""
    at = max(text.find(known[:80]), 0)
    start = max(0, at - _MOST_SAID // 3)
    return ("…" if start else "") + text[start : start + _MOST_SAID] + "…"
