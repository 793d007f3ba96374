"""``regtrace share``: one file for support, with all that a diagnosis rests on, and no secret."""

from __future__ import annotations

import contextlib
import gc
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

import click
from mitmproxy.version import VERSION as MITMPROXY

from regtrace import __version__
from regtrace.cli.ending import LEAKING, USAGE, complain, end
from regtrace.cli.reading import Reading, remember, told_of
from regtrace.diagnose import rules
from regtrace.proxy.capture import Reader, Unreadable, flow_states, open_capture
from regtrace.proxy.guard import place_of
from regtrace.proxy.history import History
from regtrace.proxy.redacted import FlowCopier, records
from regtrace.proxy.site import Site
from regtrace.redact.aftercare import Aftercare, Held
from regtrace.redact.cases import Unusable, check_name, name_for, open_case
from regtrace.redact.copying import Copier
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import VERSION as REDACTION
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import bundle, model
from regtrace.report.draft import Draft
from regtrace.report.leaving import Leaving
from regtrace.report.output import Leaking, Refused, rendered
from regtrace.report.proof import prove
from regtrace.report.telling import Telling
from regtrace.report.visible import visible

_PAGE = """# What this is

A report on container registry traffic, made by regtrace {version}, and the capture that it was made
from. Both are redacted for the level `{level}`: wherever a secret stood, a label stands, such as
`token-7f3k2mab`. The same label is the same value, in every file of this bundle and in each later
bundle of the same case. Only who sent it can say what a label stands for (`regtrace unmask LABEL`).

| file | what it is |
|---|---|
{files}
| `{capture}` | the capture; opens in mitmweb and mitmproxy (`mitmweb -nr {capture}`) |
| `versions.json` | what made it |

    regtrace report {capture}

{replay}

In the capture, credentials have kept their form, so that they can be decoded: a token has its
header and claims, with its label in the place of its signature. The bytes of layers are not there.
Sizes and digests are those of the messages as they passed, so a body that was redacted has others.
Certificates stand for those of the servers: names and dates are theirs, key and serial number are
not. Addresses of 192.0.2.0/24, 198.51.100.0/24 and 2001:db8::/32 are labels of public addresses,
those of 240.0.0.0/15 and fd00:db8::/32 of private ones.

{verdict}

Proof: {planted} made-up secrets were planted into a copy of the capture, which went the same way
into {forms}; {found} came out.
"""


@click.command()
@click.argument("capture", metavar="CAPTURE")
@click.option(
    "-o", "target", metavar="PATH", default="", help="The bundle; CAPTURE-share.zip else."
)
@click.option("--force", is_flag=True, help="Replace the bundle if it exists.")
@click.option(
    "--share",
    "level",
    type=click.Choice([level.value for level in Level]),
    default=Level.VENDOR.value,
    show_default=True,
    help="Who will read it, as for regtrace report.",
)
@click.option(
    "--case",
    metavar="NAME",
    default="",
    help="The case whose labels are used; named after the capture and its day else.",
)
@click.option("--list", "lists", is_flag=True, help="Show all that would leave, and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def share(
    capture: str, target: str, force: bool, level: str, case: str, lists: bool, yes: bool
) -> None:
    """Pack the reports on CAPTURE and a redacted copy of it into one file for support.

    Shows what will leave, and asks, before it writes. Says afterwards which credentials CAPTURE
    itself holds, which must stay here.

    \b
    Exit status: 0 it is written (or --list); 2 usage, an answer of no, or a capture that can't be
    read to its end (what could be read is in the bundle); 3 a secret would have been in it,
    and nothing was written.

    \b
    Examples:
      regtrace share push.mitm
      regtrace share push.mitm --case acme-2031 -o acme.zip --yes
    """
    try:
        target = target or f"{Path(capture).stem}-share.zip"
        if not lists:
            bundle.check_target(target, force=force)
        if case:
            check_name(case)
        damaged = _share(capture, target, Level(level), case, lists=lists, yes=yes)
    except Leaking as fault:
        end(str(fault), LEAKING)
    except (Refused, Unusable) as fault:
        end(visible(str(fault)), USAGE)
    except click.Abort:
        end("nothing was written", USAGE)
    except OSError as fault:
        end(f"{visible(capture)}: can't be shared: {fault.strerror}", USAGE)
    except Exception as fault:
        end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
    if damaged:
        sys.exit(USAGE)


