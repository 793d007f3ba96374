"""What the commands that change a machine have in common: how they end and how they tell it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from regtrace.cli.ending import USAGE, end, reader_may_leave
from regtrace.proxy.guard import place_of
from regtrace.setup import journal
from regtrace.setup.refused import Refused

dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
authority_folder = click.option(
    "--ca",
    "ca_folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    callback=lambda _, __, said: _authority_folder(said),
    help="The authority's folder, mitmproxy's confdir.  [default: ca, where regtrace remembers what"
    " it changes]",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@contextlib.contextmanager
def careful() -> Iterator[None]:
    """SIGTERM ends the command as Ctrl-C does, which takes back what is half done; Refused ends it
    with its one line."""

    def give_up(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, give_up)
    try:
        yield
    except Refused as fault:
        end(str(fault), USAGE)
    except (click.ClickException, click.exceptions.Exit):
        raise
    except KeyboardInterrupt:
        end("interrupted; nothing was left half done", 130)
    except Exception as fault:
        end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
    finally:
        signal.signal(signal.SIGTERM, before)


def _authority_folder(said: Path | None) -> Path:
    """Under sudo, the one that the user has made without."""
    if said is not None:
        return said.absolute()
    own = journal.folder() / "ca"
    user = os.environ.get("SUDO_USER")
    if user and not own.exists():
        with contextlib.suppress(ValueError):  # not below the home
            place = journal.folder_of_user().relative_to(Path.home())
            theirs = Path(os.path.expanduser(f"~{user}")) / place / "ca"
            return theirs if theirs.is_dir() else own
    return own


def show(content: dict[str, Any], lines: list[str], *, as_json: bool) -> None:
    """Print the one or the other."""
    with reader_may_leave():
        if as_json:
            click.echo(json.dumps(content, indent=2, default=str))
        else:
            click.echo("\n".join(lines))
