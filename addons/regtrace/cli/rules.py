"""``regtrace rules``: the catalogue of faults, and trying out rules of one's own."""

from __future__ import annotations

import difflib
import sys
import textwrap
from collections.abc import Sequence

import click
from rich.console import Console

from regtrace.cli.ending import FAILED, USAGE, end, reader_may_leave
from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules import CATALOGUE, CHECKS, LAST_RESORT
from regtrace.diagnose.user_rules.read import EXAMPLE
from regtrace.diagnose.user_rules.trial import trials
from regtrace.diagnose.user_rules.view import NAMES
from regtrace.diagnose.yamltext import Mistake
from regtrace.proxy.site import read_rules
from regtrace.report import catalogue
from regtrace.report.visible import visible


def _first_words(meaning: str) -> str:
    return textwrap.shorten(meaning, 70, placeholder=" …")


class _ListsByDefault(click.Group):
    """``regtrace rules storage`` is ``regtrace rules list storage``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, *self.get_help_option_names(ctx)}
        return super().parse_args(ctx, args if args and args[0] in known else ["list", *args])


_format = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
)
_own = click.option(
    "--rules", "directory", metavar="DIR", default="", help="Rules of your own, besides."
)


@click.group(cls=_ListsByDefault)
def rules() -> None:
    """The faults that regtrace knows.

    \b
    Examples:
      regtrace rules                          all of them, by family
      regtrace rules storage 403              those that say both words
      regtrace rules show RT412               one, with its fix and its examples
      regtrace rules test my-rules/           try rules of your own
    """


@rules.command("list")
@click.argument("words", metavar="[WORD]...", nargs=-1)
@_format
@_own
def print_list(words: Sequence[str], form: str, directory: str) -> None:
    """List the rules that say every WORD; all of them without one.

    This is what 'regtrace rules' does when nothing else is said.
    """
    chosen = catalogue.matching(_all_rules(directory), words)
    if form == "json":
        page = catalogue.as_json(chosen)
    elif form == "markdown":
        page = catalogue.page(chosen)
    else:
        page = catalogue.listed(chosen, Console().width)
    with reader_may_leave():
        click.echo(page, nl=False)


@rules.command("show")
@click.argument("name", metavar="RULE")
@_format
@_own
def print_rule(name: str, form: str, directory: str) -> None:
    """Print all that RULE says: a number (RT412) or a slug (storage-403-on-head)."""
    everything = _all_rules(directory)
    rule = next((r for r in everything if name.lower() in {r.number.lower(), r.slug}), None)
    if rule is None:
        end(_no_such(name, everything), USAGE)
    if form == "json":
        page = catalogue.as_json([rule])
    elif form == "markdown":
        page = catalogue.entry(rule)
    else:
        page = catalogue.shown(rule, Console().width)
    with reader_may_leave():
        click.echo(page, nl=False)


_NAMES = "\n".join(f"  {name.name:<27}{_first_words(name.meaning)}" for name in NAMES)
_EPILOG = f"""\b
A rule in YAML:

\b
{EXAMPLE}
\b
Names that a condition (CEL, cel.dev) may use, of each leg and its operation:
{_NAMES}
"""


@rules.command("test", epilog=_EPILOG)
@click.argument("directory", metavar="DIR")
def try_rules(directory: str) -> None:
    """Try the rules in DIR on their own stories.

    Each must be the only root finding on the story that it fires on, and must say nothing of the
    other one. Files that end in .yaml or .yml hold a rule each; files that end in .py are code of
    your own, which is run, and define rules as regtrace's own catalogue does.

    \b
    Exit status: 0 all is as it should be; 1 a rule failed; 2 a file can't be read.
    """
    own = _read(directory)
    everything = (*CATALOGUE, *own)
    results = [trial for rule in own for trial in trials(rule, everything)]
    number = max(len(rule.number) for rule in own)
    slug = max(len(rule.slug) for rule in own)
    failed = [trial for trial in results if trial.complaint]
    with reader_may_leave():
        for trial in results:
            verdict = f"FAILED  {trial.complaint}" if trial.complaint else "ok"
            name = f"{trial.rule.number:<{number}}  {trial.rule.slug:<{slug}}"
            click.echo(visible(f"{name}  {trial.story:<8}  {verdict}"))
    sys.exit(FAILED if failed else 0)


def _all_rules(directory: str) -> list[catalogue.Entry]:
    return [LAST_RESORT, *CHECKS, *CATALOGUE, *(_read(directory) if directory else ())]


def _read(directory: str) -> tuple[Rule, ...]:
    try:
        return read_rules(directory)
    except Mistake as fault:
        end(visible(str(fault)), USAGE)


def _no_such(name: str, everything: Sequence[catalogue.Entry]) -> str:
    names = [name for rule in everything for name in (rule.number, rule.slug)]
    near = difflib.get_close_matches(name.upper(), names) or difflib.get_close_matches(
        name.lower(), names
    )
    advice = f"did you mean {' or '.join(near)}?" if near else "regtrace rules lists them"
    return f"no rule is called {visible(name, limit=60)}; {advice}"
