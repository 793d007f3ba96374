"""The middlebox as a part: `middlebox.py` in a process of its own, between TLS and the registry."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .. import keys, process, world
from ..settings import Settings

_CONFIG = world.STATE / "middlebox.json"


def start(settings: Settings) -> None:
    """Start the middlebox anew when something goes through it; else there is none."""
    process.stop("middlebox")
    port = world.FRONT_PORTS["middlebox"]
    if settings.through != "middlebox" and str(port) not in settings.nginx["upstream"]:
        return
    config = {
        "address": world.REGISTRY_ADDRESS,
        "port": port,
        "certificate": str(keys.LEAF),
        "key": str(keys.LEAF_KEY),
        "upstream": f"{world.REGISTRY_ADDRESS}:{world.REGISTRY_PLAIN_PORT}",
        **settings.middlebox,
    }
    _CONFIG.write_text(json.dumps(config))
    program = Path(__file__).parent.parent / "middlebox.py"
    process.start(
        "middlebox",
        [sys.executable, str(program), str(_CONFIG)],
        lambda: process.listens(world.REGISTRY_ADDRESS, port),
    )
