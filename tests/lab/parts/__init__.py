"""One file per part: how it is configured, started and stopped.

Storage is slow to start and stays up between runs. Token server, nginx, middlebox and registry
start in a moment and are started anew, with the run's settings, for every run.
"""

from __future__ import annotations

from ..settings import Settings
from . import ceph, middlebox, nginx, registry, tokens

_STARTERS = {
    "ceph": ceph.start,
    "tokens": tokens.start,
    "nginx": nginx.start,  # before the registry, whose storage may be behind it
    "registry": registry.start,
    "middlebox": middlebox.start,
}
PARTS = tuple(_STARTERS)

# What of the settings each part reads; the way a client goes (`through`) never changes in a run.
_READS = {
    "ceph": ("storage",),
    "tokens": ("token",),
    "registry": ("registry", "replica", "disk"),
    "middlebox": ("middlebox", "nginx"),
    "nginx": ("nginx", "replica"),
}


def start(settings: Settings, parts: tuple[str, ...] = PARTS) -> None:
    """Bring up the given parts with these settings."""
    for part in PARTS:
        if part in parts:
            _STARTERS[part](settings)


def restart(before: Settings, settings: Settings) -> None:
    """Start those parts anew that these settings tell something else than the ones before."""
    start(
        settings,
        tuple(
            part
            for part, read in _READS.items()
            if any(getattr(before, each) != getattr(settings, each) for each in read)
        ),
    )
