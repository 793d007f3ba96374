"""One file for support: the reports, the redacted capture, versions, and a page that explains it.

Written whole or not at all: to a temporary file, whose every member is then read back and judged by
the gate, and only then given its name.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from regtrace.redact.gate import Gate
from regtrace.report.output import ENDINGS, FORMATS, Leaking, Refused
from regtrace.report.visible import visible

#: Formats that a bundle has, as far as there are renderers for them.
WANTED = ("html", "markdown", "json")
CAPTURE = "capture.redacted.mitm"
#: Bytes that the gate judges at once, and those that it sees twice, lest a border hide a secret.
_STEP, _TWICE = 1024 * 1024, 32 * 1024


def forms() -> list[str]:
    return [form for form in WANTED if form in FORMATS]


def member_of(form: str) -> str:
    """The name of the report in this format."""
    return "report" + next((end for end, known in ENDINGS.items() if known == form), f".{form}")


def check_target(path: str, *, force: bool) -> None:
    """Raise Refused for a path that could not be written, or that exists."""
    target = Path(path)
    try:
        if target.suffix.lower() != ".zip":
            raise Refused(f"{visible(path)}: a bundle is a .zip file; name it so")
        if not target.absolute().parent.is_dir():
            raise Refused(f"{visible(path)}: there is no directory {visible(str(target.parent))}")
        if os.path.lexists(path) and not force:
            raise Refused(f"{visible(path)}: exists; name another file with -o, or add --force")
        if target.is_dir():
            raise Refused(f"{visible(path)}: is a directory; name a file in it")
    except (OSError, ValueError) as fault:
        raise Refused(f"{visible(path)}: can't be written: {fault}") from None


def write(path: str, members: Mapping[str, Iterable[bytes]], gate: Gate) -> None:
    """Write the bundle, for its owner alone. Raises Leaking or Refused; then nothing is left."""
    target = Path(os.path.realpath(path))
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".regtrace-")  # mode 0600
    except OSError as fault:
        raise Refused(f"{visible(path)}: can't be written: {fault.strerror}") from None
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(Path(name).unlink, missing_ok=True)
        try:
            with os.fdopen(handle, "wb") as stream:
                _pack(stream, members)
            _judge(name, gate)
            os.replace(name, target)
        except OSError as fault:
            raise Refused(f"{visible(path)}: can't be written: {fault.strerror}") from None
        on_failure.pop_all()


def _pack(stream: object, members: Mapping[str, Iterable[bytes]]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:  # type: ignore[call-overload]
        for name, pieces in members.items():
            # No time of this machine's, and nobody else may read it unpacked either.
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            with packed.open(entry, "w", force_zip64=True) as member:
                for piece in pieces:
                    member.write(piece)


def _judge(name: str, gate: Gate) -> None:
    """Raise Leaking when a secret that the gate knows stands in any member, as it was written."""
    with zipfile.ZipFile(name) as packed:
        for member in packed.namelist():
            leaks = gate.leaks(member) or _leaks_in(packed, member, gate)
            if leaks:
                raise Leaking(
                    f"the bundle was not written: {member} would show"
                    f" {visible(', '.join(leaks))}; please report this as a fault of regtrace"
                )


def _leaks_in(packed: zipfile.ZipFile, member: str, gate: Gate) -> tuple[str, ...]:
    found: set[str] = set()
    with packed.open(member) as stream:
        before = b""
        while piece := stream.read(_STEP):
            found.update(gate.leaks(before + piece))
            before = piece[-_TWICE:]
    return tuple(sorted(found))
