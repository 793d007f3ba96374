"""``regtrace diff``: where a bad push or pull parts from a good one."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from regtrace.cli.ending import FAILED, LEAKING, USAGE, end, reader_may_leave
from regtrace.cli.options import (
    config_option,
    force_option,
    format_option,
    output_option,
    rules_option,
    share_option,
)
from regtrace.cli.reading import Reading, read_saved, told_of
from regtrace.diagnose.yamltext import Mistake
from regtrace.proxy.guard import place_of
from regtrace.proxy.site import Site, read_site
from regtrace.redact.gate import Gate
from regtrace.redact.holdings import Holdings
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.compare.choose import Unlike
from regtrace.report.compare.compare import compare
from regtrace.report.compare.output import ENDINGS, FORMATS, prove, rendered
from regtrace.report.compare.text import print_diff
from regtrace.report.draft import Draft
from regtrace.report.model import Report
from regtrace.report.output import Leaking, Refused, check_path, format_of, write_all
from regtrace.report.visible import visible

#: Bytes at the beginning of a file by which a report is recognised.
_EDGE = 512


@click.command()
@click.argument("good", metavar="GOOD")
@click.argument("bad", metavar="BAD")
@click.option(
    "--good",
    "good_id",
    metavar="ID",
    help="Which operation of GOOD, such as push-2; the one most like that of BAD by default.",
)
@click.option(
    "--bad",
    "bad_id",
    metavar="ID",
    help="Which operation of BAD; the first that failed by default.",
)
@format_option(FORMATS)
@output_option(ENDINGS)
@force_option
@share_option
@config_option
@rules_option
def diff(
    good: str,
    bad: str,
    good_id: str | None,
    bad_id: str | None,
    form: str | None,
    outputs: Sequence[str],
    force: bool,
    share: str,
    config: str,
    rules: str,
) -> None:
    """Say where the operation of BAD that failed first differs from a like one of GOOD.

    Each is a capture (what mitmdump -w wrote, or a .har file) or a report that regtrace wrote as
    JSON. Legs are compared in pairs: which is missing or additional, has another status, other
    header fields, another redirect, a token with other claims, or took at least three times and one
    second longer. Of two captures, labels such as host-1 mean the same on both sides.

    \b
    Exit status: 0 nothing that matters differs; 1 they differ; 2 usage, an input that
    can't be read to its end, or nothing to compare; 3 it would have shown a secret and
    was not written.

    \b
    Examples:
      regtrace diff yesterday.mitm today.mitm
      regtrace diff good.json today.mitm --bad push-3 -o diff.json
    """
    try:
        for path in outputs:
            check_path(path, force=force, endings=ENDINGS)
        sides = _Sides(read_site(config, rules), Level(share))
        readable = [sides.read(path) for path in (good, bad)]
        if not all(readable):
            sys.exit(USAGE)
        wanted = form or (None if outputs else "text")
        chosen = {path: format_of(path, ENDINGS) for path in outputs}
        one, other = sides.reports(sorted({*chosen.values(), *([wanted] if wanted else [])}))
        told = compare(one, other, good_id=good_id, bad_id=bad_id, labels_shared=sides.one_redactor)
        gate = Gate(sides.holdings)
        page = rendered(told, wanted, gate) if wanted else ""
        made = {path: [rendered(told, how, gate)] for path, how in chosen.items()}
        write_all(made, force=force, endings=ENDINGS)
        with reader_may_leave():
            if form:
                click.echo(page, nl=False)
            elif not outputs:
                print_diff(told, Console())
    except Leaking as fault:
        end(str(fault), LEAKING)
    except (Mistake, Refused, Unlike) as fault:
        end(visible(str(fault)), USAGE)
    except Exception as fault:
        end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
    if sides.damaged:
        sys.exit(USAGE)
    sys.exit(FAILED if told.verdict.outcome == "differs" else 0)


class _Sides:
    """Both inputs. All captures among them share one redactor, and one gate knows their secrets."""

    def __init__(self, site: Site, level: Level) -> None:
        self.holdings = Holdings()
        self._site, self._level = site, level
        self._read: list[Report | tuple[Reading, Draft]] = []

    def read(self, path: str) -> bool:
        """Whether it could be read. Raises Refused for a report that is none."""
        if path == "-":
            raise Refused("standard input: can't be compared; name a file")
        if _is_report(path):
            self._read.append(read_saved(path))
            return True
        gc.set_threshold(50_000)  # almost all that is made here is wanted
        draft = Draft(holdings=self.holdings)
        reading = Reading(path, self._site, draft)
        self._read.append((reading, draft))
        return reading.readable

    @property
    def one_redactor(self) -> bool:
        return not any(isinstance(side, Report) for side in self._read)

    @property
    def damaged(self) -> bool:
        return any(not isinstance(side, Report) and side[0].damage for side in self._read)

    def reports(self, formats: Sequence[str]) -> list[Report]:
        """Raises Leaking when the proof fails in one of these formats."""
        redactor = Redactor(self._level, self.holdings)
        reports = []
        for side in self._read:
            if isinstance(side, Report):
                reports.append(side)
                continue
            reading, draft = side
            canaries = prove(draft.sample.exchanges(), self._level, formats)
            reports.append(told_of([reading], draft, redactor, canaries))
        return reports


def _is_report(path: str) -> bool:
    """A report is JSON that says so at once. What can't be read is told when it is read, and what
    comes through a pipe can be read only once."""
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as stream:
            first = stream.read(_EDGE)
    except (OSError, ValueError):
        return False
    return first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"regtrace/report/' in first
