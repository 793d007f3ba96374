"""``regtrace report``: what happened in saved captures, without a proxy."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from regtrace.cli.ending import FAILED, LEAKING, USAGE, complain, end, reader_may_leave
from regtrace.diagnose.yamltext import Mistake
from regtrace.evidence import registry_log
from regtrace.evidence.registry_log import LogLine
from regtrace.proxy.capture import HAR_LACKS, Reader, Unreadable, open_capture
from regtrace.proxy.guard import place_of
from regtrace.proxy.history import History
from regtrace.proxy.site import Site, read_site
from regtrace.redact.cases import Case, Unusable, open_case
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import model
from regtrace.report.build import compose
from regtrace.report.draft import Draft
from regtrace.report.output import (
    ENDINGS,
    FORMATS,
    Leaking,
    Refused,
    check_path,
    format_of,
    rendered,
    write,
)
from regtrace.report.proof import prove
from regtrace.report.telling import Telling
from regtrace.report.text import print_report
from regtrace.report.visible import visible
from regtrace.wire.leg import Leg

#: Bytes of a capture from which on reading takes long enough to show how far it is.
_LONG = 4 * 1024 * 1024


@click.command()
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
    help="Write the report to PATH, readable by you alone; its ending chooses the format:"
    f" {', '.join(sorted(ENDINGS))}. May be repeated. A file that regtrace did not write is not"
    " replaced.",
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
@click.option(
    "--config",
    metavar="FILE",
    default="",
    help="A YAML file that says how your registries ought to look, and which findings you have"
    " accepted for a while; see the README.",
)
@click.option(
    "--rules",
    metavar="DIR",
    default="",
    help="A directory of rules of your own; see: regtrace rules test --help.",
)
@click.option(
    "--case",
    metavar="NAME",
    default="",
    help="Labels of this case: the same value has the same label in all its reports, and in no"
    " other's. Key and list stay on this machine; see: regtrace cases --help.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
def report(
    captures: Sequence[str],
    form: str | None,
    outputs: Sequence[str],
    force: bool,
    share: str,
    logs: Sequence[str],
    config: str,
    rules: str,
    case: str,
    strict: bool,
) -> None:
    """Say what happened in the saved captures FILE... ('-' is standard input).

    A capture is what mitmdump -w wrote, or a .har file (which lacks connections and bodies byte
    by byte, so less can be said).

    \b
    Exit status: 0 nothing failed; 1 an operation failed; 2 usage, or a capture that
    can't be read (what could be read is still reported); 3 the report would have shown
    a secret and was not written. What --config suppresses is reported, and not counted.

    \b
    Examples:
      regtrace report push.mitm
      regtrace report push.mitm -o push.json -o push.txt
      zcat push.mitm.gz | regtrace report - --format json
    """
    try:
        for path in outputs:
            check_path(path, force=force)
        site = read_site(config, rules)
        book = open_case(case) if case else None
        gc.set_threshold(50_000)  # almost all that is made here is wanted
        draft = Draft(keep_refused=bool(logs))
        readings = [Reading(path, site, draft) for path in captures]
        if not any(reading.readable for reading in readings):
            sys.exit(USAGE)
        level = Level(share)
        wanted = form or (None if outputs else "text")
        forms = {*([wanted] if wanted else []), *map(format_of, outputs)}
        canaries = prove(draft.sample.exchanges(), level, sorted(forms))
        redactor = Redactor(level, draft.holdings, book)
        told = composed(readings, draft, redactor, canaries, _logged(logs, draft.refused))
        remember(book, redactor, draft)
        gate = Gate(draft.holdings)
        page = rendered(told, wanted, gate) if wanted else ""
        write(told, outputs, gate, force=force)
        with reader_may_leave():
            if form:
                click.echo(page, nl=False)
            elif not outputs:
                print_report(told, Console())
    except Leaking as fault:
        end(str(fault), LEAKING)
    except Refused as fault:
        end(str(fault), USAGE)
    except (Mistake, Unusable) as fault:
        end(visible(str(fault)), USAGE)
    except Exception as fault:
        end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
    sys.exit(_status(told, readings, strict=strict))


class Reading:
    """One capture, read: its operations go into the draft, and to ``heed`` if that is asked for."""

    def __init__(
        self,
        path: str,
        site: Site,
        draft: Draft,
        heed: Callable[[Telling], None] | None = None,
    ) -> None:
        self._heed = heed
        self.name = "standard input" if path == "-" else Path(path).name
        self.history = History()
        self.history.judge = site.examine
        self.readable = self.is_har = False
        self.damage: model.Damage | None = None
        self.lacks: list[model.NotSeen] = []
        try:
            self._read(path, draft)
        except Unreadable as fault:
            complain(str(fault))

    def _read(self, path: str, draft: Draft) -> None:
        with open_capture(path) as stream, _progress(path) as progress:
            task = progress.add_task(f"reading {visible(self.name)}", total=_size(path))
            reader = Reader(path, stream, lambda done: progress.update(task, completed=done))
            for exchange in reader:
                self.history.add(exchange)
                if self.history.crowded:
                    self.history.retire()
                    for telling in self.history.take():
                        self._take(telling, draft)
                    gc.freeze()  # what is kept now is kept to the end
        for telling in self.history.tellings():
            self._take(telling, draft)
        gc.freeze()
        self.readable, self.damage = True, reader.damage
        self.is_har = reader.is_har
        self.lacks = [HAR_LACKS] if reader.is_har else []
        if self.damage:
            complain(
                f"{visible(path)}: damaged at byte {self.damage.offset}: {self.damage.reason};"
                f" the flows before it ({self.history.flows}) are reported. If the proxy was still"
                " writing, copy the capture again"
            )

    def _take(self, telling: Telling, draft: Draft) -> None:
        draft.add(telling)
        if self._heed:
            self._heed(telling)


def _size(path: str) -> int | None:
    with contextlib.suppress(OSError):
        return os.stat(path).st_size or None
    return None


def _progress(path: str) -> Progress:
    """How far reading is: only for who watches, and only when it takes a while."""
    console = Console(stderr=True)
    long = (_size(path) or 0) >= _LONG
    return Progress(console=console, transient=True, disable=not (console.is_terminal and long))


def _logged(paths: Sequence[str], legs: Sequence[Leg]) -> dict[str, LogLine]:
    """What these logs of the registry say of the legs. Raises Refused."""
    logged: dict[str, LogLine] = {}
    for path in paths:
        try:
            with Path(path).open("rb") as lines:
                logged |= registry_log.join(lines, legs)
        except OSError as fault:
            raise Refused(f"{visible(path)}: can't be read: {fault.strerror}") from None
    return logged


def remember(case: Case | None, redactor: Redactor, draft: Draft) -> None:
    """Where each secret stood that got a label, for its owner."""
    for secret in () if case is None else draft.holdings.secrets.values():
        label = redactor.label_of(secret.kind, secret.value)
        if case is not None and label is not None:
            case.seen(label, secret.where)


def composed(
    readings: Sequence[Reading],
    draft: Draft,
    redactor: Redactor,
    canaries: model.Canaries,
    log: Mapping[str, LogLine],
) -> model.Report:
    read = [reading for reading in readings if reading.readable]
    histories = [reading.history for reading in read]
    return compose(
        draft.accounts,
        capture=model.Capture(
            name=", ".join(reading.name for reading in readings),
            mode="file",
            flows=sum(history.flows for history in histories),
            first=min((h.first for h in histories if h.first is not None), default=None),
            last=max((h.last for h in histories if h.last is not None), default=None),
            damaged=next((reading.damage for reading in read if reading.damage), None),
        ),
        redactor=redactor,
        canaries=canaries,
        log=log,
        missed=[lack for reading in read for lack in (*reading.lacks, *reading.history.lacks())],
    )


def _status(report: model.Report, readings: Sequence[Reading], *, strict: bool) -> int:
    if any(reading.damage or not reading.readable for reading in readings):
        return USAGE
    if any(op.outcome == "failed" and not op.accepted for op in report.operations):
        return FAILED
    accepted = {finding.id for finding in report.findings if finding.suppressed}
    warned = any(
        finding.severity == "warning" and accepted.isdisjoint({finding.id, finding.explained_by})
        for finding in report.findings
    )
    return FAILED if strict and warned else 0
