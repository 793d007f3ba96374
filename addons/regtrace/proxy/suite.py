"""The addons that make up regtrace, in the order in which they must see each event.

The stream's counts and the tunnels' flows are there before the story reads them.
"""

from __future__ import annotations

import logging
from typing import Any

from mitmproxy import ctx

from regtrace.proxy.commands import Commands
from regtrace.proxy.content_views import ContentViews
from regtrace.proxy.handshakes import Handshakes
from regtrace.proxy.hosts import Hosts
from regtrace.proxy.marks import Marks
from regtrace.proxy.options import Options
from regtrace.proxy.plain_servers import PlainServers
from regtrace.proxy.progress import Progress
from regtrace.proxy.saving import Saving
from regtrace.proxy.story import Story
from regtrace.proxy.stream import Stream
from regtrace.proxy.tunnels import Tunnels
from regtrace.proxy.unfinished import Unfinished

logger = logging.getLogger(__name__)


def once() -> list[Any]:
    """The addons for who loads a script, unless another script has them already."""
    if ctx.master.addons.get(Options.name) is None:
        return addons()
    # An error that is logged while mitmproxy starts ends it.
    logger.error("regtrace is loaded twice: name it once, by -s or under scripts in config.yaml.")
    return []


def addons() -> list[Any]:
    """A new set, for one proxy."""
    hosts, unfinished, saving = Hosts(), Unfinished(), Saving()
    story = Story(unfinished, saving)
    return [
        Options(),
        hosts,
        Stream(),
        Tunnels(hosts),
        Handshakes(unfinished),
        PlainServers(),
        unfinished,
        saving,
        story,
        Progress(unfinished),
        Marks(story),
        ContentViews(),
        Commands(story),
    ]
