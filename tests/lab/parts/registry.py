"""The registry: distribution 2.8, its log as JSON; a second one beside it if a fault wants one."""

from __future__ import annotations

import subprocess

import yaml

from .. import process, world
from ..settings import Settings, Tree, merged


def start(settings: Settings) -> None:
    """Start the registry anew, its log too; or only stop it, when the settings say so."""
    for name in ("registry", "replica"):
        process.stop(name)
    _mount_disk(settings.disk)
    tls = settings.through == "registry"
    port = world.FRONT_PORTS["registry"] if tls else world.REGISTRY_PLAIN_PORT
    if settings.registry:
        _start("registry", settings.registry, port, tls=tls)
    if settings.replica:
        _start("replica", merged(settings.registry, settings.replica), port + 1, tls=tls)


def _start(name: str, said: Tree, port: int, *, tls: bool) -> None:
    path = world.STATE / f"{name}.yaml"
    path.write_text(yaml.safe_dump(configuration(said, port, tls=tls)))
    process.start(
        name,
        ["docker-registry", "serve", str(path)],
        lambda: process.listens(world.REGISTRY_ADDRESS, port),
    )


def configuration(said: Tree, port: int, *, tls: bool) -> Tree:
    """config.yml of a registry that listens on this port."""
    config: Tree = merged(said, {"http": {"addr": f"{world.REGISTRY_ADDRESS}:{port}"}})
    return config if tls else merged(config, {"http": {"tls": None}})


def _mount_disk(options: str) -> None:
    """Give a registry that stores on disk an empty one, of tmpfs."""
    subprocess.run(["umount", world.DISK], capture_output=True, check=False)
    if options:
        world.DISK.mkdir(exist_ok=True)
        process.run(["mount", "-t", "tmpfs", "-o", options, "lab-disk", str(world.DISK)])
