"""Why does no traffic arrive? The chain from a client's settings to the registry, link by link.

Each link is looked at as the client itself would meet it: its own settings, by Go's rules; its own
trust, in a real handshake through the proxy. The first broken one is the answer.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from regtrace.report.visible import date, duration, visible
from regtrace.setup.asking import Asking, ReadCertificate
from regtrace.setup.authority import system_roots
from regtrace.setup.link import BROKEN, OK, UNKNOWN, WARNING, Link
from regtrace.setup.places import place_of, without_login
from regtrace.setup.refused import Refused
from regtrace.setup.roots import registry_folders
from regtrace.wire.dates import read_http_date
from regtrace.wire.exchange import Exchange, ServerCertificate
from regtrace.wire.proxy_settings import ProxySettings, is_loopback, settings_of
from regtrace.wire.transport import Failure, read_failure

#: Seconds to connect; by which clocks may differ; of a certificate's life that are left.
_PATIENCE, _SKEW, _SOON = 5.0, 60.0, 14 * 86_400.0
#: Bytes of an environment that are read.
_LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Client:
    """Whose settings are looked at."""

    title: str
    settings: ProxySettings
    environment: Mapping[str, str] = field(default_factory=dict)
    is_docker: bool = False


# --- whose settings


def this_shell(environment: Mapping[str, str]) -> Client:
    return Client("a client started from this shell", settings_of(environment), environment)


def process(pid: int) -> Client:
    """A running process. Raises Refused."""
    try:
        with Path(f"/proc/{pid}/environ").open("rb") as stream:
            content = stream.read(_LARGEST)
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        raise Refused(f"process {pid}: there is none (or no /proc on this system)") from None
    except OSError as fault:
        raise Refused(
            f"process {pid}: its environment can't be read: {fault.strerror}; run regtrace as its"
            " owner, or as root"
        ) from None
    pairs = (entry.partition("=") for entry in content.decode("utf-8", "replace").split("\0"))
    environment = {name: value for name, equals, value in pairs if equals}
    return Client(f"process {pid} ({name})", settings_of(environment), environment)


def docker_daemon() -> Client:
    """The daemon that docker talks to, as docker info tells. Raises Refused."""
    try:
        done = subprocess.run(
            ["docker", "info", "--format", "{{json .}}"],  # noqa: S607
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
        info = json.loads(done.stdout or b"null")
    except FileNotFoundError:
        raise Refused("docker: there is no such program here; leave out --client docker") from None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        info = None
    errors = info.get("ServerErrors") if isinstance(info, dict) else None
    if not isinstance(info, dict) or errors:
        said = visible(str(errors[0]), limit=200) if errors else "docker info gives no answer"
        raise Refused(f"the docker daemon can't be asked: {said}")
    settings = ProxySettings(
        *(str(info.get(key) or "") for key in ("HttpProxy", "HttpsProxy", "NoProxy"))
    )
    return Client("the docker daemon", settings, _daemon_environment(), is_docker=True)


def _daemon_environment() -> Mapping[str, str]:
    """Its environment, for the trust that it may name; nothing where that may not be read."""
    with contextlib.suppress(OSError, ValueError, Refused):
        return process(int(Path("/var/run/docker.pid").read_text())).environment
    return {}


# --- the links


@dataclass(slots=True)
class Chain:
    """The way of one client to one registry through a proxy of ours."""

    client: Client
    registry: str
    """``https://registry.example.com``; empty: no one in particular."""
    read_certificate: ReadCertificate
    folder: Path
    """Where the client's roots may be put together."""
    proxy: str = ""
    """Where mitmproxy is expected; empty: wherever the client is sent."""

    def links(self) -> Iterator[Link]:
        """Each link, up to the first broken one."""
        for link in self._every():
            yield link
            if link.state == BROKEN:
                return

    def _every(self) -> Iterator[Link]:
        if self.registry:
            yield self._name()
        yield from self._settings()
        if self.registry:
            yield self._exceptions()
        yield from self._listening()
        if self.registry:
            yield from self._handshake()

    # Its settings.

    def _settings(self) -> Iterator[Link]:
        settings = self.client.settings
        plain = self.registry.startswith("http:")
        which, set_to = ("HTTP_PROXY" if plain else "HTTPS_PROXY"), self._set_to()
        where = (
            "put it under proxies in /etc/docker/daemon.json (docker before 23: the environment of"
            " the docker service), and restart docker; or use regtrace gateway"
            if self.client.is_docker
            else "export it in the shell that starts the client; or use regtrace run"
        )
        if not set_to:
            yield Link(
                "proxy setting",
                BROKEN,
                f"{self.client.title} has no {which}: it goes straight to the registry",
                f"set {which}={self.proxy or 'http://127.0.0.1:8080'}: {where}",
            )
            return
        shown = without_login(set_to)
        if self.proxy and place_of(set_to) != place_of(self.proxy):
            yield Link(
                "proxy setting",
                BROKEN,
                f"{self.client.title} goes to another proxy: {which} is {shown}",
                f"set {which}={self.proxy}: {where}",
            )
            return
        yield Link("proxy setting", OK, f"{which} of {self.client.title} is {shown}")
        other = settings.https if plain else settings.http
        name = "HTTPS_PROXY" if plain else "HTTP_PROXY"
        if not other:
            yield Link(
                "proxy setting",
                WARNING,
                f"{name} is not set: a redirect to a storage on {name[:-6].lower()}:// passes by",
                f"set {name} to the same",
            )

    def _set_to(self) -> str:
        settings = self.client.settings
        return settings.http if self.registry.startswith("http:") else settings.https

    def _name(self) -> Link:
        host = urlsplit(self.registry).hostname or ""
        if is_loopback(host):
            return Link(
                "registry's name",
                BROKEN,
                f"{host} is a loopback name: Go's clients never use a proxy for it, whatever their"
                " settings say",
                "push to the machine's own name instead; or use regtrace gateway",
            )
        return Link("registry's name", OK, f"{host} is a name that can be proxied")

    def _exceptions(self) -> Link:
        parts = urlsplit(self.registry)
        entry = self.client.settings.bypass(parts.hostname or "", _port(self.registry))
        if entry:
            return Link(
                "NO_PROXY",
                BROKEN,
                f"the entry {visible(entry, limit=60)} of {self.client.title} leaves"
                f" {parts.netloc} out",
                f"take {visible(entry, limit=60)} out of NO_PROXY and no_proxy for the test"
                + (", and restart docker" if self.client.is_docker else ""),
            )
        return Link("NO_PROXY", OK, f"no entry leaves {parts.netloc} out")

    # The proxy itself.

    def _listening(self) -> Iterator[Link]:
        host, port = place_of(self._set_to())
        try:
            socket.create_connection((host, port), _PATIENCE).close()
        except socket.gaierror as fault:
            yield Link(
                "proxy",
                BROKEN,
                f"the proxy's name {visible(host)} can't be resolved: {fault.strerror}",
                "correct the setting, or add the name to /etc/hosts",
            )
            return
        except OSError as fault:
            yield Link(
                "proxy",
                BROKEN,
                f"nothing answers at {visible(host)}:{port}: {fault.strerror or 'timed out'}",
                f"start it: mitmdump --listen-host {host} --listen-port {port} -s"
                ' "$(regtrace addon-path)" -w push.mitm',
            )
            return
        yield Link("proxy", OK, f"something listens at {host}:{port}")

    def _handshake(self) -> Iterator[Link]:
        """As this client: through the proxy, with its trust."""
        named = self.client.environment.get("SSL_CERT_FILE")
        if named and not Path(named).is_file():
            yield Link(
                "trust",
                BROKEN,
                f"SSL_CERT_FILE of {self.client.title} names {visible(named, limit=120)}, and there"
                " is no such file: programs say nothing of it, and trust nobody",
                "correct it, or unset it",
            )
            return
        asking = Asking(self.client.settings, self._trusted(), self.read_certificate)
        answer = asking.ask("GET", f"{self.registry}/v2/")
        yield from self._opened(answer)
        if answer.error is None and self.registry.startswith("https:"):
            yield from self._shown(answer.connection.certificate)
        yield from self._answered(answer)

    def _opened(self, answer: Exchange) -> Iterator[Link]:
        set_to = without_login(self._set_to())
        failure = read_failure(answer.error) if answer.error else None
        if failure is Failure.UPSTREAM_PROXY:
            status = answer.error.rpartition(": ")[2] if answer.error else ""
            yield Link(
                "tunnel",
                BROKEN,
                f"the proxy {set_to} refuses the tunnel (CONNECT) to"
                f" {urlsplit(self.registry).netloc}: {visible(status, limit=80)}",
                "502: the proxy itself can't reach the registry, see its own lines; 403: allow"
                " CONNECT to this host and port there; 407: give the proxy's login in the setting",
            )
        elif failure is Failure.CERTIFICATE:
            yield Link(
                "trust",
                BROKEN,
                f"{self.client.title} does not trust what the proxy shows:"
                f" {visible(str(answer.error), limit=160)}",
                "give it the proxy's CA: regtrace ca install; or use regtrace run, or gateway",
            )
        elif answer.error:
            yield Link(
                "proxy's way",
                BROKEN,
                f"the way through {set_to} breaks: {visible(answer.error, limit=200)}",
                "look at the proxy's own lines",
            )

    def _shown(self, certificate: ServerCertificate | None) -> Iterator[Link]:
        if certificate is None:
            return
        issuer = certificate.issuer
        if "mitmproxy" in issuer.lower() or "regtrace" in issuer.lower():
            yield Link("trust", OK, f"the proxy's certificate is trusted ({visible(issuer)})")
            return
        yield Link(
            "interception",
            BROKEN,
            "the connection passes sealed: the certificate that comes is the server's own, of"
            f" {visible(issuer, limit=120)}",
            "the proxy looks into other hosts only: add this one to registry_hosts (mitmproxy's"
            " allow_hosts), or the proxy is not mitmproxy",
        )

    def _answered(self, answer: Exchange) -> Iterator[Link]:
        response = answer.response
        if response is None:
            return
        server = response.headers.get("server") or ""
        if response.status >= 500 and server.lower().startswith("mitmproxy"):
            body = (response.body.kept or b"").decode("utf-8", "replace")
            said = " ".join(body.split("<p>")[-1].split("</p>")[0].split())
            yield Link(
                "proxy's way",
                BROKEN,
                f"the proxy can't reach {urlsplit(self.registry).netloc}:"
                f" {visible(said, limit=200)}",
                "a certificate of your own site: start mitmdump with --set"
                " ssl_verify_upstream_trusted_ca=ca.pem; a name or port: see regtrace doctor"
                " registry",
            )
            return
        yield Link(
            "answer",
            OK if response.status < 500 else WARNING,
            f"GET /v2/ through the proxy answered {response.status}: traffic arrives",
        )

    def _trusted(self) -> Path:
        """The roots of this client, and those that it has for this registry alone."""
        named = self.client.environment.get("SSL_CERT_FILE")
        roots = Path(named) if named else system_roots()
        files = [roots, *registry_certificates(self.registry)]
        together = self.folder / "client-roots.pem"
        try:
            together.write_bytes(b"\n".join(file.read_bytes() for file in files))
        except OSError as fault:
            raise Refused(
                f"{visible(str(fault.filename))}: can't be read: {fault.strerror}; it holds what"
                f" {self.client.title} trusts"
            ) from None
        return together