def _share(
    capture: str, target: str, level: Level, case: str, *, lists: bool, yes: bool
) -> model.Damage | None:
    if capture == "-":
        raise Refused("standard input: is read twice, so it must be a file")
    gc.set_threshold(50_000)
    draft, aftercare, story = Draft(), Aftercare(), _Story()

    def heed(telling: Telling) -> None:
        story.add(telling)
        for leg in telling.operation.legs:
            aftercare.add(leg)

    reading = Reading(capture, Site(), draft, heed)
    if not reading.readable:
        sys.exit(USAGE)
    forms = bundle.forms()
    canaries = prove(draft.sample.exchanges(), level, forms, copies=True)
    book = open_case(case or _case_name(capture, reading.history.first))
    redactor = Redactor(level, draft.holdings, book)
    report = told_of([reading], draft, redactor, canaries)
    gate = Gate(draft.holdings)
    with tempfile.TemporaryFile() as copy:
        with open_capture(capture) as stream:
            states = flow_states(stream, is_har=reading.is_har)
            for record in records(states, FlowCopier(Copier(redactor)), story.ids.__contains__):
                copy.write(record)
        remember(book, redactor, draft)
        copy.seek(0)
        again, leaving = _replayed(copy)
        _show(leaving, level, everything=lists)
        if lists:
            return None
        _ask(target, yes=yes)
        copy.seek(0)
        page = _page(report, story.same_as(again))
        members: dict[str, Iterator[bytes]] = {"README.md": iter([page.encode()])}
        for form in forms:
            members[bundle.member_of(form)] = iter([rendered(report, form, gate).encode()])
        members[bundle.CAPTURE] = iter(lambda: copy.read(1024 * 1024), b"")
        members["versions.json"] = iter([_versions(level).encode()])
        bundle.write(target, members, gate)
    click.echo(f"written: {visible(target)} (case {book.name_of_case}); readable by you alone")
    _warn(capture, aftercare.held(draft.holdings.secrets.values()))
    return reading.damage


def _case_name(capture: str, first: float | None) -> str:
    day = datetime.fromtimestamp(first or 0, timezone.utc).strftime("%Y-%m-%d")
    return name_for(f"{Path(capture).stem[:60]}-{day}")


class _Story:
    """What the findings of a capture are, to be compared."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        """Of the exchanges that belong to it; other traffic that passed by does not leave."""
        self._said: list[tuple[object, ...]] = []

    def add(self, telling: Telling) -> None:
        if not telling.is_told:
            return
        operation = telling.operation
        self.ids.update(leg.id for leg in operation.legs)
        self._said.append((operation.kind, operation.ending, len(operation.legs)))
        for finding in telling.diagnosis.findings:
            fails = finding.fails
            legs = tuple(leg.started for leg in fails.legs)
            self._said.append((finding.rule.slug, fails.confidence, legs))

    def same_as(self, other: _Story) -> bool:
        return sorted(map(repr, self._said)) == sorted(map(repr, other._said))


def _replayed(copy: BinaryIO) -> tuple[_Story, Leaving]:
    """What the redacted capture tells by itself."""
    story, leaving, history = _Story(), Leaving(), History()

    def take(tellings: Iterable[Telling]) -> None:
        for telling in tellings:
            story.add(telling)
            for leg in telling.operation.legs:
                leaving.add(leg)

    with contextlib.suppress(Unreadable):  # nothing in it was registry traffic
        for exchange in Reader(bundle.CAPTURE, copy):
            history.add(exchange)
            if history.crowded:
                history.retire()
                take(history.take())
    take(history.tellings())
    return story, leaving


def _show(leaving: Leaving, level: Level, *, everything: bool) -> None:
    click.echo(f"What will leave, at level {level.value}:")
    for line in leaving.lines(everything=everything):
        click.echo(f"  {line}")


def _ask(target: str, *, yes: bool) -> None:
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise Refused("nobody can be asked here, so nothing was written; look, and add --yes")
    if not click.confirm(f"Write {visible(target)}?"):
        raise click.Abort


def _page(report: model.Report, same: bool) -> str:
    forms = bundle.forms()
    replay = (
        "This says the same as the report that lies beside it; it was tried before it was packed."
        if same
        else "This does not say quite the same as the report that lies beside it: some findings"
        " rest on a name, and names are labels here. Trust the report."
    )
    canaries = report.redaction.canaries
    return _PAGE.format(
        version=__version__,
        level=report.redaction.level,
        files="\n".join(f"| `{bundle.member_of(form)}` | the report, {form} |" for form in forms),
        capture=bundle.CAPTURE,
        replay=replay,
        verdict=visible(report.verdict.sentence),
        planted=canaries.planted,
        found=canaries.found,
        forms=", ".join(forms),
    )


def _versions(level: Level) -> str:
    versions = {
        "regtrace": __version__,
        "rules": rules.VERSION,
        "redaction": REDACTION,
        "level": level.value,
        "report": model.SCHEMA,
        "mitmproxy": MITMPROXY,
        "python": platform.python_version(),
    }
    return json.dumps(versions, indent=2) + "\n"


def _warn(capture: str, held: Sequence[Held]) -> None:
    """What the capture itself would give away."""
    if not held:
        complain(f"{visible(capture)} holds no credential that regtrace knows; keep it here anyway")
        return
    complain(f"keep {visible(capture)} here: it holds these as they went over the wire")
    now = time.time()
    for one in held:
        count = f"{one.count} {one.what}{'' if one.count == 1 else 's'}"
        if one.until is None:
            places = ", ".join(visible(place, limit=60) for place in one.places[:3])
            click.echo(
                f"  {count}{f' ({places})' if places else ''}: no end; change it"
                " if the file has left",
                err=True,
            )
            continue
        until = _moment(one.until)
        word = "over since" if one.until < now else "alive until"
        click.echo(f"  {count}: {word} {until}", err=True)


def _moment(seconds: float) -> str:
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    return "a moment far away"
