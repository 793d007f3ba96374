"""``regtrace report``: what happened in saved captures, without a proxy."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import click
from rich.console import Console

from regtrace.cli.ending import FAILED, LEAKING, USAGE, end, reader_may_leave
from regtrace.cli.options import (
    config_option,
    force_option,
    format_option,
    output_option,
    rules_option,
    share_option,
)
from regtrace.cli.reading import Reading, remember, told_of
from regtrace.diagnose.yamltext import Mistake
from regtrace.evidence.client_log import ClientJoin, ClientMessage
from regtrace.evidence.hearing import hear, lacks
from regtrace.evidence.reading import Unreadable as UnreadableLog
from regtrace.evidence.reading import opened
from regtrace.proxy.guard import place_of
from regtrace.proxy.site import Site, read_site
from regtrace.redact.cases import Unusable, open_case
from regtrace.redact.gate import Gate
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import model
from regtrace.report.draft import Draft
from regtrace.report.output import (
    ENDINGS,
    FORMATS,
    Leaking,
    Refused,
    check_path,
    format_of,
    rendered,
    write,
)
from regtrace.report.proof import prove
from regtrace.report.text import print_report
from regtrace.report.visible import visible


@click.command()
@click.argument("captures", metavar="FILE...", nargs=-1, required=True)
@format_option(FORMATS)
@output_option(ENDINGS)
@force_option
@share_option
@click.option(
    "--registry-log",
    "logs",
    metavar="FILE",
    multiple=True,
    help="A log of the registry, of the reverse proxy before it, or of the token server (GitLab's"
    " production_json.log and auth_json.log): findings then say what it tells of failed"
    " requests. '-' is standard input; gzip, bzip2 and xz are unpacked. May be repeated.",
)
@click.option(
    "--client-log",
    "client_logs",
    metavar="FILE",
    multiple=True,
    help="What the client printed (docker, dockerd's debug log, podman, skopeo, buildah, buildkit,"
    " ctr, kaniko): each message is joined to the request that made it. May be repeated.",
)
@config_option
@rules_option
@click.option(
    "--case",
    metavar="NAME",
    default="",
    help="Labels of this case: the same value has the same label in all its reports, and in no"
    " other's. Key and list stay on this machine; see: regtrace cases --help.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
def report(
    captures: Sequence[str],
    form: str | None,
    outputs: Sequence[str],
    force: bool,
    share: str,
    logs: Sequence[str],
    client_logs: Sequence[str],
    config: str,
    rules: str,
    case: str,
    strict: bool,
) -> None:
    """Say what happened in the saved captures FILE... ('-' is standard input).

    A capture is what mitmdump -w wrote, or a .har file (which lacks connections and bodies byte
    by byte, so less can be said).

    \b
    Exit status: 0 nothing failed; 1 an operation failed; 2 usage, or a capture that
    can't be read (what could be read is still reported); 3 the report would have shown
    a secret and was not written. What --config suppresses is reported, and not counted.

    \b
    Examples:
      regtrace report push.mitm
      regtrace report push.mitm -o push.json -o push.txt
      zcat push.mitm.gz | regtrace report - --format json
      regtrace report push.mitm --registry-log registry.log.1.gz --client-log push.log
    """
    try:
        for path in outputs:
            check_path(path, force=force)
        site = read_site(config, rules)
        book = open_case(case) if case else None
        gc.set_threshold(50_000)  # almost all that is made here is wanted
        if len([path for path in (*captures, *logs, *client_logs) if path == "-"]) > 1:
            raise Refused("'-' can be named only once: there is one standard input")
        draft = Draft(hears_logs=bool(logs or client_logs))
        readings = [Reading(path, site, draft) for path in captures]
        if not any(reading.readable for reading in readings):
            sys.exit(USAGE)
        printed = _printed(client_logs, draft)
        unheard = _hear(logs, site, draft)
        level = Level(share)
        wanted = form or (None if outputs else "text")
        forms = {*([wanted] if wanted else []), *map(format_of, outputs)}
        canaries = prove(draft.sample.exchanges(), level, sorted(forms))
        redactor = Redactor(level, draft.holdings, book)
        told = told_of(readings, draft, redactor, canaries, unheard=unheard, printed=printed)
        gate = Gate(draft.holdings)
        page = rendered(told, wanted, gate) if wanted else ""
        write(told, outputs, gate, force=force)
        remember(book, redactor, draft)
        with reader_may_leave():
            if form:
                click.echo(page, nl=False)
            elif not outputs:
                print_report(told, Console())
    except Leaking as fault:
        end(str(fault), LEAKING)
    except Refused as fault:
        end(str(fault), USAGE)
    except (Mistake, Unusable) as fault:
        end(visible(str(fault)), USAGE)
    except Exception as fault:
        end(f"stopped on a fault of its own, {place_of(fault)}; please report this line", USAGE)
    sys.exit(_status(told, readings, strict=strict))


def _hear(paths: Sequence[str], site: Site, draft: Draft) -> list[model.NotSeen]:
    """Join these logs to what went wrong, and judge it once more. What they do not tell is given
    back. Raises Refused."""
    if not paths:
        draft.settle(site.examine)
        return []
    try:
        heard = hear(paths, draft.legs())
    except UnreadableLog as fault:
        raise Refused(visible(str(fault))) from None
    for text in heard.texts:
        draft.holdings.add_text(text, heard.users)
    draft.settle(site.hearing(heard.testimonies))
    spots = [model.NotSeen(*spot) for spot in lacks(heard)]
    if draft.unheard:
        spots.append(
            model.NotSeen(
                f"what the logs say of {draft.unheard} operations that went wrong",
                "more went wrong than can be held until the logs are read",
                "these are judged by their traffic alone; report a part of the capture",
            )
        )
    return spots


def _printed(paths: Sequence[str], draft: Draft) -> list[ClientMessage]:
    """What clients printed, joined to the legs. Raises Refused."""
    join = ClientJoin(draft.legs())
    printed: list[ClientMessage] = []
    for path in paths:
        try:
            with opened(path) as stream:
                printed += join.read(stream, path)
        except UnreadableLog as fault:
            raise Refused(visible(f"{path}: {fault}")) from None
    for message in printed:
        draft.holdings.add_text(message.said)
    return printed


def _status(report: model.Report, readings: Sequence[Reading], *, strict: bool) -> int:
    if any(reading.damage or not reading.readable for reading in readings):
        return USAGE
    if any(op.outcome == "failed" and not op.accepted for op in report.operations):
        return FAILED
    accepted = {finding.id for finding in report.findings if finding.suppressed}
    warned = any(
        finding.severity == "warning" and accepted.isdisjoint({finding.id, finding.explained_by})
        for finding in report.findings
    )
    return FAILED if strict and warned else 0