def registry_certificates(registry: str) -> list[Path]:
    """What docker, podman, skopeo and buildah trust for this one registry."""
    netloc = urlsplit(registry).netloc
    found: list[Path] = []
    for folder in registry_folders():
        try:
            found += sorted((folder / netloc).glob("*.crt"))
        except OSError:
            continue
    return found


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


# --- the registry itself


def registry_links(url: str, exchanges: Sequence[Exchange], now: float) -> Iterator[Link]:
    """What can be said of the registry's own place, besides what the rules say of its answers."""
    first = exchanges[0] if exchanges else None
    if first and first.connection.through:
        host, port = first.connection.through
        yield Link("way", OK, f"asked through the proxy {visible(host)}:{port}, which looks it up")
    else:
        yield from _addresses(url)
    if first is None or first.error:
        return
    if first.connection.certificate:
        yield _certificate(first.connection.certificate, now)
    elif url.startswith("http://"):
        yield Link("certificate", WARNING, "the registry is asked without TLS", "")
    yield _clock(first)


def _addresses(url: str) -> Iterator[Link]:
    host, port = urlsplit(url).hostname or "", _port(url)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as fault:
        yield Link(
            "DNS",
            BROKEN,
            f"{visible(host)} can't be resolved: {fault.strerror}",
            "correct the name; ask the resolver that the client uses (a daemon's may be another)",
        )
        return
    addresses = list(dict.fromkeys((family, str(to[0])) for family, _, _, _, to in found))
    yield Link("DNS", OK, f"{host} is {', '.join(address for _, address in addresses[:6])}")
    for family, title in ((socket.AF_INET, "IPv4"), (socket.AF_INET6, "IPv6")):
        mine = [address for kind, address in addresses if kind == family]
        if mine:
            yield _reached(title, mine, port, only=len(addresses) == len(mine))


