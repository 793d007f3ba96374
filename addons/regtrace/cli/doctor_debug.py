"""``regtrace doctor registry-debug``: what a running registry's debug server says."""

from __future__ import annotations

import json
import sys

import click
from rich.console import Console
from rich.text import Text

from regtrace import __version__
from regtrace.cli.ending import FAILED, LEAKING, USAGE, end, reader_may_leave
from regtrace.cli.options import force_option
from regtrace.diagnose.debug_server import Observation, facts, observe
from regtrace.diagnose.rule import Severity
from regtrace.diagnose.rules import CATALOGUE, CHECKS, VERSION
from regtrace.proxy.guard import place_of
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.catalogue import Entry, placed
from regtrace.report.output import Leaking, Refused, check_path, passed, write_text
from regtrace.report.page import Page
from regtrace.report.visible import visible
from regtrace.report.words import OWNERS, plural
from regtrace.setup.debug_server import Unanswered, ask
from regtrace.wire.debug_server import DebugServer
from regtrace.wire.url import parse_url

SCHEMA = "regtrace/report/debug/1"
_ENTRIES: tuple[Entry, ...] = (*CATALOGUE, *CHECKS)
_RULES = {rule.slug: rule for rule in _ENTRIES}
_STYLES = {"error": "bold red", "warning": "bold yellow", "note": "bold cyan"}


@click.command("registry-debug")
@click.argument("url", metavar="URL")
@click.option(
    "--metrics-path",
    default="/metrics",
    show_default=True,
    metavar="PATH",
    help="Where the metrics are (http.debug.prometheus.path).",
)
@click.option("--json", "as_data", is_flag=True, help="Print JSON instead of text.")
@click.option(
    "-o",
    "output",
    metavar="PATH",
    default="",
    help="Write the JSON to PATH (.json), readable by you alone.",
)
@force_option
def registry_debug(url: str, metrics_path: str, as_data: bool, output: str, force: bool) -> None:
    """Ask a running registry's debug server for health, counters and times.

    URL is where http.debug.addr listens (gitlab.rb: registry['debug_addr']); without it there is no
    debug server. Asked are /debug/health, /debug/vars and /metrics, the last of which is there only
    where http.debug.prometheus.enabled is true. Nothing is changed.

    \b
    Exit status: 0 nothing is wrong (there may be warnings); 1 an error was found; 2 usage, or
    nothing was answered; 3 the output would have shown a secret and was not written.

    \b
    Example:
      regtrace doctor registry-debug http://localhost:5001
    """
    asked = parse_url(url if "://" in url else f"http://{url}")
    if asked is None or asked.scheme not in {"http", "https"} or not metrics_path.startswith("/"):
        end(
            f"{visible(url, limit=80)}: is no URL of a debug server; write it like"
            " http://localhost:5001, and --metrics-path like /metrics",
            USAGE,
        )
    try:
        if output:
            if not output.endswith(".json"):
                raise Refused(f"{visible(output)}: let the name end in .json")
            check_path(output, force=force)
        server = ask(asked, metrics_path)
        redactor = Redactor(Level.VENDOR)
        found = observe(server)
        _tell(server, found, redactor, as_data=as_data, output=output, force=force)
    except Unanswered as fault:
        end(
            f"{visible(asked.origin)}: no debug server of a registry answers there:"
            f" {visible(str(fault), limit=400)}; set http.debug.addr and restart the registry",
            USAGE,
        )
    except Leaking as fault:
        end(str(fault), LEAKING)
    except Refused as fault:
        end(str(fault), USAGE)
    except Exception as fault:
        end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
    sys.exit(FAILED if any(each.severity is Severity.ERROR for each in found) else 0)


def _tell(
    server: DebugServer,
    found: tuple[Observation, ...],
    redactor: Redactor,
    *,
    as_data: bool,
    output: str,
    force: bool,
) -> None:
    """Nothing leaves before the gate has seen it."""
    data = _as_json(server, found, redactor)
    passed(data, Gate())
    if output:
        write_text(output, data, force=force)
    with reader_may_leave():
        if as_data:
            click.echo(data, nl=False)
        elif not output:
            _print(server, found, redactor, Console())


def _as_json(server: DebugServer, found: tuple[Observation, ...], redactor: Redactor) -> str:
    document = {
        "schema": SCHEMA,
        "tool": {"version": __version__, "rules": VERSION},
        "facts": [
            {"name": redactor.prose(row.name), "value": redactor.prose(row.value)}
            for row in facts(server)
        ],
        "findings": [
            {
                "severity": each.severity.value,
                "rule": _RULES[each.slug].number if each.slug else None,
                "slug": each.slug,
                "said": redactor.prose(each.said),
                "quoted": redactor.prose(each.quoted),
            }
            for each in found
        ],
        "not_seen": {path: redactor.prose(why) for path, why in server.unanswered.items()},
    }
    return json.dumps(document, indent=2) + "\n"


def _print(
    server: DebugServer, found: tuple[Observation, ...], redactor: Redactor, console: Console
) -> None:
    page = Page(console)
    rows = [(redactor.prose(row.name), redactor.prose(row.value)) for row in facts(server)]
    width = max((len(name) for name, _ in rows), default=0) + 2
    for name, value in rows:
        page.prose(page.text(f"{name:<{width}}"), page.text(value))
    for path, why in server.unanswered.items():
        lacks = " (http.debug.prometheus.enabled)" if path not in _DEBUG else ""
        page.prose(page.text(f"{'not seen':<{width}}"), page.text(f"{path}: {why}{lacks}"))
    for each in found:
        page.line()
        _observation(page, each, redactor)
    page.line()
    page.line(page.text(_sum(found)))


_DEBUG = frozenset({"/debug/health", "/debug/vars"})


def _observation(page: Page, each: Observation, redactor: Redactor) -> None:
    rule = _RULES[each.slug] if each.slug else None
    name = f"{rule.number} {rule.slug}: " if rule else ""
    severity = page.text(f"{each.severity.value.upper()} ", _STYLES.get(each.severity.value, ""))
    page.prose(severity, page.text(name + redactor.prose(each.said)))
    if each.quoted:
        page.prose(_label("said"), page.text(redactor.prose(each.quoted)))
    if rule:
        page.prose(_label("must act"), page.text(OWNERS[rule.owner.value], "bold"))
        for number, step in enumerate(rule.fix, 1):
            label = _label("fix" if number == 1 else "")
            page.prose(label, page.text(f"{number}. {placed(step)}"))


def _label(word: str) -> Text:
    return Text.assemble("  ", (f"{word:<10}", "dim"))


def _sum(found: tuple[Observation, ...]) -> str:
    errors = sum(each.severity is Severity.ERROR for each in found)
    if not found:
        return "Nothing wrong was found."
    counts = f"{plural(errors, 'error')}, {plural(len(found) - errors, 'warning')}"
    return f"{counts}. Counters count since the start."
