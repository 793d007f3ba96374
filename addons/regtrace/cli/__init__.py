"""The command ``regtrace``; one file for each of its commands.

Exit status: 0 nothing failed, 1 an operation failed, 2 usage or an input that can't be read, 3 the
redaction gate refused an output.
"""

from __future__ import annotations

import click

from regtrace import __version__
from regtrace.cli import (
    annotate,
    ca,
    cases,
    convert,
    diff,
    dockerd,
    doctor,
    explain,
    gateway,
    report,
    rules,
    run,
    selftest,
    share,
)
from regtrace.setup.script import addon_path


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="regtrace")
def main() -> None:
    """Why a container push or pull failed, read from its HTTPS traffic.

    \b
    One push, followed:    regtrace run -- docker push registry.example.com/team/app:1
    Live, while pushing:   mitmdump -s "$(regtrace addon-path)" -w push.mitm
    From a saved capture:  regtrace report push.mitm
    From a message alone:  regtrace explain "denied: "
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
main.add_command(diff.diff)
main.add_command(annotate.annotate)
main.add_command(rules.rules)
main.add_command(share.share)
main.add_command(selftest.selftest)
main.add_command(cases.cases)
main.add_command(cases.unmask)
main.add_command(run.run)
main.add_command(gateway.gateway)
main.add_command(doctor.doctor)
main.add_command(ca.ca)
main.add_command(dockerd.dockerd)
main.add_command(explain.explain)
