"""The command ``regtrace``; one file for each of its commands.

Exit status: 0 nothing failed, 1 an operation failed, 2 usage or an input that can't be read, 3 the
redaction gate refused an output.
"""

from __future__ import annotations

from importlib import import_module

import click

from regtrace import __version__
from regtrace.setup.script import addon_path

_COMMANDS = (
    *("annotate", "ca", "cases", "convert", "diff", "dockerd", "doctor", "explain", "gateway"),
    *("report", "rules", "run", "selftest", "share", "unmask"),
)
_FILES = {"unmask": "cases"}
"""Of commands that do not stand in a file of their own name."""


class _AsCalled(click.Group):
    """Each command is imported when it is called: together they need two seconds for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        file = import_module(f"regtrace.cli.{_FILES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(file, cmd_name)
        return command


@click.group(
    cls=_AsCalled,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
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