def _reached(title: str, addresses: Sequence[str], port: int, *, only: bool) -> Link:
    faults = []
    for address in addresses[:4]:
        try:
            socket.create_connection((address, port), _PATIENCE).close()
        except OSError as fault:
            faults.append(f"{address}: {fault.strerror or 'timed out'}")
    if not faults:
        return Link(title, OK, f"{', '.join(addresses[:4])} port {port} can be reached")
    return Link(
        title,
        BROKEN if only and len(faults) == len(addresses[:4]) else WARNING,
        f"port {port} can't be reached at {'; '.join(faults)}",
        "open the way (firewall, route), start the registry, or take this address out of DNS",
    )


def _certificate(certificate: ServerCertificate, now: float) -> Link:
    left = certificate.not_after - now
    said = f"valid until {date(certificate.not_after)}, by {visible(certificate.issuer, limit=100)}"
    if left < _SOON:
        return Link("certificate", WARNING, f"{said}: {duration(max(left, 0))} left", "renew it")
    return Link("certificate", OK, said)


def _clock(first: Exchange) -> Link:
    response = first.response
    theirs = read_http_date(response.headers.get("date")) if response else None
    if response is None or theirs is None:
        return Link("clock", UNKNOWN, "the registry says no Date")
    offset = theirs - (first.request.started + response.started) / 2
    if abs(offset) > _SKEW:
        late = "behind" if offset > 0 else "ahead of"
        return Link(
            "clock",
            BROKEN,
            f"this machine's clock is {duration(abs(offset))} {late} the registry's: tokens and"
            " signed URLs will not be valid",
            "set both by NTP: timedatectl set-ntp true",
        )
    return Link("clock", OK, "this machine's clock and the registry's agree")
