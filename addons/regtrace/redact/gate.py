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
import contextlib
import html
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice, product
from typing import Literal
from urllib.parse import unquote, unquote_to_bytes

from regtrace.redact.holdings import Holdings
from regtrace.redact.secrets import Secret
from regtrace.redact.shapes import SHORTEST, credentials_in, tokens_in
from regtrace.wire.exchange import Exchange

#: Characters from which on the ends of a secret stand for all of it, and how much of them.
_LONG = 40
_END = 24
#: Encodings within encodings that are taken off: Base64 of percent of JSON.
_DEEPEST = 3
#: Runs of Base64 and hex that are remembered from one output to the next.
_MOST_RUNS = 20_000
#: Texts that one output may be decoded into; a hostile one could ask for endless work.
_MOST_TEXTS = 64

#: Places that begin as gzip or deflate that are tried, and bytes that one may unpack to.
_MOST_PACKED, _MOST_UNPACKED = 64, 8 * 1024 * 1024

#: RFC 1952 2.3.1; RFC 1950 2.2, of the windows and levels in use.
_PACKED = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")
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
#: Stands between pieces that did not follow each other; no blank, or they would be one word.
APART = b"\x1f"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Gate:
    """Knows what must not leave, and judges outputs."""

    def __init__(self, holdings: Holdings | None = None) -> None:
        self._holdings = holdings or Holdings()
        self._index: _Index | None = None
        self._packed: set[bytes] = set()
        """Runs of Base64 and hex that were read already, and had nothing in them."""

    def learn(self, exchange: Exchange) -> None:
        """Everything secret in this exchange, and the names that it uses openly."""
        self._holdings.add(exchange)
        self._index = None

    def taint(self, where: str, value: str, *, whole: bool = False) -> None:
        """One more value that must not leave; ``whole``: its parts are no secrets."""
        self._holdings.taint(Secret(where, "value", value, whole=whole))
        self._index = None

    def leaks(self, output: str | bytes) -> tuple[str, ...]:
        """Where the secrets that stand in this output came from; never their values."""
        raw = output.encode("utf-8", "surrogatepass") if isinstance(output, str) else output
        if self._index is None:
            self._index, self._packed = _Index(self._holdings), set()
        if len(self._packed) > _MOST_RUNS:
            self._packed.clear()
        found = credentials_in(raw.decode("utf-8", "replace"))
        for text in _readings(raw, self._packed):
            found.update(self._index.found_in(text))
            found |= tokens_in(text.decode("latin-1"))
        if found:
            self._packed.clear()
        return tuple(sorted(found))


class _Index:
    """What to look for, by its first eight bytes, so that many are found in one pass."""

    def __init__(self, holdings: Holdings) -> None:
        self._wheres: dict[bytes, str] = {}
        self._lengths: dict[int, tuple[int, ...]] = {}
        self._words: set[int] = set()
        """Of each piece the first eight bytes, and the eight from the second on: one of them is met
        at every other place."""
        self._step = 2
        open_names = {_raw(name) for name in holdings.open}
        for secret in holdings.secrets.values():
            for piece in _pieces(secret):
                if len(piece) >= SHORTEST and piece not in open_names:
                    self._add(piece, secret.where)

    def _add(self, piece: bytes, where: str) -> None:
        self._wheres.setdefault(piece, where)
        head = int.from_bytes(piece[:SHORTEST], _ORDER)
        lengths = self._lengths.get(head, ())
        if len(piece) not in lengths:
            self._lengths[head] = (*lengths, len(piece))
        self._words.add(head)
        if len(piece) == SHORTEST:
            self._step = 1
        else:
            self._words.add(int.from_bytes(piece[1 : SHORTEST + 1], _ORDER))

    def found_in(self, text: bytes) -> Iterator[str]:
        """Where that came from which stands in this text."""
        if all(map(self._words.isdisjoint, _words(text, self._step))):
            return
        hits: set[int] = set()
        for words in _words(text, 1):
            hits.update(self._lengths.keys() & words)
        for head in hits:
            opening = head.to_bytes(SHORTEST, _ORDER)
            at = text.find(opening)
            while at >= 0:
                pieces = (text[at : at + length] for length in self._lengths[head])
                yield from (self._wheres[piece] for piece in pieces if piece in self._wheres)
                at = text.find(opening, at + 1)


