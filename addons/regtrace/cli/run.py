"""``regtrace run``: a container client followed by one command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from regtrace.cli.ending import USAGE, complain, end
from regtrace.cli.gateway import gateway_setup, read_registry
from regtrace.cli.options import config_option, rules_option, share_option
from regtrace.cli.session import (
    Files,
    capture_option,
    check_site,
    interruptible,
    is_ours_alone,
    named_files,
    onward_settings,
    report_option,
    tidying_up,
    upstream_ca_option,
    upstream_proxy_option,
)
from regtrace.proxy import gateway, onward
from regtrace.proxy.running import NotStarted, Running, Setup, running
from regtrace.report.visible import visible
from regtrace.setup import authority, client_environment, docker
from regtrace.setup.refused import Refused
from regtrace.setup.roots import write_roots
from regtrace.setup.script import addon_path
from regtrace.setup.workspace import workspace
from regtrace.wire.proxy_settings import ProxySettings

#: The client's command and environment, once the proxy's port is known.
_Prepared = Callable[[Running], tuple[Sequence[str], Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class _Options:
    files: Files
    share: str
    config: str
    rules: str
    upstream_ca: str
    upstream_proxy: str | None


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", metavar="-- COMMAND...", nargs=-1, type=click.UNPROCESSED)
@capture_option
@report_option
@share_option
@config_option
@rules_option
@upstream_ca_option
@upstream_proxy_option
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def run(
    command: Sequence[str],
    capture: str | None,
    reports: Sequence[str],
    share: str,
    config: str,
    rules: str,
    upstream_ca: str,
    upstream_proxy: str | None,
    dry_run: bool,
) -> None:
    """Run COMMAND, a container client, and say why it failed.

    The client gets a proxy of its own, and trust in it, by its environment: skopeo, podman,
    buildah, crane, regctl, oras, nerdctl and others that do their work themselves. Nothing else on
    the machine changes.

    docker push and docker pull are run through a gateway (see regtrace gateway --help): for that
    time the image has a second name on 127.0.0.1, with the login that you have for the first.

    What happens is told on standard error; standard output is the client's own. A report and the
    capture are left in this folder, unless -o and -w name other places.

    \b
    Exit status: the client's own; 128 and the signal's number when it was killed;
    2 when it was not run at all.

    \b
    Examples:
      regtrace run -- skopeo copy docker-archive:app.tar docker://registry.example.com/app:1
      regtrace run -o push.md -- podman push registry.example.com/app:1
      regtrace run -- docker push registry.example.com/app:1
    """
    try:
        if not command:
            raise Refused("run what? Write: regtrace run -- skopeo copy …")
        files = named_files(capture, reports, always=True)
        options = _Options(files, share, config, rules, upstream_ca, upstream_proxy)
        with tidying_up():
            status = _run(list(command), options, dry_run=dry_run)
    except (Refused, NotStarted) as fault:
        end(str(fault), USAGE)
    sys.exit(status)


def _run(command: list[str], options: _Options, *, dry_run: bool) -> int:
    if shutil.which(command[0]) is None:
        raise Refused(f"{visible(command[0])}: there is no such program; check the PATH")
    options.files.check()
    check_site(options.config, options.rules)
    wanted = None if _is_podman(command) else docker.read_command(command)
    if wanted is not None:
        return _run_docker(wanted, options, dry_run=dry_run)
    refused = client_environment.refusal(command, os.environ)
    if refused:
        raise Refused(refused)
    for warning in client_environment.warnings(command, os.environ):
        complain(visible(warning))
    settings = onward_settings(options.upstream_proxy, os.environ)
    if dry_run:
        click.echo(f"would run: {visible(shlex.join(command))}\nwith:")
        for change in client_environment.changes("http://127.0.0.1:PORT"):
            click.echo(f"  {change}")
        return 0
    with workspace() as folder:
        made = authority.create(folder / "confdir", days=1)
        bundle = folder / "bundle.pem"
        authority.bundle(made, bundle)
        setup = _proxy_setup(folder, made, settings, options)

        def prepared(proxy: Running) -> tuple[Sequence[str], Mapping[str, str]]:
            url = f"http://127.0.0.1:{proxy.port}"
            return command, client_environment.environment_for(
                os.environ, url, bundle, made.certificate
            )

        with options.files.opened():
            status, seen = _followed(setup, prepared)
    if not seen:
        complain(
            "no traffic arrived: the client asked no registry, or asked it past the proxy of its"
            " environment (a daemon does its work, or the registry has a loopback name). regtrace"
            " gateway needs no proxy"
        )
    options.files.tell()
    return status


def _is_podman(command: Sequence[str]) -> bool:
    """Fedora's podman-docker calls podman docker."""
    if Path(command[0]).name != "docker":
        return False
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        said = subprocess.run(  # noqa: S603
            [command[0], "--version"], capture_output=True, timeout=30, check=False
        )
        return said.stdout.lower().startswith(b"podman")
    return False


def _proxy_setup(
    folder: Path, made: authority.Authority, settings: ProxySettings, options: _Options
) -> Setup:
    """A proxy, behind which stands the site's own where there is one. Raises Refused."""
    roots = folder / "roots.pem"
    write_roots(roots, options.upstream_ca)
    beyond = settings.https or settings.http
    modes = [onward.mode(beyond, "127.0.0.1:0")] if beyond else ["regular@127.0.0.1:0"]
    return Setup(
        script=addon_path(),
        confdir=made.folder,
        modes=modes,
        capture=options.files.capture,
        reports=options.files.reports,
        share=options.share,
        config=options.config,
        rules=options.rules,
        trusted=roots,
        lazily=bool(beyond),
        first=[onward.Onward(settings)] if beyond else [],
    )


