"""``regtrace ca``: an authority for one case, who trusts it, and how all that goes away again."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from regtrace.cli.ending import FAILED, complain
from regtrace.cli.setting_up import as_json, authority_folder, careful, dry_run, show
from regtrace.report.visible import visible
from regtrace.setup import authority, handshake, journal, probe, trust
from regtrace.setup.authority import Authority
from regtrace.setup.clients import CLIENTS, registry_name
from regtrace.setup.machine import Machine, this_machine
from regtrace.setup.script import addon_path

_PROXY = "http://127.0.0.1:8080"

_proxy = click.option(
    "--proxy",
    metavar="URL",
    default="",
    help=f"The proxy that is running, such as {_PROXY}: tries a handshake through it.",
)


@click.group()
def ca() -> None:
    """The certificate authority that clients must trust while their traffic is looked into.

    \b
    Examples:
      regtrace ca create --registry https://registry.example:5050 --storage s3.example
      sudo regtrace ca install registry.example:5050
      sudo regtrace ca remove
    """


@ca.command()
@click.argument("hosts", metavar="[HOST]...", nargs=-1)
@click.option("--registry", "registries", metavar="URL", multiple=True, help="Ask this registry.")
@click.option("--storage", metavar="HOST", multiple=True, help="Where it sends clients for blobs.")
@click.option(
    "--days",
    type=click.IntRange(1, authority.MOST_DAYS),
    default=authority.DAYS,
    show_default=True,
    help="How long it may live.",
)
@click.option("--replace", is_flag=True, help="Destroy the authority that is there.")
@authority_folder
@dry_run
@as_json
def create(
    hosts: Sequence[str],
    registries: Sequence[str],
    storage: Sequence[str],
    days: int,
    replace: bool,
    ca_folder: Path,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make an authority that may sign for these hosts alone.

    HOST is a name or an address: of the registry, of its token server, of the storage that it
    redirects to. A name covers all names below it; *.s3.example says so. --registry asks the
    registry itself for its token server. Which storage it uses shows only in a redirect, so name
    that with --storage; without it, that leg passes the proxy sealed and is not in the report.

    \b
    Examples:
      regtrace ca create registry.example auth.example '*.s3.example'
      regtrace ca create --registry https://registry.example:5050 --storage s3.example
    """
    with careful():
        if not hosts and not registries:
            raise click.UsageError("name the HOSTs, or the registry with --registry URL")
        asked = [host for url in registries for host in probe.hosts_of(url)]
        names = authority.named([*hosts, *asked, *storage])
        if dry_run:
            plan = [
                f"would make an authority for {days} days in {visible(str(ca_folder))}",
                *_for_hosts(names),
            ]
            show({"folder": str(ca_folder), "hosts": names, "days": days}, plan, as_json=as_json)
            return
        if replace:
            authority.destroy(ca_folder)
        made = authority.create(ca_folder, names, days=days)
        notes = _unknown_storage(storage, registries)
        show({**_told(made), "notes": notes}, _made(made, notes), as_json=as_json)


