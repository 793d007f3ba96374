"""What ``run`` and ``gateway`` share: their files, their proxy, and how they are interrupted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import click

from regtrace.cli.ending import complain
from regtrace.diagnose.yamltext import Mistake
from regtrace.proxy import onward
from regtrace.proxy.running import new_file
from regtrace.proxy.site import read_site
from regtrace.report.output import Refused as RefusedOutput
from regtrace.report.output import check_path
from regtrace.report.visible import visible
from regtrace.setup.refused import Refused
from regtrace.wire.proxy_settings import ProxySettings, settings_of

#: Signals by which a person or a system asks a command to end; Windows has no SIGHUP.
_ENDING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

capture_option = click.option(
    "-w",
    "capture",
    metavar="FILE",
    help="Save the capture to FILE, readable by you alone. It holds passwords and tokens.",
)
report_option = click.option(
    "-o",
    "reports",
    metavar="PATH",
    multiple=True,
    help="Write the report to PATH; its ending chooses the format, as for regtrace report."
    " May be repeated.",
)
upstream_ca_option = click.option(
    "--upstream-ca",
    metavar="FILE",
    default="",
    help="Certificates (PEM) by which the registry is trusted besides the system's and those in"
    " /etc/docker/certs.d and /etc/containers/certs.d.",
)
upstream_proxy_option = click.option(
    "--upstream-proxy",
    metavar="URL",
    help="The proxy that leads out of your network. Without it, what HTTPS_PROXY, HTTP_PROXY and"
    " NO_PROXY say; with 'none', no proxy.",
)


@dataclass(frozen=True, slots=True)
class Files:
    """What is left behind."""

    capture: Path | None
    reports: tuple[str, ...]

    def check(self) -> None:
        """Raises Refused, before anything is done."""
        try:
            for path in self.reports:
                check_path(path)
        except RefusedOutput as fault:
            raise Refused(str(fault)) from None
        if self.capture and os.path.lexists(self.capture):
            raise Refused(f"{visible(str(self.capture))}: exists; name another file with -w")
        folder = self.capture.parent if self.capture else Path()
        if self.capture and not os.access(folder, os.W_OK):
            raise Refused(
                f"{visible(str(self.capture))}: can't write into {visible(str(folder))}; name"
                " another place with -w"
            )

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the capture, empty, before anybody else can; one that stays so goes again.

        Raises Refused.
        """
        if self.capture is None:
            yield
            return
        try:
            new_file(self.capture)
        except OSError as fault:
            shown = visible(str(self.capture))
            raise Refused(f"{shown}: can't be written: {fault.strerror}") from None
        try:
            yield
        finally:
            if self.capture.exists() and not self.capture.stat().st_size:
                self.capture.unlink()

    def tell(self) -> None:
        """Which files there are now."""
        for path in self.reports:
            if os.path.exists(path):
                complain(f"report:  {visible(path)}")
        if self.capture and self.capture.exists():
            complain(
                f"capture: {visible(str(self.capture))}  (holds passwords and tokens: keep it,"
                " share the report)"
            )


def named_files(capture: str | None, reports: Sequence[str], *, always: bool) -> Files:
    """Those that were named; with ``always``, others get names of their own, with a number that is
    free (a time would look like a secret to the redactor)."""
    number = next(n for n in count(1) if not any(map(os.path.lexists, _names(n)))) if always else 0
    raw, report = _names(number)
    named = capture or (raw if always else None)
    chosen = tuple(reports) or ((report,) if always else ())
    return Files(Path(named).expanduser() if named else None, chosen)


def _names(number: int) -> tuple[str, str]:
    return f"regtrace-RAW-CONTAINS-SECRETS-{number}.mitm", f"regtrace-{number}.txt"


def check_site(config: str, rules: str) -> None:
    """Raises Refused for a site that can't be read."""
    try:
        read_site(config, rules)
    except Mistake as fault:
        raise Refused(visible(str(fault))) from None


def onward_settings(named: str | None, environment: Mapping[str, str]) -> ProxySettings:
    """The proxy that leads out: as named, or as the environment says. Raises Refused."""
    if named == "none":
        return ProxySettings()
    settings = ProxySettings(named, named) if named else settings_of(environment)
    for url in (settings.http, settings.https):
        try:
            if url:
                onward.read_proxy(url)
        except ValueError as fault:
            shown = visible(url.rpartition("@")[2], limit=80)
            raise Refused(
                f"the proxy {shown} can't be used: {visible(str(fault))}; name another with"
                " --upstream-proxy, or 'none'"
            ) from None
    return settings


@contextmanager
def tidying_up() -> Iterator[None]:
    """A signal ends the command, but not before it has tidied up behind itself."""

    def leave(number: int, frame: object) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interruptible(act: Callable[[signal.Signals], Any]) -> Iterator[None]:
    """Do this instead of ending at once, when the terminal or another process says so."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number in _ENDING:
        loop.add_signal_handler(number, act, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def is_ours_alone(number: signal.Signals) -> bool:
    """Whether a client of ours has not had this signal too.

    A terminal sends Ctrl-C to all that runs in its foreground.
    """
    if number is not signal.SIGINT:
        return True
    for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):
            if os.tcgetpgrp(stream.fileno()) == os.getpgrp():  # type: ignore[union-attr]
                return False
    return True
