"""Making clients trust the authority, and taking that away again, byte for byte."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from regtrace.report.visible import visible
from regtrace.setup import clients, stores
from regtrace.setup.authority import Authority
from regtrace.setup.clients import Place
from regtrace.setup.journal import Change, Edit, Journal, content_of, digest
from regtrace.setup.machine import Machine
from regtrace.setup.refused import Refused

_PURPOSE = "trust "
SYSTEM = "the system"
"""What stands in the place of a registry when the system's store was changed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be written, and run, so that an authority is trusted for one registry."""

    registry: str
    """``SYSTEM`` for all."""
    places: tuple[Place, ...]
    do: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()

    @property
    def purpose(self) -> str:
        return f"{_PURPOSE}{self.registry}"

    @property
    def edits(self) -> tuple[Edit, ...]:
        return tuple(edit for place in self.places for edit in place.edits)


def plan(machine: Machine, authority: Authority, registry: str, chosen: Sequence[str] = ()) -> Plan:
    """For one registry: the chosen clients, or all that are installed. Raises Refused."""
    pem = _pem(authority)
    names = tuple(chosen) or clients.clients_here(machine)
    if not names:
        known = ", ".join(clients.CLIENTS)
        raise Refused(f"no container client was found here; name one with --client ({known})")
    places = tuple(clients.place(name, machine, registry, pem) for name in names)
    for place in places:
        if place.only_root and not machine.is_root:
            folder = place.edits[0].path.parent
            raise Refused(
                f"{place.client} reads {visible(str(folder))}, which only root may write: run this"
                " with sudo, or choose other clients with --client"
            )
    return Plan(registry, places)


def system_plan(machine: Machine, authority: Authority) -> Plan:
    """For every program of this system. Raises Refused."""
    pem = _pem(authority)
    store = stores.store_of(machine)
    if machine.platform != "win32" and not machine.is_root:
        raise Refused(f"the system's store in {store.folder} is root's: run this with sudo")
    file = machine.path(f"{store.folder}/regtrace-{authority.fingerprint[:8]}.crt")
    sha1 = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA1()).hex()  # noqa: S303
    note = "read when a program starts: restart the Docker engine and other daemons"
    return Plan(
        SYSTEM,
        (Place("system", (Edit(file, pem),), note, only_root=True),),
        stores.command(store.apply, file, sha1),
        stores.command(store.undo, file, sha1),
    )


def install(journal: Journal, wanted: Plan) -> tuple[Change, ...]:
    """Carry it out; returns what was changed, nothing when all was so. Raises Refused."""
    return journal.write(wanted.purpose, wanted.edits, wanted.do, wanted.undo)


def remove(journal: Journal, registry: str) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Take it back; returns what was restored and what could not be. Raises Refused."""
    return journal.take_back(f"{_PURPOSE}{registry}")


def installed(journal: Journal) -> dict[str, tuple[Change, ...]]:
    """What stands, by registry. Raises Refused."""
    found: dict[str, tuple[Change, ...]] = {}
    for change in journal.changes():
        if change.purpose.startswith(_PURPOSE):
            registry = change.purpose.removeprefix(_PURPOSE)
            found[registry] = (*found.get(registry, ()), change)
    return found


def restarts(registry: str, changes: Sequence[Change]) -> tuple[str, ...]:
    """Who has read what was taken back, and must start anew to forget it."""
    said = []
    if registry == SYSTEM and changes:
        said.append(
            "programs that run now trust it until they are restarted, the Docker engine too"
        )
    paths = [Path(each.path) for each in changes]
    if any(path.name == "buildkitd.toml" for path in paths):
        said.append("restart buildkitd, or make the builder of docker buildx anew")
    if any(path.parts[-4:-2] == (".docker", "certs.d") for path in paths):
        said.append("restart Docker Desktop or colima: the virtual machine has a copy")
    return tuple(said)


def state(change: Change) -> str:
    """``as written``, ``changed since`` or ``missing``. Raises Refused when it can't be read."""
    now = content_of(Path(change.path))
    if now is None:
        return "missing"
    return "as written" if digest(now) == change.after else "changed since"


def warnings(authority: Authority, registry: str) -> tuple[str, ...]:
    """What is unwise about trusting this authority for this registry."""
    said = []
    days = (authority.expires - authority.not_before).days
    if not authority.hosts:
        said.append(
            f"this authority may sign for every host, and for {days} days: whoever gets its key can"
            " read what every client here sends that trusts it; regtrace ca create HOST makes one"
            " that can't"
        )
    elif registry != SYSTEM and not covers(authority, registry):
        said.append(
            f"this authority may not sign for {registry}, so clients will refuse it there; it is"
            f" for {', '.join(authority.hosts)}"
        )
    return tuple(said)


def covers(authority: Authority, registry: str) -> bool:
    """Whether the authority may sign for this registry (``host[:port]``)."""
    host = registry.rpartition(":")[0] if registry.rpartition(":")[2].isdigit() else registry
    host = host.strip("[]")
    return not authority.hosts or any(
        host == each or host.endswith(f".{each}") for each in authority.hosts
    )


def _pem(authority: Authority) -> bytes:
    """The certificate. Raises Refused when it has expired."""
    if authority.expires < datetime.datetime.now(datetime.timezone.utc):
        raise Refused(
            f"{visible(str(authority.certificate))}: expired on {authority.expires:%Y-%m-%d}; make"
            " a new one with regtrace ca create --replace"
        )
    return authority.certificate.read_bytes()
