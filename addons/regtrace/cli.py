"""The command ``regtrace``: reports from saved captures, without a proxy.

Exit status: 0 nothing failed, 1 an operation failed, 2 usage or an input that can't be read, 3 the
redaction gate refused an output.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import Progress

from regtrace import __version__
from regtrace.evidence import registry_log
from regtrace.evidence.registry_log import LogLine
from regtrace.proxy.capture import HAR_LACKS, Reader, Unreadable, open_capture
from regtrace.proxy.guard import place_of
from regtrace.proxy.history import History, exchanges_of
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import model
from regtrace.report.build import Telling, build
from regtrace.report.output import (
    FORMATS,
    Leaking,
    Refused,
    check_path,
    gate_for,
    rendered,
    write,
)
from regtrace.report.proof import prove
from regtrace.report.text import print_report
from regtrace.report.visible import visible
from regtrace.setup.script import addon_path

FAILED, USAGE, LEAKING = 1, 2, 3
#: Bytes of a capture from which on reading takes long enough to show how far it is.
_LONG = 4 * 1024 * 1024


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="regtrace")
def main() -> None:
    """Why a container push or pull failed, read from its HTTPS traffic.

    \b
    Live, while pushing:   mitmdump -s "$(regtrace addon-path)" -w push.mitm
    From a saved capture:  regtrace report push.mitm
    """


@main.command("addon-path")
def print_addon_path() -> None:
    """Print the path of the script that mitmproxy loads.

    \b
    Example:  mitmdump -s "$(regtrace addon-path)"
    """
    click.echo(addon_path())


@main.command()
@click.argument("captures", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted(FORMATS)),
    help="What to print; text by default, nothing when -o is given.",
)
@click.option(
    "-o",
    "outputs",
    metavar="PATH",
    multiple=True,
    help="Write the report to PATH, readable by you alone; its ending chooses the format: .json"
    " or .txt. May be repeated. A file that regtrace did not write is not replaced.",
)
@click.option("--force", is_flag=True, help="Let -o replace any file.")
@click.option(
    "--share",
    type=click.Choice([level.value for level in Level]),
    default=Level.VENDOR.value,
    show_default=True,
    help="Who will read it. public: names become labels too; vendor: registry and repository stay"
    " readable; internal: all names. Secrets are shown at no level.",
)
@click.option(
    "--registry-log",
    "logs",
    metavar="FILE",
    multiple=True,
    help="The registry's own log (distribution's JSON lines): findings then say what the registry"
    " wrote about the failed request. May be repeated.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
def report(
    captures: Sequence[str],
    form: str | None,
    outputs: Sequence[str],
    force: bool,
    share: str,
    logs: Sequence[str],
    strict: bool,
) -> None:
    """Say what happened in the saved captures FILE... ('-' is standard input).

    A capture is what mitmdump -w wrote, or a .har file (which lacks connections and bodies byte
    by byte, so less can be said).

    \b
    Exit status: 0 nothing failed; 1 an operation failed; 2 usage, or a capture that
    can't be read (what could be read is still reported); 3 the report would have shown
    a secret and was not written.

    \b
    Examples:
      regtrace report push.mitm
      regtrace report push.mitm -o push.json -o push.txt
      zcat push.mitm.gz | regtrace report - --format json
    """
    try:
        for path in outputs:
            check_path(path, force=force)
        readings = [_Reading(path) for path in captures]
        if not any(reading.readable for reading in readings):
            sys.exit(USAGE)
        level = Level(share)
        tellings = [telling for reading in readings for telling in reading.tellings]
        exchanges = exchanges_of(tellings)
        told = _report(readings, tellings, level, prove(exchanges, level), _logged(logs, tellings))
        gate = gate_for(exchanges)
        wanted = form or (None if outputs else "text")
        page = rendered(told, wanted, gate) if wanted else ""
        write(told, outputs, gate, force=force)
        with _reader_may_leave():
            if form:
                click.echo(page, nl=False)
            elif not outputs:
                print_report(told, Console())
    except Leaking as fault:
        _end(str(fault), LEAKING)
    except Refused as fault:
        _end(str(fault), USAGE)
    except Exception as fault:
        _end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
    sys.exit(_status(told, readings, strict=strict))


class _Reading:
    """One capture, read."""

    def __init__(self, path: str) -> None:
        self.name = "standard input" if path == "-" else Path(path).name
        self.history = History()
        self.readable = False
        self.damage: model.Damage | None = None
        self.lacks: list[model.NotSeen] = []
        self.tellings: list[Telling] = []
        try:
            self._read(path)
        except Unreadable as fault:
            _complain(str(fault))

    def _read(self, path: str) -> None:
        with open_capture(path) as stream, _progress(path) as progress:
            task = progress.add_task(f"reading {visible(self.name)}", total=_size(path))
            reader = Reader(path, stream, lambda done: progress.update(task, completed=done))
            for exchange in reader:
                self.history.add(exchange)
                if self.history.crowded:
                    self.history.retire()
        self.readable, self.damage = True, reader.damage
        self.lacks = [HAR_LACKS] if reader.is_har else []
        if self.damage:
            _complain(
                f"{visible(path)}: damaged at byte {self.damage.offset}: {self.damage.reason};"
                f" the flows before it ({self.history.flows}) are reported. If the proxy was still"
                " writing, copy the capture again"
            )
        self.tellings = list(self.history.tellings())


def _size(path: str) -> int | None:
    with contextlib.suppress(OSError):
        return os.stat(path).st_size or None
    return None


def _progress(path: str) -> Progress:
    """How far reading is: only for who watches, and only when it takes a while."""
    console = Console(stderr=True)
    long = (_size(path) or 0) >= _LONG
    return Progress(console=console, transient=True, disable=not (console.is_terminal and long))


def _logged(paths: Sequence[str], tellings: Iterable[Telling]) -> dict[str, LogLine]:
    """What these logs of the registry say of the legs. Raises Refused."""
    legs = [leg for telling in tellings for leg in telling.operation.legs]
    logged: dict[str, LogLine] = {}
    for path in paths:
        try:
            with Path(path).open("rb") as lines:
                logged |= registry_log.join(lines, legs)
        except OSError as fault:
            raise Refused(f"{visible(path)}: can't be read: {fault.strerror}") from None
    return logged


def _report(
    readings: Sequence[_Reading],
    tellings: Iterable[Telling],
    level: Level,
    canaries: model.Canaries,
    log: Mapping[str, LogLine],
) -> model.Report:
    read = [reading for reading in readings if reading.readable]
    histories = [reading.history for reading in read]
    return build(
        tellings,
        capture=model.Capture(
            name=", ".join(reading.name for reading in readings),
            mode="file",
            flows=sum(history.flows for history in histories),
            first=min((h.first for h in histories if h.first is not None), default=None),
            last=max((h.last for h in histories if h.last is not None), default=None),
            damaged=next((reading.damage for reading in read if reading.damage), None),
        ),
        redactor=Redactor(level),
        canaries=canaries,
        log=log,
        missed=[lack for reading in read for lack in (*reading.lacks, *reading.history.lacks())],
    )


def _status(report: model.Report, readings: Sequence[_Reading], *, strict: bool) -> int:
    if any(reading.damage or not reading.readable for reading in readings):
        return USAGE
    if report.verdict.outcome == "failed":
        return FAILED
    warned = any(finding.severity == "warning" for finding in report.findings)
    return FAILED if strict and warned else 0


@contextlib.contextmanager
def _reader_may_leave() -> Iterator[None]:
    """``regtrace report … | head`` is no failure: the exit status stays the report's."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich turns the one into the other
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    click.echo(f"regtrace: {text}", err=True)


def _end(text: str, status: int) -> NoReturn:
    _complain(text)
    sys.exit(status)
