"""``regtrace doctor``: why no traffic arrives, and what is wrong with a registry as it stands."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from regtrace.cli.doctor_config import config
from regtrace.cli.doctor_debug import registry_debug
from regtrace.cli.ending import FAILED, LEAKING, USAGE, end, reader_may_leave
from regtrace.cli.gateway import read_registry
from regtrace.cli.options import share_option
from regtrace.cli.session import onward_settings
from regtrace.proxy.certificates import read_certificate
from regtrace.proxy.history import History, exchanges_of
from regtrace.redact.redactor import Level, Redactor
from regtrace.report import model
from regtrace.report.build import build
from regtrace.report.output import Leaking, check_path, gate_for, passed, rendered, write
from regtrace.report.output import Refused as RefusedOutput
from regtrace.report.proof import prove
from regtrace.report.text import print_report
from regtrace.report.visible import visible
from regtrace.setup import chain
from regtrace.setup.asking import Asking, Login, Probe, Wishes
from regtrace.setup.chain import Chain, Client
from regtrace.setup.link import BROKEN, OK, WARNING, Link, first_broken
from regtrace.setup.places import place_of
from regtrace.setup.refused import Refused
from regtrace.setup.roots import write_roots
from regtrace.setup.workspace import workspace
from regtrace.wire.exchange import Exchange
from regtrace.wire.proxy_settings import ProxySettings, is_loopback, settings_of

SCHEMA = "regtrace/doctor/1"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_MARKS = {OK: ("ok", "green"), BROKEN: ("BROKEN", "bold red"), WARNING: ("warning", "yellow")}


class _ChecksByDefault(click.Group):
    """``regtrace doctor HOST`` is ``regtrace doctor check HOST``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {*self.commands, *self.get_help_option_names(ctx)}
        return super().parse_args(ctx, args if args and args[0] in known else ["check", *args])


@click.group(cls=_ChecksByDefault)
def doctor() -> None:
    """Why does no traffic arrive, or what is wrong with the registry?

    'regtrace doctor [REGISTRY]' looks at both: at each link from a client to the proxy, until it
    finds the first broken one, and at what the registry answers.

    \b
    Examples:
      regtrace doctor registry.example.com
      regtrace doctor --client docker registry.example.com:5050
      regtrace doctor path                          only the way to the proxy
      regtrace doctor registry registry.example.com --user jane
      regtrace doctor config /etc/docker/registry/config.yml nginx.conf
      regtrace doctor registry-debug http://localhost:5001
    """


_client = click.option(
    "--client",
    "whose",
    metavar="shell|docker|PID",
    default="shell",
    show_default=True,
    help="Whose settings are looked at: those of clients that you start from this shell, the"
    " docker daemon's, or those of a running process.",
)
_proxy = click.option(
    "--proxy",
    metavar="URL",
    default="",
    help="Where mitmproxy listens; otherwise the client may be sent anywhere.",
)
_through = click.option(
    "--upstream-proxy",
    "through",
    metavar="URL",
    help="The proxy by which the registry is asked. Without it, what this shell says, but for"
    " proxies on loopback addresses: those are mitmproxy. With 'none', no proxy.",
)
_ca = click.option(
    "--upstream-ca",
    "ca",
    metavar="FILE",
    default="",
    help="Certificates (PEM) by which the registry is trusted besides the system's.",
)
_user = click.option(
    "--user", metavar="NAME", default="", help="Log in as NAME; the password is asked for."
)
_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)
_blob = click.option(
    "--blob",
    metavar="REPO@DIGEST",
    default="",
    help="Look at this blob, and follow one redirect to the storage.",
)
_upload = click.option(
    "--allow-upload",
    "upload",
    metavar="REPO",
    default="",
    help="Open an upload session in this repository, look at its address, and cancel it. Without"
    " it nothing is written.",
)
_json = click.option("--json", "as_data", is_flag=True, help=f"Print JSON ({SCHEMA}).")
_output = click.option(
    "-o",
    "outputs",
    metavar="PATH",
    multiple=True,
    help="Write the report on the registry's answers to PATH, as for regtrace report.",
)


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@doctor.command("check", hidden=True)
@click.argument("registry", metavar="[REGISTRY]", default="")
@_options(_client, _proxy, _through, _ca, _user, _stdin, _blob, _upload)
@_options(share_option, _json, _output)
def check(registry: str, whose: str, proxy: str, **wishes: Any) -> None:
    """Look at the way to the proxy and, when REGISTRY is named, at its answers.

    This is what 'regtrace doctor' does when no other command is named. Exit status: 0 all is well;
    1 something is broken; 2 usage.
    """
    _examine(_Order(registry, whose, proxy, path=True, probe=bool(registry), **wishes))


