"""What the files of a set-up say: settings with the place where each stands, by whose they are.

Plain data. The files are read in ``evidence.config``, the questions are asked in
``diagnose.config``; nothing here does I/O. Names are those of the product whose setting it is: a
registry's are distribution's (``http.addr``), whichever file they came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from regtrace.wire.url import Url, parse_url

_TRUE = frozenset({"true", "yes", "on", "1", "t"})
#: Names right below another one that are looked at: services, endpoints, mirrors.
_MOST_BELOW = 200
_FALSE = frozenset({"false", "no", "off", "0", "f"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of a file."""

    name: str
    """As that file calls it: ``registry['storage']['s3']['region']``, ``http.addr``."""
    text: str = field(repr=False)
    source: str
    """The file, as it was given on the command line."""
    line: int
    secret: bool = False
    """A password, a key, …: it is compared, never shown."""
    computed: bool = False
    """The file does not say the value but how to get it; ``text`` is empty."""

    @property
    def flag(self) -> bool | None:
        word = self.text.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else None

    @property
    def number(self) -> int | None:
        word = self.text.strip().replace("_", "")
        return int(word) if word.isascii() and word.isdigit() and len(word) < 19 else None

    @property
    def url(self) -> Url | None:
        return parse_url(self.text) if "://" in self.text else None


class Settings:
    """Settings by dotted name; what is computed counts as there, with a value nobody knows."""

    def __init__(self, said: Mapping[str, Setting] | None = None) -> None:
        self.said: dict[str, Setting] = dict(said or {})

    def __iter__(self) -> Iterator[tuple[str, Setting]]:
        return iter(self.said.items())

    def get(self, *names: str) -> Setting | None:
        """The first of these that has a value which can be read."""
        found = (self.said.get(name) for name in names)
        return next((each for each in found if each and not each.computed and each.text), None)

    def there(self, name: str) -> Setting | None:
        """What stands under this name or one below it, readable or not; nothing that is empty."""
        below = f"{name}."
        found = (each for key, each in self.said.items() if key == name or key.startswith(below))
        return next((each for each in found if each.text or each.computed), None)

    def unreadable(self, name: str) -> bool:
        """It is set, to something that only running the file would tell."""
        each = self.said.get(name)
        return each is not None and each.computed

    def flag(self, name: str) -> bool | None:
        each = self.get(name)
        return each.flag if each else None

    def text(self, name: str) -> str | None:
        each = self.get(name)
        return each.text if each else None

    def below(self, name: str) -> list[str]:
        """The names right below this one, in order."""
        below = f"{name}."
        names = (key[len(below) :] for key in self.said if key.startswith(below))
        return list(dict.fromkeys(each.partition(".")[0] for each in names))[:_MOST_BELOW]

    def items(self, name: str) -> list[Setting]:
        """A list's values, or the one that stands in its place."""
        alone = self.get(name)
        rows = [self.get(f"{name}.{each}") for each in self.below(name)]
        return [each for each in (alone, *rows) if each]

    def over(self, other: Settings) -> Settings:
        """These, and from the other one what is not said here."""
        return Settings({**other.said, **self.said})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySide:
    """A registry: what its own configuration says, wherever it was written."""

    source: str
    product: str
    """``distribution``, ``gitlab`` or ``harbor``: whose defaults hold where nothing is said."""
    settings: Settings
    public: Setting | None = None
    """The URL that its clients use (``registry_external_url``, ``externalURL``)."""
    replicas: Setting | None = None
    contained: bool = False
    """It runs in a container or a pod: its loopback is nobody else's, its ports are not open."""
    partial: bool = False
    """The file says only a part; the rest is filled in by the product's installer."""
    generated_secret: bool = False
    """``http.secret`` is made by the installer, the same for all replicas, if it is not said."""

    @property
    def driver(self) -> str | None:
        """``s3``, ``filesystem``, …; variants such as ``s3_v2`` and ``s3aws`` are one."""
        names = self.drivers
        return DRIVERS.get(names[0]) if names else None

    @property
    def drivers(self) -> list[str]:
        alone = self.settings.get("storage")
        names = [alone.text] if alone else self.settings.below("storage")
        return [name for name in names if name in DRIVERS]

    def storage(self, name: str) -> Setting | None:
        """A setting of the driver that is used."""
        return self.settings.get(f"storage.{self.drivers[0]}.{name}") if self.drivers else None

    @property
    def count(self) -> int:
        return (self.replicas.number or 1) if self.replicas else 1


#: Names of storage drivers → what they store on (distribution, and GitLab's fork).
DRIVERS = {
    "filesystem": "filesystem",
    "inmemory": "inmemory",
    "s3": "s3",
    "s3aws": "s3",
    "s3_v2": "s3",
    "azure": "azure",
    "azure_v2": "azure",
    "gcs": "gcs",
    "swift": "swift",
    "oss": "oss",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSide:
    """The token server's side: ``issuer``, ``service``, ``key`` (a path), ``url``, ``api_url``."""

    source: str
    product: str
    """``gitlab`` or ``harbor``."""
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """A port that the reverse proxy listens on."""

    setting: Setting
    port: int
    tls: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """A reverse proxy's way to a registry: nginx's ``location``, an ingress.

    ``settings`` are its directives as they hold there, inherited ones too; ``header.host`` is what
    it sets as Host, in lower case.
    """

    source: str
    kind: str
    """``nginx``, ``ingress`` (ingress-nginx) or ``gitlab.rb`` (nginx of the Linux package)."""
    settings: Settings
    names: tuple[str, ...] = ()
    listens: tuple[Listening, ...] = ()
    location: Setting | None = None
    passes_to: Setting | None = None
    """``proxy_pass``."""
    whole: bool = True
    """What is around it was seen, too; else a directive that is not said here may be said there."""
    upstreams: tuple[Setting, ...] = ()
    """``host:port`` of each server behind it."""

    @property
    def tls(self) -> bool:
        return any(each.tls for each in self.listens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A container engine's settings: ``http-proxy``, ``https-proxy``, ``no-proxy``,
    ``insecure-registries``, ``registry-mirrors``; ``misplaced`` is the ``default`` of client
    settings where it is none."""

    source: str
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """A certificate or key that a setting names."""

    setting: Setting
    shown: str
    """Its path, for messages."""
    missing: bool = False
    problem: str = ""
    """Why it can't be read, in our words."""
    keys: frozenset[str] = frozenset()
    """SHA-256 of each public key (SubjectPublicKeyInfo), of a private key of its public one."""
    private: bool = False
    not_before: float | None = None
    """Of the first certificate, epoch seconds UTC."""
    not_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """All that the given files say, and when they were read."""

    now: float
    registries: tuple[RegistrySide, ...] = ()
    token_sides: tuple[TokenSide, ...] = ()
    fronts: tuple[Front, ...] = ()
    daemons: tuple[Daemon, ...] = ()
    key_files: Mapping[str, KeyFile] = field(default_factory=dict)
    """By the path that is written in the settings."""

    def key_file(self, setting: Setting | None) -> KeyFile | None:
        """The file that this setting names, if it was there to be read."""
        found = self.key_files.get(setting.text) if setting else None
        return replace(found, setting=setting) if found and setting else None
