"""Where each container client reads which authorities it trusts, for one registry alone.

That is narrower than the system's store, is read for each push (but for BuildKit's) and needs no
restart. All of them use it for the token and the storage leg of that push as well, except BuildKit:
there the client (buildx, buildctl) fetches the token, with trust of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from regtrace.report.visible import visible
from regtrace.setup.authority import named
from regtrace.setup.journal import Edit, content_of
from regtrace.setup.machine import Engine, Machine
from regtrace.setup.refused import Refused

_NAME = "regtrace.crt"
"""Every file that ends in .crt is read as an authority, beside those that are there already."""

_NO_RESTART = "read for each push: no restart"


@dataclass(frozen=True, slots=True)
class Place:
    """What makes one client trust the authority for one registry."""

    client: str
    edits: tuple[Edit, ...]
    note: str
    """When it counts."""
    only_root: bool


def clients_here(machine: Machine) -> tuple[str, ...]:
    """The names of the clients that are installed and that a person would push with."""
    return tuple(name for name, programs in _PROGRAMS.items() if any(map(machine.has, programs)))


def place(client: str, machine: Machine, registry: str, pem: bytes) -> Place:
    """Where this client looks. Raises Refused where regtrace must not or can't write."""
    return CLIENTS[client](machine, registry, pem)


def registry_name(said: str) -> str:
    """``host`` or ``host:port`` as in the name of an image. Raises Refused."""
    (host,) = named([said])
    port = said.strip().rpartition(":")[2]
    # An address of IPv6 without brackets has no port.
    has_port = port.isdigit() and (said.count(":") == 1 or "]:" in said)
    if has_port and not 0 < int(port) < 65536:
        raise Refused(f"{visible(said, limit=80)}: has a port that does not exist")
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" if has_port else shown


def _docker(machine: Machine, registry: str, pem: bytes) -> Place:
    engine = machine.engine()
    note = _NO_RESTART
    folder = registry
    if engine is Engine.SNAP:
        raise Refused(
            "docker is a snap, which sees its own /etc/docker only: copy the certificate to"
            f" /var/snap/docker/current/etc/docker/certs.d/{registry}/regtrace.crt, and remove it"
            " afterwards; or choose other clients with --client"
        )
    if engine in (Engine.DESKTOP, Engine.COLIMA):
        base = machine.home / ".docker"
        restart = "colima restart" if engine is Engine.COLIMA else "restart Docker Desktop"
        note = f"copied into its virtual machine when that starts: {restart}"
    elif engine is Engine.ROOTLESS:
        base = machine.config_home / "docker"
    elif engine is Engine.WINDOWS:
        base = Path(machine.environment.get("PROGRAMDATA", r"C:\ProgramData")) / "docker"
        folder = registry.replace(":", "")
    else:
        base = machine.path("/etc/docker")
    if registry in ("docker.io", "registry-1.docker.io"):
        note += "; for Docker Hub only with the containerd image store, else use --system"
    edit = Edit(base / "certs.d" / folder / _NAME, pem)
    return Place("docker", (edit,), note, only_root=engine is Engine.SYSTEM)


def _containers(machine: Machine, registry: str, pem: bytes) -> Place:
    """podman, buildah and skopeo (containers-certs.d(5))."""
    base = machine.path("/etc") if machine.is_root else machine.config_home
    edit = Edit(base / "containers" / "certs.d" / registry / _NAME, pem)
    return Place("containers", (edit,), _NO_RESTART, only_root=False)


def _containerd(machine: Machine, registry: str, pem: bytes) -> Place:
    """containerd reads the first of its folders that exists (core/remotes/docker/config/hosts.go).

    Without a hosts.toml in it, that folder is read as Docker reads its own.
    """
    base = machine.path("/etc/containerd/certs.d")
    names: tuple[str, ...] = (registry, "_default")
    if ":" in registry:
        host, _, port = registry.rpartition(":")
        names = (f"{host}_{port}_", *names)
    folder = next((base / name for name in names if (base / name).is_dir()), base / registry)
    certificate = folder / _NAME
    edits = [Edit(certificate, pem)]
    hosts = content_of(folder / "hosts.toml")
    if hosts is not None:
        edits.append(Edit(folder / "hosts.toml", _with_authority(folder, hosts, certificate)))
    note = f"{_NO_RESTART}; ctr needs --hosts-dir {base}, Kubernetes config_path = {str(base)!r}"
    return Place("containerd", tuple(edits), note, only_root=True)


def _with_authority(folder: Path, hosts: bytes, certificate: Path) -> bytes:
    """hosts.toml, with one more ``ca`` for the registry and for each host named before it."""
    document = _toml(folder / "hosts.toml", hosts)
    tables = [document, *_tables(document.get("host"))]
    for table in tables:
        table["ca"] = _one_more(table.get("ca"), certificate)
    return tomlkit.dumps(document).encode()


def _buildkit(machine: Machine, registry: str, pem: bytes) -> Place:
    base = machine.path("/etc") if machine.is_root else machine.config_home
    file = base / "buildkit" / "buildkitd.toml"
    certificate = base / "buildkit" / f"regtrace-{registry.replace(':', '_')}.crt"
    document = _toml(file, content_of(file) or b"")
    registries = document.setdefault("registry", tomlkit.table(is_super_table=True))
    table = registries.setdefault(registry, tomlkit.table())
    table["ca"] = _one_more(table.get("ca"), certificate)
    edits = (Edit(certificate, pem), Edit(file, tomlkit.dumps(document).encode()))
    note = (
        "read when it starts: restart buildkitd, or make the builder anew with docker buildx create"
        f" --buildkitd-config {file}; its token is fetched by buildx or buildctl: run that with"
        " SSL_CERT_FILE"
    )
    return Place("buildkit", edits, note, only_root=False)


def _toml(path: Path, content: bytes) -> Any:
    try:
        return tomlkit.parse(content.decode())
    except (TOMLKitError, UnicodeDecodeError) as fault:
        reason = visible(str(fault), limit=120)
        raise Refused(f"{visible(str(path))}: is no TOML, so it is not changed: {reason}") from None


def _tables(said: Any) -> list[Any]:
    return [each for each in said.values() if isinstance(each, dict)] if said else []


def _one_more(said: Any, certificate: Path) -> list[str]:
    """The files of a ``ca``, which may be one or a list, and this one."""
    files = [said] if isinstance(said, str) else list(said or ())
    return list(dict.fromkeys([*map(str, files), str(certificate)]))


CLIENTS: dict[str, Callable[[Machine, str, bytes], Place]] = {
    "docker": _docker,
    "containers": _containers,
    "containerd": _containerd,
    "buildkit": _buildkit,
}

_PROGRAMS = {
    "docker": ("docker", "dockerd", "docker.exe"),
    "containers": ("podman", "skopeo", "buildah"),
    # ctr comes with every Docker engine; that alone is nobody's client.
    "containerd": ("nerdctl", "crictl"),
    "buildkit": ("buildkitd",),
}
