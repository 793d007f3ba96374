"""Which entries of an image index a machine can run, as clients choose among them.

A User-Agent names the system and the architecture, never the variant (``v7``) or the build of
Windows, so these never speak against an entry: what can't be told counts as fitting.
"""

from __future__ import annotations

from collections.abc import Iterable

from regtrace.wire.manifest import Descriptor

#: Other names of an architecture or a system (containerd platforms database.go).
_SAME = {
    "aarch64": "arm64",
    "armel": "arm",
    "armhf": "arm",
    "i386": "386",
    "macos": "darwin",
    "x86-64": "amd64",
    "x86_64": "amd64",
}
#: What a machine runs besides its own architecture (containerd platforms compare.go).
_ALSO = {"amd64": frozenset({"386"}), "arm64": frozenset({"arm"})}


#: Systems and architectures that images are made for (docker-library/official-images), for texts:
#: a User-Agent is a stranger's.
_KNOWN = frozenset(
    {
        *(("linux", arch) for arch in ("386", "amd64", "arm", "arm64", "mips64le", "ppc64le")),
        *(("linux", arch) for arch in ("loong64", "riscv64", "s390x")),
        *(("windows", arch) for arch in ("amd64", "arm64")),
    }
)


def in_words(os: str | None, arch: str | None) -> str:
    """``linux/amd64``, where it is one that is known."""
    return f"{os}/{arch}" if (os, arch) in _KNOWN else "this machine"


def fits(os: str, arch: str, entry: Descriptor) -> bool:
    """Whether a machine of this system and architecture may run this entry."""
    if entry.platform is None:
        return True  # it does not say; clients then look at its configuration
    words = [_usual(word) for word in entry.platform.split("/")[:2]]
    mine = _usual(arch)
    return words[0] == _usual(os) and (words[1] == mine or words[1] in _ALSO.get(mine, ()))


def offered(entries: Iterable[Descriptor]) -> tuple[str, ...]:
    """The platforms of an index, each once, without its attestations."""
    images = (entry for entry in entries if not entry.is_attestation)
    return tuple(dict.fromkeys(entry.platform for entry in images if entry.platform))


def _usual(word: str) -> str:
    lower = word.lower()
    return _SAME.get(lower, lower)
