"""A mitmproxy with regtrace that runs within a command of ours, and ends with it.

In this process rather than beside it: the port is known without guessing, nothing stays when the
command is killed, and no line has to be carried from one process to another.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mitmproxy import log
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from regtrace.report.visible import visible

#: Seconds for connections to end once the client has.
_GRACE = 2.0


class NotStarted(Exception):
    """mitmproxy did not start; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How it runs."""

    script: Path
    """What mitmproxy loads: regtrace."""
    confdir: Path
    modes: Sequence[str] = ("regular@127.0.0.1:0",)
    capture: Path | None = None
    reports: Sequence[str] = ()
    share: str = "vendor"
    config: str = ""
    rules: str = ""
    trusted: Path | None = None
    """PEM certificates by which servers are verified; None: mitmproxy's own list."""
    lazily: bool = False
    """Connect to servers only when there is a request: not before its target is known."""
    first: Sequence[Any] = ()
    """Addons before all others."""
    last: Sequence[Any] = ()
    live: str = "lines"


@dataclass(slots=True)
class Running:
    master: DumpMaster
    port: int
    flows: int = field(default=0)

    def connections(self) -> int:
        return len(self.master.addons.get("proxyserver").connections)


@asynccontextmanager
async def running(setup: Setup) -> AsyncIterator[Running]:
    """The proxy, as long as the block lasts. Raises NotStarted."""
    errors = _Errors()
    errors.install()
    try:
        master = _master(setup)
        counting = _Counting()
        master.addons.add(counting, *setup.last)
        ending = asyncio.ensure_future(master.run())
        await asyncio.wait(
            {ending, asyncio.ensure_future(counting.ready.wait())},
            return_when=asyncio.FIRST_COMPLETED,
        )
        try:
            if errors.said or ending.done():
                raise NotStarted("; ".join(errors.said) or "mitmproxy ended at once")
            addresses = master.addons.get("proxyserver").listen_addrs()
            proxy = Running(master, addresses[0][1])
            yield proxy
            await _settle(proxy)
            proxy.flows = counting.flows
        finally:
            counting.ready.set()
            master.shutdown()
            await ending
    finally:
        errors.uninstall()


def _master(setup: Setup) -> DumpMaster:
    master = DumpMaster(
        Options(confdir=str(setup.confdir), mode=list(setup.modes)),
        with_termlog=False,
        with_dumper=False,
    )
    # It would end this process, and with it the command that has something to tidy up.
    master.addons.remove(master.addons.get("errorcheck"))
    for addon in reversed(setup.first):
        master.addons.register(addon)
        master.addons.chain.insert(0, addon)
    said = {
        "registry_live": setup.live,
        "registry_share": setup.share,
        "registry_config": setup.config,
        "registry_rules": setup.rules,
    }
    named = [f"{name}={value}" for name, value in said.items() if value]
    named += [f"registry_report={path}" for path in setup.reports]
    master.options.set(*named, defer=True)
    if setup.capture:
        master.options.update(save_stream_file=str(setup.capture))
    if setup.trusted:
        master.options.update(ssl_verify_upstream_trusted_ca=str(setup.trusted))
    if setup.lazily:
        master.options.update(connection_strategy="lazy")
    # The names of the server's own certificate may be more than the authority may sign for.
    master.options.update(upstream_cert=False, scripts=[str(setup.script)])
    return master


async def _settle(proxy: Running) -> None:
    """The client has ended: what it broke off is told a moment later."""
    deadline = time.monotonic() + _GRACE
    while proxy.connections() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)


class _Counting:
    """Knows when mitmproxy runs, and whether anything came."""

    name = "regtrace-counting"

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.flows = 0

    def running(self) -> None:
        self.ready.set()

    def client_connected(self, client: object) -> None:
        self.flows += 1


class _Errors(log.MitmLogHandler):
    """What mitmproxy says of a start that failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.said) < 5:
            self.said.append(visible(record.getMessage(), limit=300))


def new_file(path: Path) -> None:
    """An empty file that only its owner may read, where there was none. Raises OSError."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
