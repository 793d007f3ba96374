"""``regtrace dockerd``: a Docker engine behind the proxy, a second one or the system's own."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from regtrace.cli.ending import FAILED, USAGE, complain
from regtrace.cli.setting_up import as_json, authority_folder, careful, dry_run, show
from regtrace.report.visible import visible
from regtrace.setup import authority, second_engine, system_engine
from regtrace.setup.machine import this_machine

_PROXY = "http://127.0.0.1:8080"
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DAY = 24 * 3600

_folder = click.option(
    "--folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    default=Path("/var/lib/regtrace/dockerd"),
    show_default=True,
    help="Where it keeps its images and its socket.",
)
_proxy = click.option(
    "--proxy", metavar="URL", default=_PROXY, show_default=True, help="Where mitmdump listens."
)


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """``90s``, ``15m``, ``2h``; from a second to a day."""
    found = re.fullmatch(r"(\d{1,5})([smh])", value)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 1 <= seconds <= _DAY:
        raise click.BadParameter(
            f"{visible(value, limit=40)}: say it as 90s, 15m or 2h, a day at most"
        )
    return seconds


@click.group()
def dockerd() -> None:
    """A Docker engine behind the proxy.

    A second, throw-away engine is the safe way: the system's own is not touched.

    \b
    Examples:
      sudo regtrace dockerd start --load registry.example:5050/team/app:1
      sudo --preserve-env=HOME DOCKER_HOST=unix:///var/lib/regtrace/dockerd/docker.sock \\
          docker push registry.example:5050/team/app:1
      sudo regtrace dockerd stop
    """


@dockerd.command()
@_proxy
@authority_folder
@click.option(
    "--load", "images", metavar="IMAGE", multiple=True, help="Copy it in. May be repeated."
)
@_folder
@dry_run
@as_json
def start(
    proxy: str,
    ca_folder: Path,
    images: Sequence[str],
    folder: Path,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Start a second engine behind the proxy, for root on Linux.

    It trusts the authority by its own environment, so nothing of the system is changed. --load
    copies an image from the system's engine: its layers are compressed anew by a push, so their
    digests may be others than those that the system's engine would push.

    \b
    Examples:
      sudo regtrace dockerd start --proxy http://127.0.0.1:8080 --load team/app:1
      sudo regtrace dockerd start --dry-run
    """
    with careful():
        machine = this_machine()
        folder = folder.absolute()
        second_engine.require(machine, folder)
        if dry_run:
            words = second_engine.shown(folder)
            show({"command": words, "load": images}, [f"would run: {words}"], as_json=as_json)
            return
        made = authority.load(ca_folder)
        engine = second_engine.start(machine, folder, proxy, made)
        try:
            for image in images:
                second_engine.load(engine, image)
        except BaseException:
            second_engine.stop(engine)
            raise
        notes = [
            f"{visible(image)} was unpacked: the digests of its compressed layers may change"
            for image in images
        ]
        lines = [f"export DOCKER_HOST={engine.host}", *(f"# note: {note}" for note in notes)]
        show({"docker_host": engine.host, "loaded": images, "notes": notes}, lines, as_json=as_json)


@dockerd.command()
@_folder
@dry_run
@as_json
def stop(folder: Path, dry_run: bool, as_json: bool) -> None:
    """End the second engine, and remove all of it: images, settings, folder.

    \b
    Example:
      sudo regtrace dockerd stop
    """
    with careful():
        folder = folder.absolute()
        engine = second_engine.find(folder)
        if engine is None:
            show({"stopped": False}, ["there is no second engine"], as_json=as_json)
            return
        shown = visible(str(folder))
        if dry_run:
            show(
                {"would_remove": str(folder)}, [f"would end it and remove {shown}"], as_json=as_json
            )
            return
        second_engine.stop(engine)
        show({"stopped": True}, [f"ended, and {shown} removed"], as_json=as_json)


