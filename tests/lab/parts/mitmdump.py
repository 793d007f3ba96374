"""The proxy between client and everything else: a real mitmdump, with the addon or without."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from .. import keys, process, world

URL = f"http://proxy.test:{world.PROXY_PORT}"
ADDON = world.REPOSITORY_ROOT / "addons" / "registry.py"
PROGRAM = Path(sys.executable).parent / "mitmdump"
_CONFDIR = world.STATE / "mitmproxy"
CA = _CONFDIR / "mitmproxy-ca-cert.pem"


@dataclass(frozen=True, slots=True)
class Output:
    """Files that one run of the proxy writes."""

    capture: Path
    printed: Path
    report: Path


def start(output: Output, *, addon: bool) -> None:
    """Start the proxy. Its CA is there when this returns."""
    stop()
    command = [
        str(PROGRAM),
        f"--listen-host={world.PROXY_ADDRESS}",
        f"--listen-port={world.PROXY_PORT}",
        f"--save-stream-file={output.capture}",
        f"--set=confdir={_CONFDIR}",
        f"--set=ssl_verify_upstream_trusted_ca={keys.CA}",
    ]
    if addon:
        command += [f"--scripts={ADDON}", f"--set=registry_report={output.report}"]
    process.start("mitmdump", command, _works, log=output.printed)


def stop() -> None:
    """Stop the proxy as Ctrl-C does, and wait: only then is the capture complete."""
    process.stop("mitmdump", signal.SIGINT)


def check(output: Output) -> None:
    """Complain if the proxy gave up before it was stopped. Raises PartError.

    mitmdump listens for a moment before it ends because of an error in a script, so this can't be
    seen when it starts.
    """
    gave_up = "Error logged during startup, exiting" in output.printed.read_text()
    if gave_up or not process.is_running("mitmdump"):
        said = process.tail(output.printed)
        raise process.PartError(f"mitmdump ended before the client did; its last words:\n{said}")


def _works() -> bool:
    return process.listens(world.PROXY_ADDRESS, world.PROXY_PORT) and CA.exists()
