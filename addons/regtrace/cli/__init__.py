"""The command ``regtrace``; one file for each of its commands.

Exit status: 0 nothing failed, 1 an operation failed, 2 usage or an input that can't be read, 3 the
redaction gate refused an output.
"""

from __future__ import annotations

import click

from regtrace import __version__
from regtrace.cli import annotate, cases, convert, report, rules, selftest, share
from regtrace.setup.script import addon_path


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


main.add_command(report.report)
main.add_command(convert.convert)
main.add_command(annotate.annotate)
main.add_command(rules.rules)
main.add_command(share.share)
main.add_command(selftest.selftest)
main.add_command(cases.cases)
main.add_command(cases.unmask)
