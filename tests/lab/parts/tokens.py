"""The token server as a part: `token_server.py` in a process of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .. import process, world
from ..settings import Settings

_CONFIG = world.STATE / "tokens.json"


def start(settings: Settings) -> None:
    """Start the token server anew."""
    process.stop("tokens")
    _CONFIG.write_text(json.dumps(settings.token))
    program = Path(__file__).parent.parent / "token_server.py"
    process.start(
        "tokens",
        [sys.executable, str(program), str(_CONFIG)],
        lambda: process.listens(world.AUTH_ADDRESS, world.AUTH_PORT),
    )
