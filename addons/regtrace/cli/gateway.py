"""``regtrace gateway``: a registry under a loopback address, for docker without CA and proxy."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from regtrace.cli.ending import USAGE, end
from regtrace.cli.options import config_option, rules_option, share_option
from regtrace.cli.session import (
    Files,
    capture_option,
    check_site,
    interruptible,
    named_files,
    onward_settings,
    report_option,
    tidying_up,
    upstream_ca_option,
    upstream_proxy_option,
)
from regtrace.proxy import gateway as places
from regtrace.proxy.gateway import Address, Origin
from regtrace.proxy.onward import Onward
from regtrace.proxy.running import NotStarted, Setup, running
from regtrace.report.visible import visible
from regtrace.setup import authority
from regtrace.setup.refused import Refused
from regtrace.setup.roots import write_roots
from regtrace.setup.script import addon_path
from regtrace.setup.workspace import workspace
from regtrace.wire.proxy_settings import ProxySettings
from regtrace.wire.url import authority_of

_LISTEN = re.compile(r"(?:(?P<host>[0-9.]+|\[[0-9a-fA-F:]+\]):)?(?P<port>\d{1,5})")


@click.command()
@click.argument("registry", metavar="URL")
@click.option(
    "--listen",
    metavar="[ADDRESS:]PORT",
    default="127.0.0.1:0",
    help="Where clients find it; any free port of 127.0.0.1 when nothing is said.",
)
@click.option("--open", "is_open", is_flag=True, help="Let --listen be an address of the network.")
@capture_option
@report_option
@share_option
@config_option
@rules_option
@upstream_ca_option
@upstream_proxy_option
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def gateway(
    registry: str,
    listen: str,
    is_open: bool,
    capture: str | None,
    reports: Sequence[str],
    share: str,
    config: str,
    rules: str,
    upstream_ca: str,
    upstream_proxy: str | None,
    dry_run: bool,
) -> None:
    """Put the registry at URL behind a loopback address, and follow what passes.

    Docker takes every registry on 127.0.0.0/8 as it is, so nothing has to be set up: no CA, no
    proxy, no restart, no root. Realm, Location and redirects are rewritten for the client, so that
    token server and storage are reached through the gateway too; the report shows the true names,
    and lists what was rewritten. Storages get their signed URLs byte for byte.

    What it can't show: how the client fares under the registry's own name (its certificate,
    the client's trust, proxy and login).

    \b
    Example:
      regtrace gateway https://registry.example.com -o push.txt
      docker tag registry.example.com/team/app:1 127.0.0.1:PORT/team/app:1
      docker push 127.0.0.1:PORT/team/app:1
    """
    try:
        origin = read_registry(registry)
        host, port = _read_listen(listen, is_open=is_open)
        check_site(config, rules)
        files = named_files(capture, reports, always=False)
        files.check()
        settings = onward_settings(upstream_proxy, os.environ)
        if dry_run:
            where = f"{host}:{port or 'PORT'}"
            click.echo(f"would listen on {where} and put {origin} there; nothing else changes")
            return
        addresses = _addresses(host, port)
        with tidying_up(), workspace() as folder:
            setup = gateway_setup(
                folder,
                origin,
                addresses,
                settings,
                files=files,
                share=share,
                config=config,
                rules=rules,
                upstream_ca=upstream_ca,
            )
            with files.opened():
                asyncio.run(_serve(setup, origin, addresses[0]))
        files.tell()
    except (Refused, NotStarted) as fault:
        end(str(fault), USAGE)


def read_registry(url: str) -> Origin:
    """Raises Refused."""
    whole = url if "://" in url else f"https://{url}"
    origin = places.read_origin(whole)
    if origin is None:
        # What stands before an @ may be a password.
        shown = visible(url.rpartition("@")[2], limit=80)
        raise Refused(f"{shown}: write https://registry.example.com[:PORT]")
    if whole.rstrip("/") != str(origin):
        raise Refused(
            f"write the registry alone, {visible(str(origin))}: no repository, no path, no login"
        )
    return origin


def _read_listen(text: str, *, is_open: bool) -> Address:
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        raise Refused(f"--listen {visible(text, limit=60)}: write 127.0.0.1:5000 or 5000")
    host = (found["host"] or "127.0.0.1").strip("[]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise Refused(f"--listen {visible(text, limit=60)}: {host} is no address") from None
    if not loopback and not is_open:
        raise Refused(
            f"--listen {host}: others on the network could use it; take 127.0.0.1, or add --open"
        )
    return host, int(found["port"])


def _addresses(host: str, port: int) -> list[Address]:
    try:
        return places.loopback(port, host)
    except OSError as fault:
        raise Refused(
            f"can't listen on {host}:{port}: {fault.strerror}; name another with --listen"
        ) from None


def gateway_setup(
    folder: Path,
    origin: Origin,
    addresses: Sequence[Address],
    settings: ProxySettings,
    *,
    files: Files,
    share: str,
    config: str,
    rules: str,
    upstream_ca: str,
) -> Setup:
    """How mitmproxy runs as a gateway. Raises Refused."""
    made = authority.create(folder / "confdir", days=1)
    roots = folder / "roots.pem"
    write_roots(roots, upstream_ca)
    inward, outward = places.addons(origin, addresses)
    return Setup(
        script=addon_path(),
        confdir=made.folder,
        modes=places.modes(addresses),
        capture=files.capture,
        reports=files.reports,
        share=share,
        config=config,
        rules=rules,
        trusted=roots,
        lazily=True,
        first=[inward, Onward(settings)],
        last=[outward],
    )


async def _serve(setup: Setup, origin: Origin, address: Address) -> None:
    over = asyncio.Event()
    with interruptible(lambda _: over.set()):
        async with running(setup):
            _instruct(origin, address)
            await over.wait()


def _instruct(origin: Origin, address: Address) -> None:
    here = authority_of(*address)
    name = "" if origin.authority == "registry-1.docker.io" else f"{origin.authority}/"
    click.echo(
        f"{origin} is at {here} now. Type, for an image team/app:1:\n\n"
        f"  docker login {here}\n"
        f"  docker tag {name}team/app:1 {here}/team/app:1\n"
        f"  docker push {here}/team/app:1\n"
        f"  docker rmi {here}/team/app:1\n\n"
        f"or  docker pull {here}/team/app:1 . podman, skopeo and buildah need --tls-verify=false.\n"
        "Ctrl-C ends it."
    )
    sys.stdout.flush()
