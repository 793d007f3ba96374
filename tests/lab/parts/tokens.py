"""The token server as a part: `token_server.py` in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .. import keys, process, world
from ..settings import Settings

_CONFIG = world.STATE / "tokens.json"


def start(settings: Settings) -> None:
    """Start the token server anew."""
    process.stop("tokens")
    config = {
        "address": world.AUTH_ADDRESS,
        "port": world.AUTH_PORT,
        "certificate": str(keys.LEAF),
        "key": str(keys.LEAF_KEY),
        "signing_certificate": str(keys.TOKEN),
        "signing_key": str(keys.TOKEN_KEY),
        "issuer": world.ISSUER,
        "user": world.USER,
        "password": world.PASSWORD,
        "actions": settings.token_actions,
    }
    _CONFIG.write_text(json.dumps(config))
    program = Path(__file__).parent.parent / "token_server.py"
    process.start(
        "tokens",
        [sys.executable, str(program), str(_CONFIG)],
        lambda: process.listens(world.AUTH_ADDRESS, world.AUTH_PORT),
    )
