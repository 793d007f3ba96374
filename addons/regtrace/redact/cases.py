"""Cases: a folder of the owner's for each, with the key and the list that labels come from.

Nobody else may read it, and nothing in it is a secret of a registry: of names it has the value and
the label, of secrets the label alone. Two programs may use one case at the same time, so whatever
is new is appended under a lock.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

try:
    import fcntl
except ImportError:  # Windows: two programs at once might give one name two labels
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_KEY_SIZE = 32
_KEY, _LIST = "key", "labels.jsonl"


class Unusable(Exception):
    """A case that can't be opened. The message names it, what is wrong, what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    label: str
    value: str | None = None
    """Of a name; a secret's value is written down nowhere."""
    place: str | None = None
    """Where a secret was seen first: file and field."""


class Case:
    """One case: gives labels, and remembers them."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.name_of_case = folder.name
        self.key = key
        self._list = folder / _LIST
        self._read_to = 0
        self._entries: dict[str, Entry] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._suffixes: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._placed: set[str] = set()
        self._refresh()

    # --- what the redactor asks

    def name(self, kind: str, value: str, end: str = "") -> str:
        """The label of this name, the next counter of its kind and this end if it has none."""
        if (kind, value) not in self._names:
            with self._locked():
                self._refresh()
                if (kind, value) not in self._names:
                    number = self._counts.get(kind, 0) + 1
                    self._append(Entry(f"{kind}-{number}{end}", value))
        return self._names[kind, value]

    def secret(self, kind: str, suffix: str) -> str:
        """The label that ends so; the first kind that it was taken for stays."""
        if suffix not in self._suffixes:
            with self._locked():
                self._refresh()
                if suffix not in self._suffixes:
                    self._append(Entry(f"{kind}-{suffix}"))
        return self._suffixes[suffix]

    def has(self, label: str) -> bool:
        return label in self._entries

    # --- what the owner asks

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(self._entries.values())

    def entry(self, label: str) -> Entry | None:
        return self._entries.get(label)

    def seen(self, label: str, place: str) -> None:
        """Remember where this secret stood, unless that is known."""
        if label in self._entries and label not in self._placed:
            with self._locked():
                self._append(Entry(label, self._entries[label].value, place))

    # --- the list

    def _append(self, entry: Entry) -> None:
        pairs = {"label": entry.label, "value": entry.value, "place": entry.place}
        line = json.dumps({key: value for key, value in pairs.items() if value is not None})
        with _private(self._list, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as stream:
            stream.write(line.encode() + b"\n")
        self._refresh()

    def _refresh(self) -> None:
        """Take in what was appended since, by whomever."""
        with contextlib.suppress(FileNotFoundError), self._list.open("rb") as stream:
            stream.seek(self._read_to)
            for line in stream:
                if not line.endswith(b"\n"):
                    break  # somebody is writing it
                self._read_to += len(line)
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            read = json.loads(line)
            entry = Entry(read["label"], read.get("value"), read.get("place"))
            kind, _, end = entry.label.rpartition("-")
            number = 0 if entry.value is None else int(end.partition(".")[0])
        except (ValueError, TypeError, KeyError, AttributeError):
            return  # torn by a full disk
        self._entries[entry.label] = entry
        if entry.place is not None:
            self._placed.add(entry.label)
        if entry.value is None:
            self._suffixes.setdefault(end, entry.label)
        else:
            self._names.setdefault((kind, entry.value), entry.label)
            self._counts[kind] = max(self._counts.get(kind, 0), number)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with _private(self._list.with_name("lock"), os.O_RDWR | os.O_CREAT) as stream:
            if fcntl is not None:
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield


class Unkept:
    """A case that ends with this process: its labels can be read by nobody."""

    def __init__(self) -> None:
        self.key = secrets.token_bytes(_KEY_SIZE)
        self._names: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def name(self, kind: str, value: str, end: str = "") -> str:
        label = self._names.get((kind, value))
        if label is None:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            label = self._names[kind, value] = f"{kind}-{self._counts[kind]}{end}"
        return label

    def secret(self, kind: str, suffix: str) -> str:
        return f"{kind}-{suffix}"

    def has(self, label: str) -> bool:
        return False


def root() -> Path:
    """Where the cases of this user lie."""
    return Path(platformdirs.user_state_dir("regtrace", appauthor=False)) / "cases"


def check_name(name: str) -> str:
    """The name, if a case may have it. Raises Unusable."""
    if not _NAME.fullmatch(name):
        raise Unusable(
            "the name of a case has letters, digits, '.', '_' and '-', begins with a letter or"
            " digit and has 80 characters at most, such as --case acme-2031"
        )
    return name


def name_for(text: str) -> str:
    """A name for a case, made of another name."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:80]
    return plain or "case"


def open_case(name: str) -> Case:
    """The case of this name, made if there is none. Raises Unusable."""
    folder = root() / check_name(name)
    try:
        for private in (folder.parent, folder):
            private.mkdir(mode=0o700, parents=True, exist_ok=True)
            private.chmod(0o700)
        return Case(folder, _key(folder))
    except OSError as fault:
        raise Unusable(f"case {name}: {folder} can't be used: {fault.strerror}") from None


def find_case(name: str) -> Case:
    """The case of this name. Raises Unusable where there is none."""
    if not (root() / check_name(name) / _KEY).is_file():
        raise Unusable(f"there is no case {name} on this machine; regtrace cases lists them")
    return open_case(name)


def case_names() -> list[str]:
    """Of all cases of this user, the last used first."""
    try:
        folders = [folder for folder in root().iterdir() if (folder / _KEY).is_file()]
    except OSError:
        return []
    folders.sort(key=_used, reverse=True)
    return [folder.name for folder in folders]


def last_used(name: str) -> float:
    """Epoch seconds."""
    return _used(root() / name)


def delete_case(name: str) -> None:
    """Forget key and list: its labels can't be read by anybody any more. Raises Unusable."""
    find_case(name)
    try:
        shutil.rmtree(root() / name)
    except OSError as fault:
        raise Unusable(f"case {name}: can't be deleted: {fault.strerror}") from None


def _used(folder: Path) -> float:
    paths = (folder / _LIST, folder / _KEY)
    return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)


def _key(folder: Path) -> bytes:
    """The case's key. Of two programs that make one at the same time, both get the first."""
    path = folder / _KEY
    if not path.exists():
        handle, name = tempfile.mkstemp(dir=folder, prefix=".key-")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(secrets.token_bytes(_KEY_SIZE))
            with contextlib.suppress(FileExistsError):
                os.link(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    key = path.read_bytes()
    if len(key) != _KEY_SIZE:
        raise Unusable(
            f"case {folder.name}: its key is damaged; regtrace cases --delete {folder.name}"
        )
    return key


@contextlib.contextmanager
def _private(path: Path, flags: int) -> Iterator[io.FileIO]:
    """The file, for this user alone from its first moment."""
    handle = os.open(path, flags, 0o600)
    with os.fdopen(handle, "r+b" if flags & os.O_RDWR else "ab", buffering=0) as stream:
        yield stream
