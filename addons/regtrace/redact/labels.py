"""Labels: what stands in the place of a value that may not leave.

Without a case a label is a counter, ``token-1``: it carries nothing, so two reports can't be
joined by it. With a case, a secret's label is keyed, ``token-7f3k2mab``, and a name's counter comes
from the case's own list: the same value has the same label in every report of that case, and in no
other.

An address's label may also say in which network it is: ``private-address-3.2`` is the third of its
kind and in the second network. The first network's number is left out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from typing import Protocol

from regtrace.redact.shapes import SECRET_KINDS

#: Bytes of a keyed label: forty bits are eight letters of Base32.
_BYTES = 5


class Book(Protocol):
    """What a case remembers."""

    key: bytes

    def name(self, kind: str, value: str, end: str = "") -> str:
        """The label of this name, a new one with this end if it has none."""

    def secret(self, kind: str, suffix: str) -> str:
        """The label that ends so; the first kind that it was taken for stays."""

    def has(self, label: str) -> bool:
        """Whether this case gave it."""


class Labels:
    def __init__(self, book: Book | None = None) -> None:
        self._book = book
        self._known: dict[tuple[str, str], str] = {}
        self._given: set[str] = set()
        self._networks: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        """Distinct values of each kind that became labels."""

    def of(self, kind: str, value: str, network: str | None = None) -> str:
        """``kind-…``, the same for the same value. A secret has one, whatever it is taken for."""
        return self._of(kind, sha256(value), value, network)

    def of_hash(self, kind: str, digest: str) -> str:
        """The same for a secret of which only the SHA-256 is known."""
        return self._of(kind, digest, None, None)

    def known(self, kind: str, value: str) -> str | None:
        """The label that this value has already."""
        return self._known.get((_table(kind), sha256(value)))

    def has(self, text: str) -> bool:
        """Whether this text is a label that was given."""
        return text in self._given or (self._book is not None and self._book.has(text))

    def _of(self, kind: str, digest: str, value: str | None, network: str | None) -> str:
        key = (_table(kind), digest)
        label = self._known.get(key)
        if label is None:
            self.counts[kind] += 1
            label = self._known[key] = self._new(kind, digest, value, network)
            self._given.add(label)
        return label

    def _new(self, kind: str, digest: str, value: str | None, network: str | None) -> str:
        end = "" if network is None else self._end(network)
        if self._book is None:
            return f"{kind}-{self.counts[kind]}{end}"
        if kind in SECRET_KINDS or value is None:
            return self._book.secret(kind, keyed(self._book.key, digest))
        return self._book.name(kind, value, end)

    def _end(self, network: str) -> str:
        """What a label says of its network: nothing of the first."""
        if self._book is None:
            number = self._networks.setdefault(network, len(self._networks) + 1)
        else:
            number = int(self._book.name("network", network).rpartition("-")[2])
        return "" if number == 1 else f".{number}"


def keyed(key: bytes, digest: str) -> str:
    """Eight letters for the secret of this SHA-256; without the key nobody can make them."""
    for turn in range(256):
        mac = hmac.digest(key, f"secret {turn} {digest}".encode(), "sha256")
        suffix = base64.b32encode(mac[:_BYTES]).decode().lower()
        if not suffix.isalpha():
            break
    return suffix


def sha256(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _table(kind: str) -> str:
    return "secret" if kind in SECRET_KINDS else kind
