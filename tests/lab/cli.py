"""The command line of the laboratory. It stays outside the box and sends the work inside."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import click

from . import box, expect, inside, packages, scenario, world
from .faults import FAULTS
from .parts import PARTS, mitmdump

_CAPTURES = world.REPOSITORY_ROOT / "captures"
_SAVED = ("mitm", "yaml", "client.txt", "registry.log", "nginx.log")
_KEPT = (*_SAVED, "live.txt", "live.json")


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit status."""
    if arguments[:1] == ["inside"]:
        return inside.main(arguments[1:])
    try:
        lab.main(arguments, prog_name="lab")
    except SystemExit as ended:
        return int(ended.code or 0)
    except (box.BoxError, packages.PackagesError, scenario.ScenarioError) as error:
        click.echo(f"lab: {error}", err=True)
        return 2
    return 0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def lab() -> None:
    """A laboratory of real parts.

    docker, skopeo, podman, buildah and ctr, docker-registry, Ceph's S3 gateway, nginx, a token
    server, and mitmdump between client and registry. It breaks one thing at a time and records
    what a push or pull then looks like.

    Everything runs in namespaces of its own: no address, mount, file or service of this
    machine changes. Only `install` touches the machine: it installs Debian packages.

    \b
      lab install               once
      lab list                  what can be run
      lab run docker-push-ok    run it, files into a temporary folder
      lab down                  end everything
    """


@lab.command()
def install() -> None:
    """Install the Debian packages that are missing.

    For root on Debian or Ubuntu. No service is started: policy-rc.d forbids it to apt for that
    time. Does nothing when all packages are there.
    """
    _require_fit_machine()
    missing = packages.missing()
    if missing:
        packages.install(missing)
    else:
        click.echo("all packages are installed")


@lab.command()
@click.option("--parts", metavar="A,B", default="", help=f"Only these of {', '.join(PARTS)}.")
def up(parts: str) -> None:
    """Bring the parts up, all healthy, and leave them running.

    The first time takes about 20 seconds, for Ceph. The Docker engine, containerd and mitmdump
    belong to a run and are started by `lab run`.
    """
    _require_parts()
    wanted = parts.split(",") if parts else []
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        raise click.BadParameter(f"there is no part {unknown[0]}", param_hint="--parts")
    with box.locked() as lock:
        box.create()
        sys.exit(_inside(["up", *wanted], lock))


@lab.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--save", is_flag=True, help="Write into captures/ of this clone.")
@click.option("--to", type=click.Path(path_type=Path), help="Write into this folder.")
@click.option("--no-addon", is_flag=True, help="Run a plain mitmdump.")
def run(names: tuple[str, ...], save: bool, to: Path | None, no_addon: bool) -> None:
    """Run scenarios, named as `lab list` does, or `all`.

    Checks that the client ended as the scenario says; with the addon also that its live report
    says what the scenario expects. The lab is brought up when it is not, and stays up.

    Without --save and --to the files go to a new temporary folder. Besides the capture, its
    sidecar (.yaml), what the client said and the registry's log, it then also gets what mitmdump
    printed and the live report. --save writes nothing for a client that ended otherwise.

    Exit status: 0 all as expected, 1 something else happened, 2 the lab itself failed.
    """
    _require_parts()
    if save and to:
        raise click.UsageError("--save already says where to write; leave out --to")
    wanted = scenario.names() if names == ("all",) else names
    scenarios = [scenario.load(name) for name in wanted]
    addon = mitmdump.ADDON.exists() and not no_addon
    folder = _CAPTURES if save else to or Path(tempfile.mkdtemp(prefix="regtrace-lab-"))
    folder.mkdir(parents=True, exist_ok=True)
    with box.locked() as lock:
        box.create()
        status = max(_run_one(each, folder, lock, addon=addon, save=save) for each in scenarios)
    click.echo(f"files: {folder}")
    sys.exit(status)


@lab.command("list")
def list_() -> None:
    """List the scenarios, and the faults that a scenario can name."""
    for name in scenario.names():
        click.echo(f"{name:30} {scenario.load(name).summary}")
    click.echo("\nfaults:")
    for name, fault in FAULTS.items():
        click.echo(f"{name:30} {fault['what']}")


@lab.command()
def status() -> None:
    """Say which parts run. Exit status 1 when the lab is down."""
    if not box.is_up():
        click.echo("the lab is down")
        sys.exit(1)
    sys.exit(_inside(["status"]))


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def enter(command: tuple[str, ...]) -> None:
    """Look around in a lab that is up: open a shell there, or run a command.

    \b
      lab enter tail -f /run/lab/logs/registry.log
    """
    sys.exit(box.enter(list(command) or ["bash"]))


@lab.command()
def down() -> None:
    """End everything, also what a crash left behind. Nothing stays."""
    box.destroy()


def _run_one(each: scenario.Scenario, folder: Path, lock: int, *, addon: bool, save: bool) -> int:
    words = ["run", *([] if addon else ["--no-addon"]), each.name]
    ended = _inside(words, lock)
    if ended == 0 or (ended == 1 and not save):
        _collect(each.name, folder, _SAVED if save else _KEPT)
    if ended == 0 and addon:
        return _check_live_report(each)
    return ended


def _inside(words: list[str], lock: int | None = None) -> int:
    program = str(Path(__file__).parent)
    return box.enter([sys.executable, program, "inside", *words], lock)


def _collect(name: str, folder: Path, endings: tuple[str, ...]) -> None:
    """Copy a run's files out of the box: it can't write outside of it by itself."""
    for ending in endings:
        source = box.inner_path(world.RUNS / name / f"{name}.{ending}")
        if source.exists():
            shutil.copyfile(source, folder / source.name)


def _check_live_report(each: scenario.Scenario) -> int:
    path = box.inner_path(world.RUNS / each.name / f"{each.name}.live.json")
    if path.exists():
        problems = expect.check_report(json.loads(path.read_text()), each.expect)
    else:
        problems = ["there is none"]
    for problem in problems:
        click.echo(f"       live report: {problem}")
    return 1 if problems else 0


def _require_fit_machine() -> None:
    reason = packages.unfit()
    if reason:
        raise packages.PackagesError(reason)


def _require_parts() -> None:
    _require_fit_machine()
    missing = packages.missing()
    if missing:
        raise packages.PackagesError(f"run `lab install` first; not here: {', '.join(missing)}")
