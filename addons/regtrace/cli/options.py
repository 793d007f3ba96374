"""Options that several commands have, so that they mean and say the same in each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import click

from regtrace.redact.redactor import Level

Decorator = Callable[[Any], Any]

share_option: Decorator = click.option(
    "--share",
    type=click.Choice([level.value for level in Level]),
    default=Level.VENDOR.value,
    show_default=True,
    help="Who will read it. public: names become labels too; vendor: registry and repository stay"
    " readable; internal: all names. Secrets are shown at no level.",
)
config_option: Decorator = click.option(
    "--config",
    metavar="FILE",
    default="",
    help="A YAML file that says how your registries ought to look, and which findings you have"
    " accepted for a while; see the README.",
)
rules_option: Decorator = click.option(
    "--rules",
    metavar="DIR",
    default="",
    help="A directory of rules of your own; see: regtrace rules test --help.",
)
force_option: Decorator = click.option("--force", is_flag=True, help="Let -o replace any file.")


def format_option(formats: Iterable[str]) -> Decorator:
    return click.option(
        "--format",
        "form",
        type=click.Choice(sorted(formats)),
        help="What to print; text by default, nothing when -o is given.",
    )


def output_option(endings: Iterable[str]) -> Decorator:
    return click.option(
        "-o",
        "outputs",
        metavar="PATH",
        multiple=True,
        help="Write it to PATH, readable by you alone; its ending chooses the format:"
        f" {', '.join(sorted(endings))}. May be repeated. A file that regtrace did not write is"
        " not replaced.",
    )