# --- docker


def _run_docker(wanted: docker.DockerCommand, options: _Options, *, dry_run: bool) -> int:
    environment = docker.with_config(wanted, os.environ)
    reaches = docker.check_daemon(wanted)
    daemon = {**docker.daemon_proxies(wanted)}
    named = options.upstream_proxy
    settings = onward_settings(named, daemon if any(daemon.values()) else os.environ)
    origin = read_registry(docker.base_url(wanted, settings))
    addresses = gateway.loopback()
    here = f"127.0.0.1:{addresses[0][1]}"
    other = wanted.reference.at(here)
    steps = _steps(docker.without_config(wanted), other)
    if dry_run:
        shown = f"127.0.0.1:PORT{other.removeprefix(here)}"
        click.echo(f"would put {origin} at 127.0.0.1:PORT, with your login for it, and run:")
        for step in (*steps.before, steps.client, *steps.after):
            click.echo(f"  {visible(shlex.join(step).replace(other, shown))}")
        return 0
    with workspace() as folder:
        login = docker.write_login(folder / "docker", wanted.reference.registry, here, environment)
        setup = gateway_setup(
            folder,
            origin,
            addresses,
            settings,
            files=options.files,
            share=options.share,
            config=options.config,
            rules=options.rules,
            upstream_ca=options.upstream_ca,
        )
        complain(
            f"docker reaches {origin} by the gateway, as {visible(other)} (removed afterwards),"
            f" {'with your login' if login else 'without a login: there is none for it'}"
        )
        client = {**os.environ, **reaches, "DOCKER_CONFIG": str(folder / "docker")}
        with options.files.opened():
            status, seen = _in_steps(steps, setup, client)
    if not seen:
        complain("docker did not come to the gateway; what it said stands above")
    options.files.tell()
    return status


def _in_steps(steps: _Steps, setup: Setup, environment: Mapping[str, str]) -> tuple[int, bool]:
    """Exit status of the client, and whether it came to the gateway. The second name goes again,
    whatever happens."""
    try:
        for step in steps.before:
            _do(step, environment)
        status, seen = _followed(setup, lambda _: (steps.client, environment))
        if status == 0:
            for step in steps.pulled:
                _do(step, environment)
    finally:
        for step in steps.after:
            with contextlib.suppress(Refused):
                _do(step, environment)
    return status, seen


@dataclass(frozen=True, slots=True)
class _Steps:
    before: tuple[list[str], ...]
    client: list[str]
    pulled: tuple[list[str], ...]
    """After a pull that went well: the image gets the name that was asked for."""
    after: tuple[list[str], ...]


def _steps(wanted: docker.DockerCommand, other: str) -> _Steps:
    remove = wanted.also("rmi", "--no-prune", other)
    if wanted.verb == "push":
        tag = wanted.also("tag", wanted.name, other)
        return _Steps((tag,), wanted.with_name(other), (), (remove,))
    if wanted.reference.digest:
        complain("the image is pulled by its digest, which no second name can have: it is not kept")
        return _Steps((), wanted.with_name(other), (), (remove,))
    tag = wanted.also("tag", other, wanted.name)
    return _Steps((), wanted.with_name(other), (tag,), (remove,))


def _do(step: Sequence[str], environment: Mapping[str, str]) -> None:
    """A step that says nothing when it goes well. Raises Refused with what docker said."""
    done = subprocess.run(  # noqa: S603
        step, env=dict(environment), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode != 0:
        said = visible(done.stderr.decode("utf-8", "replace").strip(), limit=300)
        raise Refused(f"{visible(shlex.join(step[:2]))}: {said}")


# --- the client


def _followed(setup: Setup, prepared: _Prepared) -> tuple[int, bool]:
    """Run the client beside the proxy: its exit status, as a shell would say it, and whether
    anything came."""
    # What the story says goes to standard error: standard output is the client's.
    with contextlib.redirect_stdout(sys.stderr):
        return asyncio.run(_beside(setup, prepared))


async def _beside(setup: Setup, prepared: _Prepared) -> tuple[int, bool]:
    client: asyncio.subprocess.Process | None = None
    told: list[signal.Signals] = []

    def heard(number: signal.Signals) -> None:
        told.append(number)
        if client is not None:
            forward(client, number)

    def forward(to: asyncio.subprocess.Process, number: signal.Signals) -> None:
        # The terminal gives Ctrl-C to the client itself; once.
        if is_ours_alone(number) or len(told) > 1:
            with contextlib.suppress(ProcessLookupError):
                to.send_signal(number)

    with interruptible(heard):
        async with running(setup) as proxy:
            if told:
                return 128 + told[0], True
            command, environment = prepared(proxy)
            try:
                client = await asyncio.create_subprocess_exec(*command, env=dict(environment))
            except OSError as fault:
                raise Refused(f"{visible(command[0])}: can't be run: {fault.strerror}") from None
            for number in told:  # while it was being started
                forward(client, number)
            status = await client.wait()
        return (status if status >= 0 else 128 - status), bool(proxy.flows)
