"""The gate: the last look at the bytes of an output, by code that knows no handler.

It knows the secrets that the capture holds and the shapes that credentials have. If one stands in
an output, in plain or in any encoding, the output is not written. Text is not searched for every
encoding of every secret; it is decoded in every way that it can be, and searched for the secrets.

Two kinds of secrets are not looked for, because no reader could tell them from honest text:
common words and numbers (``shapes.is_common``), and values that the same capture uses openly as a
host, repository, tag or service. Both are documented where they are decided.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterable, Iterator
from typing import Literal
from urllib.parse import unquote, unquote_to_bytes

from regtrace.redact.secrets import Secret, names_in, secrets_in
from regtrace.redact.shapes import SHORTEST, credentials_in, is_common, tokens_in
from regtrace.wire.exchange import Exchange

#: Of a longer secret either end is looked for too: an output may have cut the rest off.
_LONG = 40
_END = 24
#: Encodings within encodings that are taken off: Base64 of percent of JSON.
_DEEPEST = 3
#: Texts that one output may be decoded into; a hostile one could ask for endless work.
_MOST_TEXTS = 64

_LEGIBLE = re.compile(rb"[\x20-\x7e]{8,}")
_TAG = re.compile(rb"<[^<>]{0,2000}>")
_ESCAPE = re.compile(
    rb"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})"
    rb'|(?:u([0-9a-f]{4})|U([0-9a-f]{8})|x([0-9a-f]{2}))|(["\\/bfnrt]))',
    re.IGNORECASE,
)
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_HEX_RUN = re.compile(rb"[0-9A-Fa-f]{16,}")
#: Bytes on either side of an escape that may belong to the secret it stands in.
_NEAR = 600
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Gate:
    """Collects what must not leave, then judges outputs."""

    def __init__(self) -> None:
        self._secrets: dict[bytes, str] = {}
        self._names: set[str] = set()
        self._index: _Index | None = None

    def __len__(self) -> int:
        return len(self._secrets)

    def learn(self, exchange: Exchange) -> None:
        """Everything secret in this exchange, and the names that it uses openly."""
        for secret in secrets_in(exchange):
            self._add(secret)
        for _, name in names_in(exchange):
            if not credentials_in(name):
                self._names.update((name, *name.split("/")))
        self._index = None

    def taint(self, where: str, value: str) -> None:
        """One more value that must not leave."""
        self._add(Secret(where, "value", value))
        self._index = None

    def _add(self, secret: Secret) -> None:
        value = secret.value.strip()
        if is_common(value):
            return
        pieces = [value, unquote(value)]
        # The beginning of a URL is said in every report.
        if len(value) > _LONG and not secret.whole and "://" not in value:
            pieces += [value[:_END], value[-_END:]]
        for piece in pieces:
            raw = _squeezed(piece.encode("utf-8", "surrogatepass"))
            if len(raw) >= SHORTEST:
                self._secrets.setdefault(raw, secret.where)

    def leaks(self, output: str | bytes) -> tuple[str, ...]:
        """Where the secrets that stand in this output came from; never their values."""
        raw = output.encode("utf-8", "surrogatepass") if isinstance(output, str) else output
        if self._index is None:
            self._index = _Index(self._secrets.keys() - self._open())
        found = credentials_in(raw.decode("utf-8", "replace"))
        for text in _readings(raw):
            found |= {self._secrets[secret] for secret in self._index.found_in(text)}
            found |= tokens_in(text.decode("latin-1"))
        return tuple(sorted(found))

    def _open(self) -> set[bytes]:
        return {_squeezed(name.encode("utf-8", "surrogatepass")) for name in self._names}


class _Index:
    """Byte strings by their first eight bytes, so that many are found in one pass."""

    def __init__(self, wanted: set[bytes]) -> None:
        self._wanted = wanted
        self._lengths: dict[int, set[int]] = {}
        for secret in wanted:
            head = int.from_bytes(secret[:SHORTEST], _ORDER)
            self._lengths.setdefault(head, set()).add(len(secret))
        self._heads = frozenset(self._lengths)

    def found_in(self, text: bytes) -> Iterator[bytes]:
        view = memoryview(text)
        hits: set[int] = set()
        for start in range(min(SHORTEST, len(text))):
            words = view[start : start + (len(text) - start) // SHORTEST * SHORTEST]
            hits |= self._heads.intersection(words.cast("Q"))
        for head in hits:
            opening = head.to_bytes(SHORTEST, _ORDER)
            at = text.find(opening)
            while at >= 0:
                for length in self._lengths[head]:
                    if text[at : at + length] in self._wanted:
                        yield text[at : at + length]
                at = text.find(opening, at + 1)


_ORDER: Literal["little", "big"] = (
    "little" if memoryview(b"\1" + b"\0" * 7).cast("Q")[0] == 1 else "big"
)


# --- every way in which the output can be read


def _readings(output: bytes) -> Iterator[bytes]:
    """The output without blanks (a line may have been wrapped), and decoded in every way."""
    first = _squeezed(output)
    seen = {first}
    packed: set[bytes] = set()
    waiting = [(first, 0)]
    while waiting:
        text, depth = waiting.pop(0)
        yield text
        if depth == _DEEPEST:
            continue
        for found in _decodings(text, packed):
            reading = _squeezed(found)
            if len(reading) >= SHORTEST and reading not in seen and len(seen) < _MOST_TEXTS:
                seen.add(reading)
                waiting.append((reading, depth + 1))


def _squeezed(text: bytes) -> bytes:
    return b"".join(text.split())


def _decodings(text: bytes, packed: set[bytes]) -> Iterator[bytes]:
    """``packed`` holds the runs of Base64 and hex that were read already."""
    if b"\0" in text:
        yield text.replace(b"\0", b"")  # UTF-16 of plain letters
        # Base64 that was none has become noise, in which nothing further is worth a search.
        text = b"\n".join(_LEGIBLE.findall(text))
    yield unquote_to_bytes(_around(b"%", text))
    yield _ESCAPE.sub(_unescaped, _around(b"\\", text))
    entities = _around(b"&", text).decode("utf-8", "surrogateescape")
    yield html.unescape(entities).encode("utf-8", "surrogateescape")
    if b"</" in text:
        yield _TAG.sub(b"", text)
    runs = set(_BASE64_RUN.findall(text)) - packed
    packed |= runs
    yield _from_base64(runs)
    yield _from_hex(runs)


def _around(mark: bytes, text: bytes) -> bytes:
    """The places of the text that this mark can change; elsewhere it reads as before."""
    places = []
    begun, end = 0, -1
    at = text.find(mark)
    while at >= 0:
        if at - _NEAR > end:
            places.append(text[begun : end + 1])
            begun = max(at - _NEAR, 0)
        end = at + _NEAR
        at = text.find(mark, at + 1)
    places.append(text[begun : end + 1])
    return b"\n".join(places)


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes.fromhex((match[1] + match[2]).decode()).decode("utf-16-be").encode()
    digits = match[3] or match[4] or match[5]
    if digits is None:
        return match[6]
    code = int(digits, 16)
    return chr(code).encode("utf-8", "surrogatepass") if code < 0x110000 else match[0]


def _from_base64(runs: Iterable[bytes]) -> bytes:
    """Every run of Base64, read from each of the four places where it may have begun."""
    found = []
    for run in runs:
        for start in range(4):
            part = run[start:]
            whole = part[: len(part) // 4 * 4].translate(_URL_SAFE)
            rest = part[len(whole) :].translate(_URL_SAFE)
            found.append(binascii.a2b_base64(whole))
            if len(rest) > 1:
                found[-1] += base64.b64decode(rest + b"=" * (4 - len(rest)))
    return b"\n".join(found)


def _from_hex(runs: Iterable[bytes]) -> bytes:
    """Every run of hex digits, read from either place where it may have begun."""
    found = []
    for run in [digits for text in runs for digits in _HEX_RUN.findall(text)]:
        for start in range(2):
            part = run[start:]
            found.append(bytes.fromhex(part[: len(part) // 2 * 2].decode()))
    return b"\n".join(found)
