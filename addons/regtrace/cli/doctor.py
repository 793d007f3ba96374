"""``regtrace doctor``: what can be found out without a push."""

from __future__ import annotations

import click

from regtrace.cli.doctor_config import config
from regtrace.cli.doctor_debug import registry_debug


@click.group()
def doctor() -> None:
    """What can be found out without a push.

    \b
    Examples:
      regtrace doctor config /etc/docker/registry/config.yml
      regtrace doctor registry-debug http://localhost:5001
    """


doctor.add_command(config)
doctor.add_command(registry_debug)