@doctor.command("path")
@click.argument("registry", metavar="[REGISTRY]", default="")
@_options(_client, _proxy, _json)
def path(registry: str, whose: str, proxy: str, as_data: bool) -> None:
    """Walk the way of a client through the proxy to REGISTRY, and name the first broken link.

    Its proxy setting, names that are never proxied, NO_PROXY by Go's rules, whether the proxy
    listens and opens a tunnel, whether the client trusts it (by a real handshake), whether it
    looks into this host, and whether it reaches the registry.

    \b
    Example:
      regtrace doctor path --client docker --proxy http://127.0.0.1:8080 registry.example.com
    """
    _examine(_Order(registry, whose, proxy, path=True, as_data=as_data))


@doctor.command("registry")
@click.argument("registry", metavar="REGISTRY")
@_options(_through, _ca, _user, _stdin, _blob, _upload, share_option, _json, _output)
def registry_command(registry: str, **wishes: Any) -> None:
    """Ask REGISTRY what a client would ask, and judge the answers by regtrace's rules.

    Addresses, certificate and clock; the challenge of /v2/ and /v2/_catalog; the token server, for
    nobody or, with --user, for you; with --blob a redirect to the storage; with --allow-upload the
    address of an upload session. Nothing is written without --allow-upload.

    \b
    Examples:
      regtrace doctor registry https://registry.example.com
      regtrace doctor registry registry.example.com --user jane --allow-upload team/app
      regtrace doctor registry registry.example.com --blob team/app@sha256:0123…
    """
    _examine(_Order(registry, probe=True, **wishes))


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for on the command line."""

    registry: str
    whose: str = "shell"
    proxy: str = ""
    path: bool = False
    probe: bool = False
    through: str | None = None
    ca: str = ""
    user: str = ""
    password_stdin: bool = False
    blob: str = ""
    upload: str = ""
    share: str = Level.VENDOR.value
    as_data: bool = False
    outputs: Sequence[str] = ()

    @property
    def url(self) -> str:
        return str(read_registry(self.registry)) if self.registry else ""


@dataclass(slots=True)
class _Result:
    way: list[Link] = field(default_factory=list)
    place: list[Link] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    unasked: list[model.NotSeen] = field(default_factory=list)
    report: model.Report | None = None

    @property
    def broken(self) -> bool:
        links = any(link.state == BROKEN for link in (*self.way, *self.place))
        errors = self.report and any(f.severity == "error" for f in self.report.findings)
        return links or bool(errors)


def _examine(order: _Order) -> None:
    try:
        wishes = _wishes(order)
        for output in order.outputs:
            check_path(output)
        if order.proxy:
            place_of(order.proxy)
        result = _Result()
        with workspace() as folder:
            if order.path:
                client = _whose(order.whose)
                walk = Chain(client, order.url, read_certificate, folder, order.proxy)
                result.way = list(walk.links())
            if order.probe:
                _probe(order, wishes, folder, result)
        _tell(order, result)
    except Leaking as fault:
        end(str(fault), LEAKING)
    except (Refused, RefusedOutput) as fault:
        end(str(fault), USAGE)
    sys.exit(FAILED if result.broken else 0)


def _whose(name: str) -> Client:
    if name == "shell":
        return chain.this_shell(os.environ)
    if name == "docker":
        return chain.docker_daemon()
    if name.isascii() and name.isdigit() and len(name) <= 10:
        return chain.process(int(name))
    raise Refused(f"--client {visible(name, limit=40)}: use shell, docker, or a process's number")


def _wishes(order: _Order) -> Wishes:
    login = None
    if order.password_stdin and not order.user:
        raise Refused("--password-stdin: whose? add --user NAME")
    if order.user:
        password = (
            sys.stdin.readline(4096).rstrip("\r\n")
            if order.password_stdin
            else click.prompt(f"Password of {visible(order.user)}", hide_input=True, err=True)
        )
        login = Login(order.user, password)
    return Wishes(login, _blob_named(order.blob), _repository(order.upload, "--allow-upload"))


def _blob_named(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    repository, _, digest = text.partition("@")
    if not _DIGEST.fullmatch(digest):
        raise Refused(f"--blob {visible(text, limit=100)}: write team/app@sha256:…")
    return _repository(repository, "--blob"), digest


def _repository(name: str, option: str) -> str:
    if name and (":" in name or name.startswith("/") or not name.isascii() or " " in name):
        raise Refused(f"{option} {visible(name, limit=100)}: write a repository alone, team/app")
    return name


def _probe(order: _Order, wishes: Wishes, folder: Path, result: _Result) -> None:
    roots = folder / "roots.pem"
    write_roots(roots, order.ca)
    asking = Asking(_settings(order.through), roots, read_certificate)
    probe = Probe(order.url, asking, wishes)
    probe.visit()
    result.exchanges = asking.exchanges
    place = chain.registry_links(order.url, asking.exchanges, time.time())
    result.place = [*place, *probe.links]
    history = History()
    for exchange in asking.exchanges:
        history.add(exchange)
    tellings = list(history.tellings())
    result.unasked = _not_asked(wishes)
    level = Level(order.share)
    result.report = build(
        tellings,
        capture=model.Capture("doctor", "live", history.flows, history.first, history.last),
        redactor=Redactor(level),
        canaries=prove(exchanges_of(tellings), level),
        missed=[*history.lacks(), *result.unasked],
    )
    write(result.report, order.outputs, gate_for(asking.exchanges))


def _settings(named: str | None) -> ProxySettings:
    if named:
        return onward_settings(named, {})
    said = settings_of(os.environ)
    own = [
        "" if proxy and is_loopback(place_of(proxy)[0]) else proxy
        for proxy in (said.http, said.https)
    ]
    return ProxySettings(own[0], own[1], said.no_proxy)


def _not_asked(wishes: Wishes) -> list[model.NotSeen]:
    """What the probe was not allowed to look at."""
    lacks = []
    if wishes.login is None:
        lacks.append(
            model.NotSeen("a login", "no --user was named", "only anonymous tokens were asked for")
        )
    if not wishes.upload:
        lacks.append(
            model.NotSeen(
                "the address of uploads", "--allow-upload was not given", "no Location was checked"
            )
        )
    if wishes.blob is None:
        lacks.append(
            model.NotSeen("the storage", "no --blob was named", "no redirect was followed")
        )
    return lacks


# --- what is said


def _tell(order: _Order, result: _Result) -> None:
    gate = gate_for(result.exchanges)
    if order.as_data:
        data = {
            "schema": SCHEMA,
            "path": [asdict(link) for link in result.way],
            "registry": [asdict(link) for link in result.place],
            "report": json.loads(rendered(result.report, "json", gate)) if result.report else None,
        }
        page = json.dumps(data, indent=2, ensure_ascii=False)
        passed(page, gate)
        with reader_may_leave():
            click.echo(page)
        return
    for link in (*result.way, *result.place):
        passed(f"{link.said} {link.fix}", gate)
    if result.report:
        rendered(result.report, "text", gate)
    console = Console(highlight=False)
    with reader_may_leave():
        if result.way:
            _print_links(console, "from the client to the proxy", result.way)
        if result.place:
            _print_links(console, "the registry", result.place)
        if result.report and result.report.findings:
            print_report(result.report, console)
        elif result.report:
            _print_not_asked(console, len(result.report.legs), result.unasked)
        _print_answer(console, result)


def _print_links(console: Console, title: str, links: Sequence[Link]) -> None:
    console.print(Text(title, style="bold"))
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for link in links:
        mark, style = _MARKS.get(link.state, ("?", "dim"))
        table.add_row(Text(mark, style=style), Text(link.name), Text(visible(link.said)))
    console.print(table)
    console.print()


def _print_not_asked(console: Console, legs: int, unasked: Sequence[model.NotSeen]) -> None:
    console.print(f"No rule finds fault with what the registry answered to {legs} requests.")
    for lack in unasked:
        said = f"  not seen: {lack.what}: {lack.why}; {lack.effect}"
        console.print(Text(visible(said), style="dim"))
    console.print()


def _print_answer(console: Console, result: _Result) -> None:
    broken = first_broken([*result.way, *result.place])
    if broken is None:
        if result.way and not result.report:
            console.print("The way is open: traffic arrives at the proxy.")
        return
    console.print(Text(f"First broken link: {broken.name}: {visible(broken.said)}.", style="bold"))
    if broken.fix:
        console.print(Text(f"Fix: {visible(broken.fix)}"))


doctor.add_command(config)
doctor.add_command(registry_debug)