@dockerd.command()
@_folder
@as_json
def status(folder: Path, as_json: bool) -> None:
    """Which engine is behind the proxy because of regtrace.

    \b
    Example:
      sudo regtrace dockerd status
    """
    with careful():
        engine = second_engine.find(folder.absolute())
        second: dict[str, Any] | None = None
        lines = ["there is no second engine"]
        if engine is not None:
            second = {
                "runs": engine.runs,
                "docker_host": engine.host,
                "proxy": engine.proxy,
                "images": second_engine.images(engine),
            }
            how = "runs" if engine.runs else "has ended; regtrace dockerd stop removes it"
            lines = [f"the second engine {how}", f"  DOCKER_HOST={engine.host}"]
            lines += [f"  {visible(image)}" for image in second["images"]]
        system = system_engine.stands(this_machine())
        lines.append(f"the system's own engine is {'' if system else 'not '}behind the proxy")
        show({"second": second, "system": system}, lines, as_json=as_json)


@dockerd.command()
@_proxy
@click.option("--yes", is_flag=True, help="Do it; without, the plan is shown.")
@click.option("--undo", is_flag=True, help="Take it back now.")
@click.option(
    "--rollback",
    callback=_seconds,
    default="15m",
    show_default=True,
    metavar="TIME",
    help="Take it back by itself after this time.",
)
@dry_run
@as_json
def system(proxy: str, yes: bool, undo: bool, rollback: int, dry_run: bool, as_json: bool) -> None:
    """Put the system's own engine behind the proxy, for a while.

    Changes its settings and restarts it, which stops its containers unless live-restore is on. What
    was changed is put back after --rollback, whatever happens to regtrace or the terminal. Let it
    trust the authority with regtrace ca install.

    \b
    Examples:
      sudo regtrace dockerd system --proxy http://127.0.0.1:8080
      sudo regtrace dockerd system --proxy http://127.0.0.1:8080 --yes --rollback 30m
      sudo regtrace dockerd system --undo
    """
    with careful():
        machine = this_machine()
        if undo:
            _undo(dry_run=dry_run, as_json=as_json)
            return
        steps = system_engine.by_hand(machine, proxy)
        if steps:
            show({"by_hand": steps}, list(steps), as_json=as_json)
            sys.exit(USAGE)
        plan = system_engine.plan(machine, proxy)
        diff = plan.diff()
        content = {
            "files": [str(edit.path) for edit in plan.edits],
            "diff": diff,
            "restart": " ".join(plan.manager.restart),
            "remarks": plan.remarks,
            "rollback_seconds": rollback,
        }
        lines = [*diff, f"then: {content['restart']}", *(f"note: {each}" for each in plan.remarks)]
        if dry_run or not yes:
            show({**content, "done": False}, lines, as_json=as_json)
            if not dry_run:
                complain("nothing was done; add --yes to do it")
                sys.exit(USAGE)
            return
        changed = system_engine.apply(machine, plan, rollback)
        lines += [f"done; it is taken back by itself in {rollback} s, or now with --undo"]
        lines = lines if changed else ["the engine is behind this proxy already"]
        show({**content, "done": bool(changed)}, lines, as_json=as_json)


def _undo(*, dry_run: bool, as_json: bool) -> None:
    machine = this_machine()
    if dry_run:
        paths = [each.path for each in machine.journal.changes(system_engine.PURPOSE)]
        lines = [f"would put back {visible(path)}" for path in paths] or ["nothing to take back"]
        show({"would_restore": paths}, lines, as_json=as_json)
        return
    restored, problems = system_engine.undo(machine)
    paths = [each.path for each in restored]
    lines = [f"as before: {visible(path)}" for path in paths]
    if not paths and not problems:
        lines = ["there was nothing to take back: it was never done, or is rolled back already"]
    show({"restored": paths, "problems": problems}, lines, as_json=as_json)
    for problem in problems:
        complain(problem)
    if problems:
        sys.exit(FAILED)