@ca.command()
@click.argument("registries", metavar="[REGISTRY]...", nargs=-1)
@click.option(
    "--client",
    "clients",
    type=click.Choice(list(CLIENTS)),
    multiple=True,
    help="Only this one; containers is podman, buildah and skopeo. May be repeated.  [default:"
    " those that are installed]",
)
@click.option("--system", is_flag=True, help="Let every program trust it: the system's own store.")
@authority_folder
@_proxy
@dry_run
@as_json
def install(
    registries: Sequence[str],
    clients: Sequence[str],
    system: bool,
    ca_folder: Path,
    proxy: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Let clients trust the authority for a REGISTRY, named as in an image: host or host:port.

    Writes where each client looks for this one registry; that covers its token server and its
    storage. What was changed is remembered, and regtrace ca remove takes back exactly that.

    \b
    Examples:
      sudo regtrace ca install registry.example:5050
      regtrace ca install registry.example:5050 --client containers     without root
      sudo regtrace ca install registry.example:5050 --dry-run
      sudo regtrace ca install --system
    """
    with careful():
        if not registries and not system:
            raise click.UsageError("name a REGISTRY such as registry.example:5050, or use --system")
        machine = this_machine()
        made = authority.load(ca_folder)
        plans = [trust.plan(machine, made, registry_name(each), clients) for each in registries]
        plans += [trust.system_plan(machine, made)] if system else []
        told = [_install(machine, made, plan, proxy, dry_run=dry_run) for plan in plans]
        lines = [line for each in told for line in _installed_lines(each)]
        show({"authority": _told(made), "trust": told}, lines, as_json=as_json)
        if any(each["handshake"] and not each["handshake"]["trusted"] for each in told):
            sys.exit(FAILED)


@ca.command()
@authority_folder
@_proxy
@as_json
def status(ca_folder: Path, proxy: str, as_json: bool) -> None:
    """Who trusts the authority on this machine, and whether that still stands.

    \b
    Exit status: 0 all stands as it was written; 1 something was changed since, or the
    handshake fails.

    \b
    Examples:
      regtrace ca status
      regtrace ca status --proxy http://127.0.0.1:8080
    """
    with careful():
        machine = this_machine()
        made = authority.load(ca_folder) if ca_folder.exists() else None
        told: list[dict[str, Any]] = []
        for registry, changes in trust.installed(machine.journal).items():
            files = [{"path": each.path, "state": trust.state(each)} for each in changes]
            shaken = None
            if proxy and made and registry != trust.SYSTEM:
                certificates = [Path(each.path) for each in changes if each.path.endswith(".crt")]
                shaken = _told_handshake(registry, proxy, made, certificates)
            told.append({"registry": registry, "files": files, "handshake": shaken})
        content = {"authority": _told(made) if made else None, "trust": told}
        show(content, _status_lines(made, told), as_json=as_json)
        stands = all(file["state"] == "as written" for each in told for file in each["files"])
        if not stands or any(
            each["handshake"] and not each["handshake"]["trusted"] for each in told
        ):
            sys.exit(FAILED)


@ca.command()
@click.argument("registries", metavar="[REGISTRY]...", nargs=-1)
@click.option("--destroy", is_flag=True, help="Destroy the authority too, with its key.")
@authority_folder
@dry_run
@as_json
def remove(
    registries: Sequence[str], destroy: bool, ca_folder: Path, dry_run: bool, as_json: bool
) -> None:
    """Take back what regtrace ca install did: for a REGISTRY, or for all.

    Files are put back byte for byte, and new ones removed with the folders that were made for them.
    A file that others changed since is left alone and named.

    \b
    Exit status: 0 all is as before; 1 something had to be left alone.

    \b
    Examples:
      sudo regtrace ca remove
      sudo regtrace ca remove registry.example:5050
      regtrace ca remove --destroy
    """
    with careful():
        book = this_machine().journal
        standing = trust.installed(book)
        names = [registry_name(each) for each in registries] or list(standing)
        if dry_run:
            paths = [each.path for name in names for each in standing.get(name, ())]
            paths += [str(ca_folder)] if destroy else []
            lines = [f"would put back {visible(path)}" for path in paths] or ["nothing to remove"]
            show({"would_restore": paths}, lines, as_json=as_json)
            return
        restored: list[str] = []
        problems: list[str] = []
        notes: list[str] = []
        for name in names:
            done, left = trust.remove(book, name)
            restored += [each.path for each in done]
            problems += left
            notes += trust.restarts(name, done)
        if destroy:
            authority.destroy(ca_folder)
            if ca_folder.parent == journal.folder():
                with contextlib.suppress(OSError):  # there is more to be remembered
                    ca_folder.parent.rmdir()
        lines = [f"as before: {visible(path)}" for path in restored]
        lines += [f"note: {note}" for note in notes]
        lines += [f"destroyed: {visible(str(ca_folder))}"] if destroy else []
        show(
            {"restored": restored, "notes": notes, "problems": problems},
            lines if lines or problems else ["there was nothing to remove"],
            as_json=as_json,
        )
        for problem in problems:
            complain(problem)
        if problems:
            sys.exit(FAILED)


def _told(made: Authority) -> dict[str, Any]:
    return {
        "folder": str(made.folder),
        "certificate": str(made.certificate),
        "hosts": made.hosts,
        "expires": made.expires.isoformat(),
        "fingerprint": made.fingerprint,
    }


def _for_hosts(names: Sequence[str]) -> list[str]:
    return [f"  for {name}" for name in names]


def _unknown_storage(storage: Sequence[str], registries: Sequence[str]) -> list[str]:
    unknown = (
        "which storage the registry redirects to can't be known before a push; if it does, make"
        " the authority anew with --replace and --storage HOST, or that leg passes sealed"
    )
    return [unknown] if registries and not storage else []


def _made(made: Authority, notes: Sequence[str]) -> list[str]:
    mine = shlex.quote(str(made.folder))
    script = shlex.quote(str(addon_path()))
    return [
        f"made an authority until {made.expires:%Y-%m-%d %H:%M} UTC in {visible(str(made.folder))}",
        *_for_hosts(made.hosts),
        *(f"note: {note}" for note in notes),
        "",
        "Start the proxy with it:",
        f"  mitmdump --listen-host 127.0.0.1 --set confdir={mine} -s {script} -w push.mitm",
        "Let the clients trust it (docker with sudo):",
        f"  regtrace ca install REGISTRY --ca {mine}",
    ]


def _install(
    machine: Machine, made: Authority, plan: trust.Plan, proxy: str, *, dry_run: bool
) -> dict[str, Any]:
    """Carry a plan out, or not; returns what there is to tell."""
    book = machine.journal
    wanted = book.plan(plan.purpose, plan.edits)
    changed = [edit.path for edit in wanted]
    if not dry_run:
        trust.install(book, plan)
    shaken = None
    if proxy and not dry_run and plan.registry != trust.SYSTEM:
        certificates = [e.path for e in plan.edits if e.path.suffix == ".crt"]
        shaken = _told_handshake(plan.registry, proxy, made, certificates)
    return {
        "registry": plan.registry,
        "dry_run": dry_run,
        "places": [
            {
                "client": place.client,
                "note": place.note,
                "files": [
                    {"path": str(edit.path), "changed": edit.path in changed}
                    for edit in place.edits
                ],
            }
            for place in plan.places
        ],
        "command": shlex.join(plan.do) if plan.do and changed else None,
        "warnings": trust.warnings(made, plan.registry),
        "handshake": shaken,
    }


def _told_handshake(
    registry: str, proxy: str, made: Authority, certificates: Sequence[Path]
) -> dict[str, Any]:
    shaken = handshake.shake(registry, proxy, made, certificates)
    return {"trusted": shaken.trusted, "said": shaken.said}


def _installed_lines(told: dict[str, Any]) -> list[str]:
    done = "would be written" if told["dry_run"] else "written"
    lines = [f"{told['registry']}"]
    for place in told["places"]:
        for file in place["files"]:
            how = done if file["changed"] else "is so already"
            lines.append(f"  {place['client']:<11} {how}: {visible(file['path'])}")
        lines.append(f"  {'':<11} {place['note']}")
    if told["command"]:
        lines.append(f"  {'would run' if told['dry_run'] else 'ran'}: {told['command']}")
    if told["handshake"]:
        lines.append(f"  handshake: {told['handshake']['said']}")
    return lines + [f"  warning: {warning}" for warning in told["warnings"]]


def _status_lines(made: Authority | None, told: Sequence[dict[str, Any]]) -> list[str]:
    lines = []
    if made:
        scope = ", ".join(made.hosts) or "every host"
        lines.append(f"authority until {made.expires:%Y-%m-%d %H:%M} UTC for {visible(scope)}")
    for each in told:
        lines.append(each["registry"])
        lines += [f"  {file['state']}: {visible(file['path'])}" for file in each["files"]]
        if each["handshake"]:
            lines.append(f"  handshake: {each['handshake']['said']}")
    return lines + ([] if told else ["no client here was told by regtrace to trust an authority"])
