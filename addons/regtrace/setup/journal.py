"""What regtrace changed on this machine, so that exactly that can be taken back.

The journal is one file for its owner alone: of every file written what stood there before, byte
for byte, and the hash of what was written. It is written before the file is, so a crash leaves
either no change or one that the journal knows. A file that others changed since is not touched.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from regtrace.report.visible import visible
from regtrace.setup.refused import Refused

if sys.platform != "win32":
    import fcntl

_SCHEMA = "regtrace/journal/1"
_MOST = 64 * 2**20
"""Bytes of a journal that are read."""
_MOST_OF_A_FILE = 2**20
"""Bytes of a file to be changed; settings and certificates are far smaller."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A file as it shall be."""

    path: Path
    content: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """A file that was written."""

    purpose: str
    """What it was for: changes of one purpose are taken back together."""
    path: str
    before: str | None
    """base64 of what stood there; None when there was no file."""
    after: str
    """SHA-256 of what was written."""
    made: tuple[str, ...] = ()
    """Folders made for it, outermost first."""
    undo: tuple[str, ...] = ()
    """A command to run once the file is as before."""

    @property
    def content_before(self) -> bytes | None:
        return None if self.before is None else base64.b64decode(self.before)


class Journal:
    """The changes that still stand. Every method raises Refused."""

    def __init__(self, folder: Path, run: Callable[[Sequence[str]], None]) -> None:
        self._folder = folder
        self._file = folder / "journal.json"
        self._run = run

    def changes(self, purpose: str = "") -> tuple[Change, ...]:
        """Those of this purpose, or of all, oldest first."""
        return tuple(each for each in self._read() if purpose in ("", each.purpose))

    def plan(self, purpose: str, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        """Those edits that would change something; looks whether they may be made."""
        known = {each.path: each for each in self._read()}
        return tuple(edit for edit in edits if _is_needed(purpose, edit, known.get(str(edit.path))))

    def write(
        self, purpose: str, edits: Sequence[Edit], do: Sequence[str] = (), undo: Sequence[str] = ()
    ) -> tuple[Change, ...]:
        """Write these files, then run a command: all of it or, also when interrupted, nothing.

        Returns what was changed. The command is not run when everything was so already.
        """
        with self._locked():
            needed = self.plan(purpose, edits)
            before = self._read()
            with contextlib.ExitStack() as on_failure:
                on_failure.callback(self._save, before)
                on_failure.callback(self._try, undo)
                try:
                    changes = [self._note(purpose, edit, tuple(undo)) for edit in needed]
                    for edit in needed:
                        made = _missing_folders(edit.path)
                        on_failure.callback(_restore, edit.path, content_of(edit.path), made)
                        edit.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                        replace_file(edit.path, edit.content)
                    if needed and do:
                        self._run(do)
                except OSError as fault:
                    raise _unwritable(fault) from None
                on_failure.pop_all()
            return tuple(changes)

    def take_back(self, purpose: str = "") -> tuple[tuple[Change, ...], tuple[str, ...]]:
        """Restore the files of this purpose, or of all, newest first.

        Returns what was restored, and a line for each that was not; that one stays in the journal.
        """
        with self._locked():
            restored: list[Change] = []
            problems: list[str] = []
            for change in reversed(self.changes(purpose)):
                try:
                    _take_back(change)
                except (Refused, OSError) as fault:
                    problems.append(
                        str(_unwritable(fault) if isinstance(fault, OSError) else fault)
                    )
                else:
                    restored.append(change)
                    self._save([each for each in self._read() if each != change])
            for command in dict.fromkeys(each.undo for each in restored if each.undo):
                try:
                    self._run(command)
                except Refused as fault:
                    problems.append(str(fault))
            return tuple(restored), tuple(problems)

    def forget(self, purpose: str) -> None:
        """Something else has taken these changes back."""
        with self._locked():
            self._save([each for each in self._read() if each.purpose != purpose])

    def _try(self, command: Sequence[str]) -> None:
        with contextlib.suppress(Refused):
            if command:
                self._run(command)

    def _note(self, purpose: str, edit: Edit, undo: tuple[str, ...]) -> Change:
        """Write down what will be done, before it is."""
        now = content_of(edit.path)
        change = Change(
            purpose=purpose,
            path=str(edit.path),
            before=None if now is None else base64.b64encode(now).decode(),
            after=digest(edit.content),
            made=_missing_folders(edit.path),
            undo=undo,
        )
        others = []
        for each in self._read():
            if each.path != change.path:
                others.append(each)
            else:  # written by regtrace before: what stood there at first is what counts
                change = replace(change, before=each.before, made=each.made + change.made)
        self._save([*others, change])
        return change

    def _read(self) -> list[Change]:
        shown = visible(str(self._file))
        try:
            with self._file.open("rb") as stream:
                content = json.loads(stream.read(_MOST))
            if content["schema"] != _SCHEMA:
                raise ValueError("another version of regtrace wrote it")
            return [_read_change(each) for each in content["changes"]]
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise Refused(f"{shown}: can't be read: {fault.strerror}") from None
        except (ValueError, KeyError, TypeError) as fault:
            reason = visible(str(fault), limit=120)
            raise Refused(f"{shown}: is no journal of regtrace's changes: {reason}") from None

    def _save(self, changes: Sequence[Change]) -> None:
        if not changes:
            self._file.unlink(missing_ok=True)
            return
        content = {"schema": _SCHEMA, "changes": [asdict(each) for each in changes]}
        replace_file(self._file, json.dumps(content, indent=1).encode(), 0o600)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One command at a time. The folder is made for it, and goes again when it stays empty."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as fault:
            raise Refused(
                f"{visible(str(self._folder))}: can't be written: {fault.strerror}; regtrace must"
                " remember there what it changes"
            ) from None
        try:
            with _lock(self._folder):
                yield
        finally:
            with contextlib.suppress(OSError):  # something is to be remembered
                self._folder.rmdir()


def folder() -> Path:
    """Where regtrace remembers: root's on the machine, another user's in the home."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/regtrace")
    return folder_of_user()


def folder_of_user() -> Path:
    return platformdirs.user_state_path("regtrace", appauthor=False)


def digest(content: bytes) -> str:
    """SHA-256, lower hex."""
    return hashlib.sha256(content).hexdigest()


def run(command: Sequence[str]) -> None:
    """Run a command to its end. Raises Refused with its last words when it fails."""
    try:
        done = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=300,
        )
    except OSError as fault:
        raise Refused(f"{command[0]}: can't be run: {fault.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Refused(f"{' '.join(command)}: did not end within 5 minutes") from None
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip().splitlines()[-1:] or ["nothing said"]
        raise Refused(
            f"{' '.join(command)} ended with {done.returncode}: {visible(said[0], limit=300)}"
        )


def content_of(path: Path) -> bytes | None:
    """What stands there, or None. Raises Refused for what is no ordinary file."""
    try:
        if stat.S_ISLNK(path.lstat().st_mode):
            raise Refused(f"{visible(str(path))}: is a link, so regtrace does not change it")
        with path.open("rb") as stream:
            content = stream.read(_MOST_OF_A_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as fault:
        raise Refused(f"{visible(str(path))}: can't be read: {fault.strerror}") from None
    if len(content) > _MOST_OF_A_FILE:
        raise Refused(f"{visible(str(path))}: is too large to be changed by regtrace")
    return content


def _is_needed(purpose: str, edit: Edit, known: Change | None) -> bool:
    now = content_of(edit.path)
    if now == edit.content:
        return False
    if known is not None and known.purpose != purpose:
        # One of the two could not be taken back without the other.
        raise Refused(
            f"{visible(known.path)}: was changed by regtrace already ({visible(known.purpose)});"
            " take that back first"
        )
    if known is not None and now is not None and not _is_known(known, now):
        raise Refused(_changed(known))
    return True


def _take_back(change: Change) -> None:
    """Put the file back as it was, unless it is so. Raises Refused when others changed it."""
    path = Path(change.path)
    now = content_of(path)
    if now is not None and not _is_known(change, now):
        raise Refused(_changed(change))
    _restore(path, change.content_before, change.made)


def _is_known(change: Change, now: bytes) -> bool:
    """Whether what stands there is what regtrace wrote, or what it found."""
    return now == change.content_before or digest(now) == change.after


def _restore(path: Path, old: bytes | None, made: Sequence[str]) -> None:
    """Make the file what it was, and remove the folders that were made for it."""
    now = content_of(path)
    if old is None:
        path.unlink(missing_ok=True)
    elif now is not None and now != old:
        replace_file(path, old)
    for folder in reversed(made):
        with contextlib.suppress(OSError):  # others have put something in
            Path(folder).rmdir()


def _missing_folders(path: Path) -> tuple[str, ...]:
    return tuple(str(each) for each in reversed(path.parents) if not each.exists())


def replace_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Whole or not at all. A file that is there keeps mode, owner and SELinux label."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".regtrace-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            there = path.stat()
            shutil.copystat(path, name)
            os.utime(name)
            if hasattr(os, "chown"):
                os.chown(name, there.st_uid, there.st_gid)
        else:
            os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _changed(change: Change) -> str:
    return (
        f"{visible(change.path)}: was changed since regtrace wrote it, so it stays as it is; remove"
        " from it by hand what regtrace put there"
    )


def _unwritable(fault: OSError) -> Refused:
    return Refused(f"{visible(str(fault.filename))}: can't be written: {fault.strerror}")


def _read_change(said: dict[str, Any]) -> Change:
    return Change(**{**said, "made": tuple(said["made"]), "undo": tuple(said["undo"])})


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Waits for another regtrace that changes this machine."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
