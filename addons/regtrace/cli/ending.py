"""How a command ends: its exit status, its one line of complaint."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import NoReturn

import click

FAILED, USAGE, LEAKING = 1, 2, 3


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """``regtrace report … | head`` is no failure: the exit status stays the report's."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich turns the one into the other
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """One line on standard error."""
    click.echo(f"regtrace: {text}", err=True)


def end(text: str, status: int) -> NoReturn:
    complain(text)
    sys.exit(status)
