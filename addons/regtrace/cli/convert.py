"""``regtrace convert``: a JSON report in any other form, without the capture it was made of."""

from __future__ import annotations

from collections.abc import Sequence

import click

from regtrace.cli.ending import LEAKING, USAGE, end, reader_may_leave
from regtrace.cli.options import (
    force_option,
    format_option,
    output_option,
)
from regtrace.cli.reading import read_saved
from regtrace.proxy.guard import place_of
from regtrace.redact.gate import Gate
from regtrace.report.output import ENDINGS, FORMATS, Leaking, Refused, check_path, rendered, write


@click.command()
@click.argument("path", metavar="REPORT.json")
@format_option(FORMATS)
@output_option(ENDINGS)
@force_option
def convert(path: str, form: str | None, outputs: Sequence[str], force: bool) -> None:
    """Make other forms of a report that was written as JSON ('-' is standard input).

    They are the same, byte for byte, as if regtrace report had written them.

    \b
    Exit status: 0 it is done; 2 usage, or no report that can be read; 3 the report
    holds what looks like a credential, and nothing was written.

    \b
    Examples:
      regtrace convert push.json
      regtrace convert push.json -o push.md -o push.junit.xml
      regtrace convert push.json --format github-summary >> "$GITHUB_STEP_SUMMARY"
    """
    try:
        for output in outputs:
            check_path(output, force=force)
        report = read_saved(path)
        # What the capture held is not known here; the shapes of credentials are.
        gate = Gate()
        wanted = form or (None if outputs else "text")
        page = rendered(report, wanted, gate) if wanted else ""
        write(report, outputs, gate, force=force)
        with reader_may_leave():
            click.echo(page, nl=False)
    except Leaking as fault:
        end(str(fault), LEAKING)
    except Refused as fault:
        end(str(fault), USAGE)
    except Exception as fault:
        end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
