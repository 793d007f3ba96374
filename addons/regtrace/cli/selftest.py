"""``regtrace selftest``: does redaction hold, with this installation, on this machine?"""

from __future__ import annotations

import click

from regtrace.cli.ending import LEAKING, USAGE, end
from regtrace.diagnose.rules import CATALOGUE, LAST_RESORT
from regtrace.proxy.guard import place_of
from regtrace.redact.redactor import Level
from regtrace.report.output import FORMATS
from regtrace.report.proof import trial
from regtrace.report.visible import visible
from regtrace.wire.notation import read_notation


@click.command()
@click.option(
    "--share",
    "level",
    type=click.Choice([level.value for level in Level]),
    default=Level.VENDOR.value,
    show_default=True,
    help="The level to try, as for regtrace report.",
)
def selftest(level: str) -> None:
    """Plant made-up secrets into the traffic that each rule is explained with, and look for them in
    every form of report and in the redacted capture.

    It reads and writes no file, and takes a minute.

    \b
    Exit status: 0 none came out; 3 some did, and the lines say where they had been planted.

    \b
    Example:
      regtrace selftest --share public
    """
    planted = outputs = 0
    found: set[str] = set()
    try:
        for rule in (*CATALOGUE, LAST_RESORT):
            exchanges = list(read_notation(rule.fires))
            count, leaked = trial(exchanges, Level(level), copies=True)
            planted += count
            outputs += len(FORMATS) + 1
            found |= leaked
    except Exception as fault:
        end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
    click.echo(
        f"planted {planted} made-up secrets, scanned {outputs} outputs"
        f" ({', '.join(sorted(FORMATS))}, redacted capture), found {len(found)}"
    )
    if found:
        for place in sorted(found)[:20]:
            click.echo(f"  {visible(place)}", err=True)
        end("redaction does not hold: share nothing, and report these lines", LEAKING)
