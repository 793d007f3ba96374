"""``regtrace doctor config``: what is wrong in configuration files, before or after a push."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from regtrace.cli.ending import FAILED, LEAKING, USAGE, complain, end, reader_may_leave
from regtrace.cli.options import force_option, share_option
from regtrace.diagnose.config.examine import examine_setup
from regtrace.diagnose.config.traffic import Traffic
from regtrace.diagnose.engine import examine
from regtrace.diagnose.rules import CHECKS
from regtrace.evidence.config.kinds import NAMES, Kind
from regtrace.evidence.config.setup import Read, read_files
from regtrace.follow.tracker import tell
from regtrace.proxy.capture import Reader, Unreadable, open_capture
from regtrace.proxy.guard import place_of
from regtrace.redact.gate import Gate
from regtrace.redact.holdings import Holdings
from regtrace.redact.redactor import Level, Redactor
from regtrace.redact.secrets import Secret
from regtrace.report.output import Leaking, Refused, check_path, passed, write_text
from regtrace.report.settings import SettingsReport, as_json, build_settings_report
from regtrace.report.settings_text import print_settings_report
from regtrace.report.visible import visible
from regtrace.wire.decode import decode
from regtrace.wire.leg import Leg

_KINDS = "\n".join(f"  {kind.value:<15}{NAMES[kind]}" for kind in Kind)


@click.command(
    "config",
    epilog=f"\b\nKinds of files, for --kind:\n{_KINDS}",
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in Kind]),
    metavar="KIND",
    help="What the files are, where their contents do not tell; see below.",
)
@click.option(
    "--root",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The top of a copied tree: certificates and keys that the files name are looked for below"
    " it. Otherwise on this machine, beside the file that names them.",
)
@click.option(
    "--capture",
    metavar="FILE",
    default="",
    help="A capture of the same registry: each finding is then confirmed or refuted by it.",
)
@share_option
@click.option("--json", "as_data", is_flag=True, help="Print JSON instead of text.")
@click.option(
    "-o",
    "outputs",
    metavar="PATH",
    multiple=True,
    help="Write the JSON to PATH (.json), readable by you alone. A file that regtrace did not write"
    " is not replaced.",
)
@force_option
def config(
    files: Sequence[str],
    kind: str | None,
    root: Path | None,
    capture: str,
    share: str,
    as_data: bool,
    outputs: Sequence[str],
    force: bool,
) -> None:
    """Check the configuration of a registry, its token server, reverse proxy and clients.

    FILE may be a registry's config.yml, gitlab.rb, gitlab.yml, nginx's configuration, Helm values,
    harbor.yml, daemon.json, a systemd drop-in, a compose file, a file of REGISTRY_... variables, or
    a directory of such. Give what belongs together in one go: many faults lie between two files.
    Nothing is run, nothing is changed, and nothing is asked over the network.

    \b
    Exit status: 0 nothing is wrong (there may be warnings); 1 an error was found (one that the
    capture refutes does not count); 2 usage, or a file that can't be read (what could be
    read is still checked); 3 the output would have shown a secret and was not written.

    \b
    Examples:
      regtrace doctor config /etc/docker/registry/config.yml /etc/nginx/conf.d/registry.conf
      regtrace doctor config --capture push.mitm /etc/gitlab/gitlab.rb
      regtrace doctor config --root copied/ copied/etc/gitlab/gitlab.rb -o config.json
    """
    try:
        for path in outputs:
            _check_output(path, force=force)
        read = read_files(files, kind=Kind(kind) if kind else None, root=root, now=time.time())
        if not read.files:
            end("; ".join(visible(fault) for fault in read.faults) or "nothing to check", USAGE)
        holdings = _holdings(read)
        traffic = _traffic(capture, holdings) if capture else None
        report = build_settings_report(
            examine_setup(read.setup, CHECKS, traffic),
            files=[(file.name, file.said) for file in read.files],
            unreadable=read.faults,
            capture=Path(capture).name if capture else None,
            redactor=Redactor(Level(share), holdings),
        )
        _print(report, Gate(holdings), as_data=as_data, outputs=outputs, force=force)
    except Leaking as fault:
        end(str(fault), LEAKING)
    except Refused as fault:
        end(str(fault), USAGE)
    except Unreadable as fault:
        end(str(fault), USAGE)
    except Exception as fault:
        end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
    for unread in read.faults:
        complain(visible(unread))
    sys.exit(USAGE if read.faults else FAILED if report.failed else 0)


def _check_output(path: str, *, force: bool) -> None:
    if not path.endswith(".json"):
        raise Refused(f"{visible(path)}: this report is written as JSON; let the name end in .json")
    check_path(path, force=force)


def _print(
    report: SettingsReport, gate: Gate, *, as_data: bool, outputs: Sequence[str], force: bool
) -> None:
    """Nothing leaves before the gate has seen it."""
    data = as_json(report)
    passed(data, gate)
    for path in outputs:
        write_text(path, data, force=force)
    with reader_may_leave():
        if as_data:
            click.echo(data, nl=False)
        elif not outputs:
            print_settings_report(report, Console())


def _holdings(read: Read) -> Holdings:
    """The secrets of the files: hidden where they stand elsewhere, and looked for at the gate."""
    holdings = Holdings()
    for where, value in read.secrets:
        holdings.taint(Secret(where, "value", value))
    return holdings


def _traffic(path: str, holdings: Holdings) -> Traffic:
    """What the capture says. Raises Unreadable."""
    legs: dict[str, Leg] = {}
    with open_capture(path) as stream:
        reader = Reader(path, stream)
        for exchange in reader:
            holdings.add(exchange)
            legs[exchange.id] = decode(exchange)
    if reader.damage:
        at = f"{visible(path)}: damaged at byte {reader.damage.offset}"
        complain(f"{at}: {reader.damage.reason}; what stands before it counts")
    found: dict[str, Leg | None] = {}
    for operation in tell(list(legs.values())):
        for finding in examine(operation).findings:
            found.setdefault(finding.rule.slug, next(iter(finding.fails.legs), None))
    return Traffic(tuple(legs.values()), found)
