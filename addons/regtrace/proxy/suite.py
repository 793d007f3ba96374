"""The addons that make up regtrace, in the order in which they must see each event.

The stream's counts and the tunnels' flows are there before the story reads them.
"""

from __future__ import annotations

from typing import Any

from regtrace.proxy.options import Options
from regtrace.proxy.story import Story
from regtrace.proxy.stream import Stream
from regtrace.proxy.tunnels import Tunnels
from regtrace.proxy.unfinished import Unfinished


def addons() -> list[Any]:
    """A new set, for one proxy."""
    unfinished = Unfinished()
    return [Options(), Stream(), Tunnels(), unfinished, Story(unfinished)]
