"""All given files together: each read by its kind, environment laid over, named keys looked up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from regtrace.evidence.config import kinds, sides
from regtrace.evidence.config.keyfiles import read_key_file
from regtrace.evidence.config.kinds import NAMES, TREES, Kind
from regtrace.evidence.config.nginxfile import read_nginx
from regtrace.evidence.config.rubyfile import read_ruby
from regtrace.evidence.config.secrets import secrets_of
from regtrace.evidence.config.sides import Sides
from regtrace.evidence.config.text import Unreadable, read_text
from regtrace.evidence.config.yamlfile import read_yaml
from regtrace.wire.settings import Front, KeyFile, RegistrySide, Setting, Settings, SetUp

#: Files that one directory may bring.
_MOST_FILES = 300
_MOST_ENTRIES = 20_000
_ENDINGS = frozenset({".yml", ".yaml", ".json", ".rb", ".conf", ".env", ".cfg"})
#: Settings that name a certificate or a key.
_NAMED = (
    "auth.token.rootcertbundle",
    "http.tls.certificate",
    "http.tls.key",
    "storage.gcs.keyfile",
)
_NAMED_BY_FRONTS = ("ssl_certificate", "ssl_certificate_key")
#: Where distribution listens if it is told nothing.
_REGISTRY_PORT = 5000
_NAMES_IT = re.compile(r"registr(?:y|ies)", re.IGNORECASE)

#: Reads the key file that a setting names.
ReadKey = Callable[[Setting], KeyFile]


@dataclass(frozen=True, slots=True)
class File:
    """One file that was read."""

    name: str
    kind: Kind

    @property
    def said(self) -> str:
        return NAMES[self.kind]


@dataclass(slots=True)
class Read:
    """What the files say; ``faults`` are those that could not be read, one line each."""

    setup: SetUp
    files: list[File] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    secrets: list[tuple[str, str]] = field(default_factory=list)
    """Where each secret stands, and the secret."""


def read_files(
    paths: Sequence[str], *, kind: Kind | None = None, root: Path | None = None, now: float
) -> Read:
    """The files, and the files in directories, of which those that say nothing are passed over."""
    texts: dict[str, str] = {}
    faults: list[str] = []
    asked: set[str] = set()
    for path in paths:
        for name in _files(path, faults):
            try:
                texts[name] = read_text(Path(name), name)
                if name == path:
                    asked.add(name)
            except Unreadable as fault:
                faults.append(str(fault))
    read = read_texts(texts, kind=kind, now=now, asked=asked, read_key=_from_disk(root))
    read.faults = faults + read.faults
    return read


def read_texts(
    texts: Mapping[str, str],
    *,
    now: float,
    read_key: ReadKey,
    kind: Kind | None = None,
    asked: Iterable[str] | None = None,
) -> Read:
    """The same of files whose texts are known, by name. Those in ``asked`` must be of some kind."""
    read = Read(SetUp(now=now))
    by_name: dict[str, Sides] = {}
    included: set[str] = set()
    failed: dict[str, str] = {}
    environment = Settings()
    must = set(texts if asked is None else asked)
    for name, text in texts.items():
        try:
            chosen, settings = _kind(text, name, kind)
            if chosen is None:
                if name in must:
                    raise Unreadable(
                        f"{name}: is no kind of file that is known here; say which with --kind"
                    )
                continue
            read.files.append(File(name, chosen))
            if chosen is Kind.ENVIRONMENT:
                environment = sides.of_environment(text, name).over(environment)
                _note_secrets(read, environment)
                continue
            if chosen is Kind.NGINX:
                nginx = read_nginx(texts, name)
                included |= nginx.included
                said = Sides(fronts=nginx.fronts)
            else:
                said = _sides(chosen, text, settings or Settings(), name)
            by_name[name] = said
            for each in (settings, *(front.settings for front in said.fronts)):
                if each is not None:
                    _note_secrets(read, each)
            for daemon in said.daemons:
                _note_secrets(read, daemon.settings)
        except Unreadable as fault:
            failed[name] = str(fault)
    # What another file includes holds there, with what that one says around it.
    read.faults = [fault for name, fault in failed.items() if name not in included]
    found = [said for name, said in by_name.items() if name not in included]
    registries = _registries(found, environment)
    fronts = [front for each in found for front in each.fronts]
    read.setup = SetUp(
        now=now,
        registries=registries,
        token_sides=tuple(side for each in found for side in each.token_sides),
        fronts=tuple(front for front in fronts if _leads_to_registry(front, registries)),
        daemons=tuple(daemon for each in found for daemon in each.daemons),
    )
    read.setup = replace(read.setup, key_files=_key_files(read.setup, read_key))
    return read


def _files(path: str, faults: list[str]) -> list[str]:
    folder = Path(path)
    try:
        if not folder.is_dir():
            return [path]
        seen = list(islice(folder.rglob("*"), _MOST_ENTRIES + 1))
        names = sorted(str(each) for each in seen if each.suffix in _ENDINGS)
    except (OSError, ValueError) as fault:
        faults.append(f"{path}: can't be read: {getattr(fault, 'strerror', None) or fault}")
        return []
    if len(names) > _MOST_FILES or len(seen) > _MOST_ENTRIES:
        faults.append(f"{path}: has more than {_MOST_FILES} files; name those that matter")
        return []
    if not names:
        faults.append(f"{path}: holds no file that ends in {', '.join(sorted(_ENDINGS))}")
    return names


def _kind(text: str, name: str, said: Kind | None) -> tuple[Kind | None, Settings | None]:
    chosen = said or kinds.of_text(text, name)
    if chosen is not None and chosen not in TREES:
        return chosen, read_ruby(text, name) if chosen is Kind.GITLAB_RB else None
    settings = read_yaml(text, name)
    return said or kinds.of_tree(settings), settings


def _sides(kind: Kind, text: str, settings: Settings, name: str) -> Sides:
    if kind is Kind.SYSTEMD:
        return sides.of_systemd(text, name)
    return sides.READERS[kind](settings, name)


def _registries(found: Sequence[Sides], environment: Settings) -> tuple[RegistrySide, ...]:
    """Every registry, with the environment file over what its own file says."""
    registries = [registry for each in found for registry in each.registries]
    if not registries and environment.said:
        return (
            RegistrySide(
                source=next(iter(environment.said.values())).source,
                product="distribution",
                settings=environment,
                partial=True,
            ),
        )
    return tuple(
        replace(each, settings=environment.over(each.settings))
        if each.product == "distribution" and environment.said
        else each
        for each in registries
    )


def _leads_to_registry(front: Front, registries: Sequence[RegistrySide]) -> bool:
    """nginx may serve much else; what does not look like a registry is nobody's business here."""
    if front.kind != "nginx":
        return True
    if front.location and "/v2" in front.location.text:
        return True
    # Many other programs listen on 5000, too.
    ports = {_port(each) or _REGISTRY_PORT for each in registries}
    passes = front.passes_to.text if front.passes_to else ""
    words = [*front.names, passes, *(each.text for each in front.upstreams)]
    named = any(_NAMES_IT.search(word) for word in words)
    listens = {each.text.rpartition(":")[2] for each in front.upstreams}
    return named or any(str(port) in listens for port in ports)


def _port(registry: RegistrySide) -> int | None:
    port = (registry.settings.text("http.addr") or "").rpartition(":")[2]
    return int(port) if port.isdigit() and len(port) <= 5 else None


def _key_files(setup: SetUp, read_key: ReadKey) -> dict[str, KeyFile]:
    named = [side.settings.get(name) for side in setup.registries for name in _NAMED]
    named += [front.settings.get(name) for front in setup.fronts for name in _NAMED_BY_FRONTS]
    named += [side.settings.get("key") for side in setup.token_sides]
    files: dict[str, KeyFile] = {}
    for setting in named:
        if setting and setting.text not in files:
            files[setting.text] = read_key(setting)
    return files


def _from_disk(root: Path | None) -> ReadKey:
    return lambda setting: read_key_file(setting, Path(setting.source).parent, root)


def _note_secrets(read: Read, settings: Settings) -> None:
    for _, each in settings:
        where = f"{each.source}, line {each.line}"
        parts = secrets_of(each.text)
        read.secrets += [(where, part) for part in ([each.text] if each.secret else []) + parts]