def _words(text: bytes, step: int) -> Iterator[memoryview]:
    """The text as numbers of eight bytes, those that begin at every place, or at every other."""
    view = memoryview(text)
    for start in range(0, min(SHORTEST, len(text)), step):
        yield view[start : start + (len(text) - start) // SHORTEST * SHORTEST].cast("Q")


def _pieces(secret: Secret) -> Iterator[bytes]:
    """The secret; of a long one either end, since an output may have cut the rest off."""
    value = secret.value.strip()
    if "%" in value:
        yield _raw(unquote(value))
    ends = _raw(value[:_END]), _raw(value[-_END:])
    # The beginning of a URL is said in every report.
    if len(value) <= _LONG or secret.whole or "://" in value or len(min(ends, key=len)) < SHORTEST:
        yield _raw(value)
    else:
        yield from ends


def _raw(text: str) -> bytes:
    return _squeezed(text.encode("utf-8", "surrogatepass"))


_ORDER: Literal["little", "big"] = (
    "little" if memoryview(b"\1" + b"\0" * 7).cast("Q")[0] == 1 else "big"
)


# --- every way in which the output can be read


def _readings(output: bytes, packed: set[bytes]) -> Iterator[bytes]:
    """The output without blanks (a line may have been wrapped), and decoded in every way."""
    seen: set[bytes] = set()
    waiting: deque[tuple[bytes, int]] = deque()

    def take(found: bytes, depth: int) -> None:
        for plain in (found, *_unpacked(found)):
            reading = _squeezed(plain)
            if len(seen) == _MOST_TEXTS:
                packed.clear()  # the next output is read from the beginning
            elif reading not in seen and (len(reading) >= SHORTEST or not seen):
                seen.add(reading)
                waiting.append((reading, depth))

    take(output, 0)
    while waiting:
        text, depth = waiting.popleft()
        yield text
        if depth < _DEEPEST:
            for found in _decodings(text, packed):
                take(found, depth + 1)


def _unpacked(raw: bytes, depth: int = 0) -> Iterator[bytes]:
    """What gzip or deflate packed in these bytes, and what UTF-16 spelled; blanks and all, since
    without them neither could be read."""
    for plain in _once_unpacked(raw) if depth < _DEEPEST else ():
        yield plain
        yield from _unpacked(plain, depth + 1)


def _once_unpacked(raw: bytes) -> Iterator[bytes]:
    for match in islice(_PACKED.finditer(raw), _MOST_PACKED):
        windows = zlib.MAX_WBITS | (16 if match[0][:1] == b"\x1f" else 0)
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj(windows).decompress(raw[match.start() :], _MOST_UNPACKED)
    if raw.count(b"\0") * 4 > len(raw):
        for encoding, start in product(("utf-16-le", "utf-16-be"), (0, 1)):
            yield raw[start:].decode(encoding, "ignore").encode()


def _squeezed(text: bytes) -> bytes:
    return b"".join(text.split())


def _decodings(text: bytes, packed: set[bytes]) -> Iterator[bytes]:
    """``packed`` holds the runs of Base64 and hex that were read already."""
    if b"\0" in text:
        yield text.replace(b"\0", b"")  # UTF-16 of plain letters
        # Base64 that was none has become noise, in which nothing further is worth a search.
        text = APART.join(_LEGIBLE.findall(text))
    yield _where_changed(unquote_to_bytes, _around(b"%", text))
    yield _where_changed(partial(_ESCAPE.sub, _unescaped), _around(b"\\", text))
    yield _where_changed(_without_entities, _around(b"&", text))
    if b"</" in text:
        yield _TAG.sub(b"", text)
    runs = set(_BASE64_RUN.findall(text)) - packed
    packed |= runs
    yield _from_base64(runs)
    yield _from_hex(runs)


def _where_changed(decode: Callable[[bytes], bytes], places: Iterable[bytes]) -> bytes:
    """The places that read differently when decoded."""
    decoded = ((decode(place), place) for place in places)
    return APART.join(reading for reading, place in decoded if reading != place)


def _without_entities(text: bytes) -> bytes:
    plain = html.unescape(text.decode("utf-8", "surrogateescape"))
    return plain.encode("utf-8", "surrogateescape")


def _around(mark: bytes, text: bytes) -> list[bytes]:
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
    return places


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
    return APART.join(found)


def _from_hex(runs: Iterable[bytes]) -> bytes:
    """Every run of hex digits, read from either place where it may have begun."""
    found = []
    for run in [digits for text in runs for digits in _HEX_RUN.findall(text)]:
        for start in range(2):
            part = run[start:]
            found.append(bytes.fromhex(part[: len(part) // 2 * 2].decode()))
    return APART.join(found)
