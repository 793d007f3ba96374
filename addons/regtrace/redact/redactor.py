"""Turns what was on the wire into what may be shown: a typed allow-list, everything else a label.

Each method is the handler of one kind of value. A value that no handler knows becomes a label such
as ``token-2``: the same value has the same label everywhere in one report, so that two places can
be seen to be equal without anybody reading them. There is no level that shows a secret.

Names stand here; URLs, header fields and sentences have files of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache, partial
from types import MappingProxyType

from regtrace.redact import addresses, grammar, headers, prose, urls
from regtrace.redact.holdings import Holdings
from regtrace.redact.labels import Book, Labels
from regtrace.redact.secrets import METHOD_USERS
from regtrace.redact.shapes import SHORTEST, credentials_in, is_label, is_word, label_in
from regtrace.wire.client import Client, Family
from regtrace.wire.endpoint import is_tag
from regtrace.wire.exchange import Exchange
from regtrace.wire.hosts import Reach, is_address, reach
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind
from regtrace.wire.url import Url

VERSION = "2"


class Level(str, Enum):
    """Who will read it. Secrets are never shown; the levels differ in names."""

    PUBLIC = "public"
    """Hosts, repositories, tags and users are labels too."""
    VENDOR = "vendor"
    """Hosts and repositories readable; client addresses and users are labels."""
    INTERNAL = "internal"
    """All names readable."""


_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-][A-Za-z0-9._/-]{0,254}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,62}")
_LOCAL = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|0\.0\.0\.0|\[::1?\]")
#: Behind the label of a host that a public DNS or network knows (RFC 2606).
_PUBLIC_END = ".example"
#: How the numbers begin that stand for accounts.
_NO_ACCOUNT = "000000"
_LONGEST_PRODUCT = 32


class Redactor:
    def __init__(
        self,
        level: Level = Level.VENDOR,
        holdings: Holdings | None = None,
        case: Book | None = None,
    ) -> None:
        self.level = level
        self.case = case
        self._labels = Labels(case)
        self._holdings = holdings or Holdings()
        self._starts: dict[str, list[str]] | None = None
        # Names, hosts and words stand in every leg; a Location comes back as the next request.
        self.is_harmless = lru_cache(maxsize=4096)(self._is_harmless)
        self.shown_path = lru_cache(maxsize=256)(partial(urls.shown_path, self))
        self.shown_query = lru_cache(maxsize=256)(partial(urls.shown_query, self))

    @property
    def counts(self) -> Mapping[str, int]:
        """How many distinct values of each kind became labels; it grows as more do."""
        return MappingProxyType(self._labels.counts)

    @property
    def hides_names(self) -> bool:
        return self.level is Level.PUBLIC

    # --- labels

    def label(self, kind: str, value: str) -> str:
        """``kind-n``, the same for the same value; a label that was given stays what it is.

        A secret has one label, whatever kind a place takes it for.
        """
        if self.is_label(value):
            return value
        if self._holdings.labelled and (made := label_in(value)):
            return made
        return self._labels.of(kind, value)

    def token(self, sha256: str) -> str:
        """The label of the token whose SHA-256 this is."""
        return self._holdings.made_up.get(sha256) or self._labels.of_hash("token", sha256)

    def label_of(self, kind: str, value: str) -> str | None:
        """The label that this value has already; None if it has none."""
        return self._labels.known(kind, value)

    def is_label(self, text: str) -> bool:
        """Whether this is a label: one of ours, or in a capture that somebody redacted, any."""
        return self._labels.has(text) or (self._holdings.labelled and is_label(text))

    # --- what the capture holds

    def learn(self, exchange: Exchange) -> None:
        """Remember the secrets and names of this exchange, to find them again in sentences."""
        self._holdings.add(exchange)
        self._starts = None
        for remembered in (self.is_harmless, self.shown_path, self.shown_query):
            remembered.cache_clear()

    def swept(self, text: str) -> str:
        """The text with every secret that the capture holds replaced by its label."""
        starts = self._beginnings()
        if starts.keys().isdisjoint(
            text[at : at + SHORTEST] for at in range(len(text) - SHORTEST + 1)
        ):
            return text
        shown, at = [], 0
        while at < len(text):
            known = starts.get(text[at : at + SHORTEST], ())
            found = [secret for secret in known if text.startswith(secret, at)]
            if found:
                longest = max(found, key=len)
                shown.append(self.label(self._holdings.secrets[longest].kind, longest))
                at += len(longest)
            else:
                shown.append(text[at])
                at += 1
        return "".join(shown)

    def _beginnings(self) -> Mapping[str, Sequence[str]]:
        """The secrets by the letters that they begin with."""
        if self._starts is None:
            self._starts = {}
            for secret in self._holdings.secrets.keys() - self._holdings.open:
                self._starts.setdefault(secret[:SHORTEST], []).append(secret)
        return self._starts

    def _is_harmless(self, text: str) -> bool:
        """Neither a secret of this capture nor in the shape of any."""
        return self.swept(text) == text and not credentials_in(text)

    def known(self, word: str) -> str | None:
        """What stands for a user or a name of this capture in a sentence; None for other words."""
        if word in self._holdings.users and not is_common_user(word):
            return self.user(word)
        kind = self._holdings.names.get(word) if self.hides_names else None
        if kind == "host":
            return self.host(word)
        if kind == "service":
            return self.service(word)
        return self.reference(word) if kind == "tag" else self.repository(word) if kind else None

    # --- names

    def term(self, term: Term) -> str:
        """A field of a rule's text."""
        if term.kind is TermKind.PLAIN:
            return self.plain(term.text)
        if term.kind is TermKind.DIGEST:
            return self.digest(term.text) or self.label("digest", term.text)
        if term.kind is TermKind.HOST:
            return self.host(term.text)
        if term.kind is TermKind.URL:
            return self.url_text(term.text)
        if term.kind is TermKind.REPOSITORY:
            return self.repository(term.text)
        if term.kind is TermKind.REFERENCE:
            return self.reference(term.text)
        if term.kind is TermKind.BUCKET:
            return self.bucket(term.text)
        if term.kind is TermKind.SERVICE:
            return self.service(term.text)
        if term.kind is TermKind.SCOPE:
            return self.scope(term.text)
        return self.object_path(term.text)

    def _name(self, kind: str, text: str, *, obeys: bool) -> str:
        """A name: readable below ``public``, if it is one."""
        if self.is_label(text):
            return text
        readable = obeys and not self.hides_names and self.is_harmless(text)
        return text if readable else self.label(kind, text)

    def host(self, authority: str) -> str:
        """``host:port``; the port stays, and so does what only points to the machine itself."""
        name, colon, port = authority.rpartition(":")
        if not colon or not port.isdigit() or (":" in name and not name.startswith("[")):
            name, colon, port = authority, "", ""
        if is_local(name):
            return authority
        obeys = _HOST.fullmatch(name) is not None and len(port) <= 5
        shown = self._host_class(name) if obeys and self.hides_names else None
        return f"{shown or self._name('host', name, obeys=obeys)}{colon}{port[:5]}"

    def _host_class(self, name: str) -> str | None:
        """A label that says which public service it is, or that it is a public host; None for a
        host of a private network."""
        bare = name.removesuffix(_PUBLIC_END)
        if self.is_label(bare):
            return name
        rented = grammar.rented_part(name)
        if rented is not None and self.is_harmless(name):
            made_up = self._holdings.labelled and rented.startswith(_NO_ACCOUNT)
            if not rented or made_up or self.is_label(rented):
                return name
            return self._rented(rented) + name[len(rented) :]
        return self.label("host", name) + _PUBLIC_END if reach(name) is Reach.PUBLIC else None

    def _rented(self, part: str) -> str:
        """An account stays a number of twelve digits, by which a host of ECR is known."""
        if not part.isdigit():
            return self.label("host", part)
        return self.label("account", part).rpartition("-")[2].rjust(12, "0")

    def registry(self, text: str) -> str:
        """``host:port``, and what stands before ``/v2/`` there."""
        authority, slash, path = text.partition("/")
        return self.host(authority) + (urls.prefix(self, slash + path) if slash else "")

    def service(self, text: str) -> str:
        """A token's service, audience or issuer: a host, a URL, or a word."""
        if text.startswith(("http://", "https://")):
            return self.url_text(text)
        if "." in text or ":" in text:
            authority, slash, path = text.partition("/")
            return self.host(authority) + (urls.prefix(self, slash + path) if slash else "")
        return self._name("service", text, obeys=is_word(text.replace(" ", "-")))

    def client_address(self, address: str | None) -> str | None:
        """A client's address, or what a header says in its place."""
        if not address or (self.level is Level.INTERNAL and is_address(address)):
            return address
        place = addresses.place_of(address)
        if place is None:
            return self.label("value", address)
        if _says_enough(address, place):
            return address
        return self._labels.of(place.client_kind, address, place.network)

    def address(self, text: str) -> str:
        """An IP address in a sentence. A client's has its label; loopback says enough to stay."""
        place = addresses.place_of(text)
        if place is None:
            return self.label("value", text)
        client = self._labels.known(place.client_kind, text)
        if self.level is Level.INTERNAL or client:
            return client or text
        if _says_enough(text, place) or (self._holdings.labelled and addresses.is_made_up(text)):
            return text
        if not self.hides_names and self._holdings.names.get(text) == "host":
            return text
        return self._labels.of(place.kind, text, place.network)

    def repository(self, name: str) -> str:
        return self._name("repository", name, obeys=_REPOSITORY.fullmatch(name) is not None)

    def reference(self, name: str) -> str:
        """A tag or digest; a digest says nothing to who does not have the bytes."""
        if grammar.is_digest(name):
            return name
        if ":" in name:
            return self.label("digest", name)
        obeys = is_tag(name) or _REPOSITORY.fullmatch(name) is not None
        return self._name("tag", name, obeys=obeys)

    def digest(self, text: str | None) -> str | None:
        """The digest, None for what only stands in its place."""
        return text if text is not None and grammar.is_digest(text) else None

    def session(self, text: str) -> str:
        """The id of an upload session: a UUID, which support finds in its logs, or a label."""
        return text if grammar.is_uuid(text) or not text else self.label("session", text)

    def user(self, name: str) -> str:
        if name in METHOD_USERS:
            return name
        readable = self.level is Level.INTERNAL and name.isprintable() and self.is_harmless(name)
        return name if readable else self.label("user", name)

    def client(self, client: Client) -> tuple[str | None, str | None]:
        """Product and version of a User-Agent, which may say anything."""
        product, version = client.product, client.version
        known = client.family is not Family.UNKNOWN
        short = len(product) <= _LONGEST_PRODUCT and is_word(product)
        if not (known or short) or not self.is_harmless(product):
            product = self.label("value", product)
        readable = version and grammar.VERSION.fullmatch(version) and self.is_harmless(version)
        return product, version if readable or not version else self.label("value", version)

    def bucket(self, name: str) -> str:
        return self._name("bucket", name, obeys=_BUCKET.fullmatch(name) is not None)

    def object_path(self, path: str) -> str:
        """An object's path in its bucket; kept where distribution's layout explains it."""
        return urls.object_path(self, f"/{path}")[1:]

    # --- closed words

    def word(self, text: str) -> str:
        """A word that ought to be the protocol's own: a code, a region, a header's name."""
        return text if is_word(text) and self.is_harmless(text) else self.label("value", text)

    def code(self, text: str) -> str:
        """An error code; codes are words, a sentence in its place is prose."""
        return self.word(text) if " " not in text else self.prose(text)

    def method(self, text: str) -> str:
        return text if text in grammar.METHODS else self.label("value", text)

    def capture_name(self, name: str) -> str:
        return self.label("capture", name) if self.hides_names else self.plain(name)

    # --- URLs, headers, sentences

    def leg_url(self, kind: Kind, url: Url) -> str:
        """The URL of a leg. What is not registry, token or storage traffic shows its host only."""
        if kind is Kind.CONNECT:
            return self.host(url.authority)
        wordy = kind not in {Kind.OTHER, Kind.STORAGE}
        return urls.url(self, url, self.shown_path(url.path, wordy=wordy))

    def url(self, url: Url) -> str:
        return urls.url(self, url)

    def url_text(self, text: str) -> str:
        return urls.url_text(self, text)

    def query(self, key: str, value: str) -> str:
        return urls.query(self, key, value)

    def scope(self, text: str) -> str:
        return urls.scope(self, text)

    def header(self, name: str, value: str) -> str:
        return headers.header(self, name, value)

    def challenges(self, value: str) -> str:
        return headers.challenges(self, value)

    def prose(self, text: str) -> str:
        return prose.prose(self, text)

    def plain(self, text: str) -> str:
        return prose.plain(self, text)


#: Users whose names are words of every error message.
_COMMON_USERS = frozenset("registry docker user token push pull anonymous client server".split())


def is_local(name: str) -> bool:
    """Whether this host is the machine itself, whichever that is."""
    return _LOCAL.fullmatch(name) is not None


def is_host(text: str) -> bool:
    """Whether this has the form of a host's full name, or of an address."""
    return "." in text and _HOST.fullmatch(text) is not None


def is_common_user(name: str) -> bool:
    return name.lower() in _COMMON_USERS


def _says_enough(text: str, place: addresses.Place) -> bool:
    """Whether this address may stay. Behind a ``%`` anything may stand."""
    return place.scope == Reach.LOOPBACK and "%" not in text
