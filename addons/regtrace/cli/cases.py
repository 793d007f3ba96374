"""``regtrace cases`` and ``regtrace unmask``: what labels stand for, on their owner's machine."""

from __future__ import annotations

from datetime import datetime, timezone

import click

from regtrace.cli.ending import USAGE, end
from regtrace.redact import cases as known
from regtrace.redact.cases import Unusable, case_names, delete_case, find_case
from regtrace.report.visible import visible


@click.command()
@click.option("--delete", metavar="NAME", default="", help="Forget this case's key and labels.")
@click.option("--yes", is_flag=True, help="Do not ask before deleting.")
def cases(delete: str, yes: bool) -> None:
    """List the cases of this machine, the last used first.

    A case is a key and a list of labels, for you alone, in your state directory. regtrace share
    always uses one; regtrace report does with --case. Once it is deleted, nobody can say any more
    what its labels stand for.

    \b
    Examples:
      regtrace cases
      regtrace cases --delete acme-2031
    """
    try:
        if delete:
            find_case(delete)
            if not yes and not click.confirm(f"Forget what the labels of {delete} stand for?"):
                end("nothing was deleted", USAGE)
            delete_case(delete)
            click.echo(f"deleted: {delete}")
            return
        for name in case_names():
            used = datetime.fromtimestamp(known.last_used(name), timezone.utc)
            count = len(find_case(name).entries)
            click.echo(f"{name}  {count} labels, last used {used:%Y-%m-%d %H:%M} UTC")
        click.echo(f"in {visible(str(known.root()))}", err=True)
    except click.Abort:
        end("nothing was deleted", USAGE)
    except Unusable as fault:
        end(visible(str(fault)), USAGE)


@click.command()
@click.argument("label", metavar="LABEL")
@click.option("--case", metavar="NAME", default="", help="Look in this case only.")
def unmask(label: str, case: str) -> None:
    """Say what LABEL stands for: a name, or where a secret stood. Never the secret itself.

    It works only on the machine, and for the user, that gave the label.

    \b
    Exit status: 0 it is known; 2 it is not.

    \b
    Examples:
      regtrace unmask user-3 --case acme-2031
      regtrace unmask token-7f3k2mab
    """
    try:
        names = [case] if case else case_names()
        found = [(name, entry) for name in names if (entry := find_case(name).entry(label))]
    except Unusable as fault:
        end(visible(str(fault)), USAGE)
    if not found:
        where = f"case {case}" if case else "any case of this machine"
        end(f"{visible(label)}: no label of {where}; regtrace cases lists them", USAGE)
    for name, entry in found:
        if entry.value is not None:
            click.echo(f"{name}: {visible(entry.value)}")
        else:
            place = entry.place or "a place that was not noted"
            click.echo(f"{name}: a secret, first seen at {visible(place)}; its value is not kept")
