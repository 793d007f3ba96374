"""One file per part: how it is configured, started and stopped.

Storage is slow to start and stays up between runs. Token server, nginx and registry start in a
moment and are started anew, with the run's settings, for every run.
"""

from __future__ import annotations

from ..settings import Settings
from . import ceph, nginx, registry, tokens

PARTS = ("ceph", "tokens", "nginx", "registry")


def start(settings: Settings, parts: tuple[str, ...] = PARTS) -> None:
    """Bring up the given parts with these settings."""
    starters = {
        "ceph": ceph.start,
        "tokens": tokens.start,
        "nginx": nginx.start,
        "registry": registry.start,
    }
    for part in PARTS:
        if part in parts:
            starters[part](settings)
