"""What several checks ask of a set-up: who stands before whom, how clients see it, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timezone

from regtrace.diagnose.config.check import Spot, Verdict, Wrong
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, NotSeen
from regtrace.wire.hosts import Reach, is_address, reach
from regtrace.wire.settings import Front, KeyFile, RegistrySide, Setting, SetUp
from regtrace.wire.term import Term, host, plain

_TIME = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
_SIZE = re.compile(r"([0-9]{1,15})([kKmMgG]?)[bB]?")
_FACTORS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
#: Names that only the cluster or the machine knows, whoever the clients are.
_CLUSTER = (".svc", ".cluster.local", ".localhost")


def seconds(setting: Setting) -> float | None:
    """A time as nginx writes it: ``900``, ``60s``, ``5m``."""
    match = _TIME.fullmatch(setting.text.strip())
    return int(match[1]) * _SECONDS[match[2]] if match else None


def size(setting: Setting) -> int | None:
    """Bytes, as nginx and ingress-nginx write them: ``0``, ``100m``."""
    match = _SIZE.fullmatch(setting.text.strip())
    return int(match[1]) * _FACTORS[match[2].lower()] if match else None


def host_and_port(text: str) -> tuple[str, int | None]:
    """``[::1]:5000`` → ``::1`` and 5000; the host is empty for ``:5000``."""
    name, colon, port = text.strip().rpartition(":")
    if not colon or not port.isdigit() or len(port) > 5 or (":" in name and name[:1] != "["):
        return text.strip("[] "), None
    return name.strip("[]"), int(port)


def address(text: str) -> Term:
    """Where something listens; ``:5000`` names no host."""
    return host(text) if host_and_port(text)[0] else plain(text)


def is_loopback(host: str) -> bool:
    return bool(host) and reach(host) is Reach.LOOPBACK and host not in {"0.0.0.0", "::"}  # noqa: S104


def is_clusters_own(host: str) -> bool:
    """Loopback, a name without a dot, a service's name: no client elsewhere finds it."""
    host = host.lower().rstrip(".")
    if is_address(host):
        return is_loopback(host)
    return "." not in host or host.endswith(_CLUSTER) or host == "localhost"


def clients_urls(setup: SetUp, registry: RegistrySide | None = None) -> Iterator[str]:
    """Hosts by which clients know a registry."""
    for each in setup.registries if registry is None else (registry,):
        url = each.public.url if each.public else None
        if url:
            yield url.host
        said = each.settings.get("http.host")
        if said and said.url:
            yield said.url.host
    for front in setup.fronts:
        yield from (name for name in front.names if name not in {"_", ""} and "." in name)


def is_public(setup: SetUp) -> bool:
    """Clients know the registry by a name that the public DNS may resolve."""
    return any(reach(host) is Reach.PUBLIC for host in clients_urls(setup))


def tls_for_clients(setup: SetUp, registry: RegistrySide) -> Setting | None:
    """The setting that shows that clients come over https; None when none does."""
    if registry.public and registry.public.url and registry.public.url.scheme == "https":
        return registry.public
    for front in setup.fronts:
        for each in front.listens:
            if each.tls:
                return each.setting
    return registry.settings.get("http.tls.certificate", "http.tls.letsencrypt.cachefile")


def realms(setup: SetUp) -> list[tuple[RegistrySide, Setting]]:
    """Each realm that clients are sent to. With ``autoredirect`` it is made of the request."""
    return [
        (side, realm)
        for side in setup.registries
        if (realm := side.settings.get("auth.token.realm"))
        and not side.settings.flag("auth.token.autoredirect")
    ]


def registry_called(setup: SetUp, front: Front) -> RegistrySide | None:
    """The registry that listens on the port that this front calls."""
    ports = {host_and_port(each.text)[1] for each in front.upstreams}
    for registry in setup.registries:
        addr = registry.settings.get("http.addr")
        if addr and host_and_port(addr.text)[1] in ports - {None}:
            return registry
    return None


def registry_behind(setup: SetUp, front: Front) -> RegistrySide | None:
    """The registry that this front leads to, be it past other proxies: the one it calls, or the
    only one."""
    alone = setup.registries[0] if len(setup.registries) == 1 else None
    return registry_called(setup, front) or alone


def urls_are_relative(registry: RegistrySide | None) -> bool:
    """The registry needs no header to name an upload's next address."""
    if registry is None:
        return False
    return registry.settings.flag("http.relativeurls") is True or bool(
        registry.settings.get("http.host")
    )


def lacks_registry(effect: str) -> NotSeen:
    return NotSeen(
        "the registry's configuration",
        "no config.yml (or gitlab.rb, Helm values, compose file) of a registry was given",
        effect,
    )


def lacks_token_side(effect: str) -> NotSeen:
    return NotSeen(
        "the token server's configuration",
        "no gitlab.rb or gitlab.yml (or Helm values of GitLab) was given",
        effect,
    )


def lacks_front(effect: str) -> NotSeen:
    return NotSeen(
        "the reverse proxy's configuration",
        "no server or location of nginx that leads to a registry was given",
        effect,
    )


def at(setting: Setting | None, why: str) -> tuple[Spot, ...]:
    return (Spot(setting, why),) if setting else ()


def wrongs(found: list[Wrong]) -> tuple[Wrong, ...]:
    """Each fault once: several locations inherit one directive."""
    seen: set[tuple[tuple[str, int, str], ...]] = set()
    kept = []
    for wrong in found:
        key = tuple((s.setting.source, s.setting.line, s.setting.name) for s in wrong.spots)
        if key not in seen:
            seen.add(key)
            kept.append(wrong)
    return tuple(kept)


def not_read(file: KeyFile | None, effect: str) -> NotSeen:
    """A certificate or key that could not be read, or is not there."""
    if file and file.problem:
        return NotSeen(file.shown, f"it {file.problem}", effect)
    shown = file.shown if file else "the key file"
    return NotSeen(shown, "it is not there; --root DIR names the top of a copied tree", effect)


def out_of_date(setup: SetUp, named: list[Setting], effect: str) -> Verdict:
    """Of these certificates those that are not valid now."""
    if not named:
        return DOES_NOT_APPLY
    found: list[Wrong] = []
    unread: NotSeen | None = None
    for setting in named:
        file = setup.key_file(setting)
        if file is None or file.not_before is None or file.not_after is None:
            unread = unread or not_read(file, effect)
        elif not file.not_before <= setup.now <= file.not_after:
            fields = {
                "certificate": plain(file.shown),
                "begins": plain(day(file.not_before)),
                "ends": plain(day(file.not_after)),
            }
            found.append(Wrong(spots=(Spot(setting, "the certificate"),), fields=fields))
    return wrongs(found) or unread or PASSES


def day(epoch: float) -> str:
    """``2026-11-26``, UTC."""
    return datetime.fromtimestamp(epoch, timezone.utc).date().isoformat()
