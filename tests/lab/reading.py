"""The two ways to a report on a capture, inside this process: a process for each takes seconds."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from regtrace import cli

from .parts.mitmdump import ADDON


def reported(capture: Path, folder: Path) -> dict[str, Any]:
    """What `regtrace report` says."""
    path = folder / "report.json"
    done = CliRunner().invoke(cli.main, ["report", str(capture), "-o", str(path)])
    assert done.exit_code in {0, 1}, done.output
    return read(path)


def replayed(capture: Path, folder: Path, confdir: Path) -> dict[str, Any]:
    """What `mitmdump -nr` says with the addon. Its CA stays in `confdir`: making one takes long."""
    path = folder / "replay.json"

    async def run() -> None:
        options = Options(server=False, confdir=str(confdir))
        master = DumpMaster(options, with_termlog=False, with_dumper=False)
        options.set(f"registry_report={path}", defer=True)
        options.update(rfile=str(capture), scripts=[str(ADDON)])
        await master.run()

    asyncio.run(run())
    return read(path)


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
