"""What a site says of itself: how its registries ought to look on the wire, and what it accepts.

Rules that know nothing of the site can only tell what contradicts itself; with the expectations,
they can tell a wrong realm, issuer, storage or signature for certain. Reading the file, and the key
files that it names, is the caller's: nothing here does I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.suppressions import Suppression, read_suppression
from regtrace.diagnose.yamltext import Part, read_yaml, shown
from regtrace.wire.signature import Proof, verify
from regtrace.wire.token import Token
from regtrace.wire.trusted_keys import TrustedKeys, load_keys
from regtrace.wire.url import Url, parse_url

_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?s?")
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?([A-Za-z]{0,3})")

#: Units of a size, in lower case: nginx's k, m and g are powers of 1024.
_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryExpectation:
    """How one registry ought to look. What is None was not said."""

    authority: str
    """``host:port``."""
    realm: Url | None = None
    """Where clients get tokens (distribution's ``auth.token.realm``)."""
    service: str | None = None
    issuer: str | None = None
    storage: frozenset[str] = frozenset()
    """``host:port`` of each place that it may redirect to; empty when not said."""
    token_keys: TrustedKeys | None = None
    clock_tolerance: float | None = None
    """Seconds by which clocks may differ."""
    max_body: int | None = None
    """Bytes of one request that the reverse proxy in front lets through."""
    read_timeout: float | None = None
    """Seconds that the reverse proxy in front waits for the registry."""

    def proof(self, token: Token) -> Proof | None:
        """Whether a key that this registry trusts signed the token; None when no key is known."""
        return verify(token, self.token_keys) if self.token_keys else None


@dataclass(frozen=True, slots=True)
class Expectations:
    registries: Mapping[str, RegistryExpectation] = field(default_factory=dict)
    """By ``host:port``."""
    suppressions: tuple[Suppression, ...] = ()

    def for_registry(self, registry: str | None) -> RegistryExpectation | None:
        """What is expected of this registry: ``host:port``, whatever stands before its ``/v2/``."""
        return self.registries.get((registry or "").partition("/")[0])


NOTHING_EXPECTED = Expectations()

#: Reads the key file that an expectation names. Raises OSError.
ReadKeyFile = Callable[[str], bytes]


def parse_expectations(
    text: str, source: str, rules: Sequence[Rule], read_key_file: ReadKeyFile
) -> Expectations:
    """The expectations in this YAML file, called ``source`` in messages.

    ``rules`` are those that may be suppressed. Raises :class:`regtrace.diagnose.yamltext.Mistake`.
    """
    file = read_yaml(text, source, "the file")
    if file is None:
        return Expectations()
    parts = file.fields(("registries", "suppress"))
    registries: dict[str, RegistryExpectation] = {}
    for key, value in parts["registries"].pairs() if "registries" in parts else ():
        authority = key.authority()
        if authority in registries:
            raise key.mistake(f"{authority} is described twice; put both into one")
        registries[authority] = _registry(authority, value, read_key_file)
    suppressions = parts["suppress"].items() if "suppress" in parts else ()
    return Expectations(registries, tuple(read_suppression(entry, rules) for entry in suppressions))


def _registry(authority: str, part: Part, read_key_file: ReadKeyFile) -> RegistryExpectation:
    fields = part.fields([*_READERS, "token_keys"])
    said = {name: _READERS[name](value) for name, value in fields.items() if name in _READERS}
    if "token_keys" in fields:
        said["token_keys"] = _keys(fields["token_keys"], read_key_file)
    return RegistryExpectation(authority=authority, **said)


def _keys(part: Part, read_key_file: ReadKeyFile) -> TrustedKeys:
    """The keys of every file, or of the PEM or JWKS that stands in its place."""
    loaded: list[TrustedKeys] = []
    for entry in part.one_or_more():
        text = entry.text()
        inline = "-----BEGIN " in text or text.startswith("{")
        name = "token_keys" if inline else shown(text)
        try:
            loaded.append(load_keys(text.encode() if inline else read_key_file(text)))
        except OSError as fault:
            raise entry.mistake(f"{name}: can't be read: {fault.strerror or fault}") from None
        except ValueError as fault:
            raise entry.mistake(f"{name}: {fault}") from None
    return TrustedKeys(
        tuple(key for keys in loaded for key in keys.keys),
        tuple(root for keys in loaded for root in keys.roots),
    )


def _url(part: Part) -> Url:
    url = parse_url(part.text())
    if url is None:
        example = "https://auth.example/token"
        raise part.mistake(f"{part.name}: {shown(part.text())} is no URL; write it like {example}")
    return url


def _hosts(part: Part) -> frozenset[str]:
    return frozenset(entry.authority() for entry in part.one_or_more())


def _seconds(part: Part) -> float:
    match = _SECONDS.fullmatch(part.written())
    if match is None:
        raise part.mistake(
            f"{part.name}: {shown(part.written())} is no number of seconds; write it like 60"
        )
    return float(match[1])


def _bytes(part: Part) -> int:
    match = _SIZE.fullmatch(part.written())
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None or float(match[1]) == 0:
        raise part.mistake(
            f"{part.name}: {shown(part.written())} is no size; write it like 100m (nginx's 1024"
            " times 1024), 100MB or 1GiB, and leave it out where there is no limit"
        )
    return int(float(match[1]) * unit)


#: Field of a registry → its reader.
_READERS: Mapping[str, Callable[[Part], Any]] = {
    "realm": _url,
    "service": Part.text,
    "issuer": Part.text,
    "storage": _hosts,
    "clock_tolerance": _seconds,
    "max_body": _bytes,
    "read_timeout": _seconds,
}
