"""``docker push`` and ``docker pull`` as regtrace runs them: through the gateway's address.

The daemon does the work, and it can't be given a proxy for one push. But it takes every registry on
127.0.0.0/8 as it is, so the image gets a second name there, with the login of its first one.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from regtrace.report.visible import visible
from regtrace.setup.refused import Refused
from regtrace.wire.proxy_settings import ProxySettings

_HUB = "docker.io"
#: Names under which logins of Docker Hub are kept, and where its registry is.
_HUB_LOGIN, _HUB_REGISTRY = "https://index.docker.io/v1/", "registry-1.docker.io"
#: Options of docker that take a value (docker --help, docker push --help, docker pull --help).
_GLOBAL = {"--config", "-c", "--context", "-H", "--host", "-l", "--log-level"}
_GLOBAL |= {"--tlscacert", "--tlscert", "--tlskey"}
_OWN = {"--platform"}
#: Seconds that docker and a credential helper may take.
_PATIENCE = 30
#: Seconds in which a registry can be reached.
_REACHED = 10
#: Bytes of a file of logins.
_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reference:
    """An image's name, taken apart as docker does (distribution/reference)."""

    registry: str
    """``host[:port]``; ``docker.io`` when the name has none."""
    path: str
    tag: str
    """Empty with a digest alone."""
    digest: str

    @property
    def base_url(self) -> str:
        return f"https://{_HUB_REGISTRY if self.registry == _HUB else self.registry}"

    def at(self, registry: str) -> str:
        """The same image at another registry."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{registry}/{self.path}{tag}{f'@{self.digest}' if self.digest else ''}"


@dataclass(frozen=True, slots=True)
class DockerCommand:
    """A push or pull that was asked for."""

    program: str
    before: tuple[str, ...]
    """Docker's own options."""
    verb: str
    options: tuple[str, ...]
    name: str
    """Of the image, as it was typed."""
    reference: Reference

    def with_name(self, name: str) -> list[str]:
        return [self.program, *self.before, self.verb, *self.options, name]

    def also(self, *words: str) -> list[str]:
        """Another command of docker's, to the same daemon."""
        return [self.program, *self.before, *words]


def read_command(command: Sequence[str]) -> DockerCommand | None:
    """The push or pull that this command is; None when it is none of docker's. Raises Refused."""
    if Path(command[0]).name != "docker":
        return None
    words = list(command[1:])
    before = _options(words, _GLOBAL)
    if words[:1] == ["image"]:
        words.pop(0)
    verb = words.pop(0) if words else ""
    if verb not in {"push", "pull"}:
        raise Refused(
            f"docker {visible(verb)}: only docker push and docker pull can be run so; for the rest"
            " see regtrace dockerd --help"
        )
    options = _options(words, _OWN)
    every = [word for word in options if word in {"-a", "--all-tags"}]
    if every:
        raise Refused(f"docker {verb} {every[0]}: name one tag; each is a push of its own")
    if len(words) != 1:
        raise Refused(f"docker {verb}: name one image, with its registry")
    reference = read_reference(words[0])
    return DockerCommand(command[0], tuple(before), verb, tuple(options), words[0], reference)


def _options(words: list[str], with_value: set[str]) -> list[str]:
    """Take the options off the front of these words."""
    taken = []
    while words and words[0].startswith("-"):
        word = words.pop(0)
        taken.append(word)
        if word in with_value and words:
            taken.append(words.pop(0))
    return taken


def read_reference(name: str) -> Reference:
    """Raises Refused for what docker would not take either."""
    rest, _, digest = name.partition("@")
    first, slash, path = rest.partition("/")
    # A first part is a registry when it can't be a name (distribution/reference splitDockerDomain).
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        registry, rest = first, path
    else:
        registry = _HUB
    head, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        head, tag = rest, ""
    if not head or head.startswith("-") or (digest and ":" not in digest):
        raise Refused(f"{visible(name)}: is no name of an image; write registry/repository:tag")
    if registry in {_HUB, "index.docker.io"}:
        registry, head = _HUB, head if "/" in head else f"library/{head}"
    return Reference(registry, head, tag or ("" if digest else "latest"), digest)


# --- the daemon


def check_daemon(command: DockerCommand) -> dict[str, str]:
    """The environment in which docker talks to the same daemon with another configuration.

    Raises Refused when that daemon would not reach this machine's loopback address.
    """
    host = _daemon_host(command)
    if not host.startswith("unix://"):
        raise Refused(
            f"the docker daemon is elsewhere ({visible(host, limit=80)}): its 127.0.0.1 is not this"
            " machine's. Run regtrace there"
        )
    info = _info(command)
    if "Docker Desktop" in str(info.get("OperatingSystem")):
        raise Refused(
            "Docker Desktop's daemon runs in a machine of its own, whose 127.0.0.1 is not this"
            " one's; see regtrace dockerd --help"
        )
    if any("rootless" in str(option) for option in info.get("SecurityOptions") or ()):
        raise Refused(
            "a rootless daemon has a network of its own, whose 127.0.0.1 is not this machine's;"
            " see regtrace dockerd --help"
        )
    networks = (info.get("RegistryConfig") or {}).get("InsecureRegistryCIDRs") or ()
    if not any(_holds_loopback(network) for network in networks):
        raise Refused(
            "this daemon does not take 127.0.0.0/8 for insecure registries (docker info tells);"
            " see regtrace dockerd --help"
        )
    return {"DOCKER_HOST": host}


def _daemon_host(command: DockerCommand) -> str:
    named = _value(command, "-H", "--host")
    if named:
        return named
    said = _docker(command.also("context", "inspect", "--format", "{{.Endpoints.docker.Host}}"))
    return said.strip() or "unix:///var/run/docker.sock"


def _value(command: DockerCommand, *names: str) -> str:
    """What an option of docker's own was set to; empty when it was not."""
    words = command.before
    for word, following in zip(words, (*words[1:], ""), strict=False):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else following
    return ""


def _info(command: DockerCommand) -> dict[str, Any]:
    said = _docker(command.also("info", "--format", "{{json .}}"))
    try:
        info = json.loads(said)
    except ValueError:
        info = None
    if not isinstance(info, dict):
        raise Refused("docker info can't be read; is the daemon running?")
    if info.get("ServerErrors"):
        raise Refused(f"docker info: {visible(str(info['ServerErrors'][0]), limit=200)}")
    return info


def daemon_proxies(command: DockerCommand) -> dict[str, str]:
    """The proxy by which the daemon itself would have gone, as variables."""
    info = _info(command)
    names = {"HTTP_PROXY": "HttpProxy", "HTTPS_PROXY": "HttpsProxy", "NO_PROXY": "NoProxy"}
    return {name: str(info.get(key) or "") for name, key in names.items()}


def base_url(command: DockerCommand, settings: ProxySettings) -> str:
    """Where the daemon finds the registry: by http where it may, and where no TLS is spoken (moby
    registry/config.go isSecureIndex, service_v2.go lookupV2Endpoints). Behind a proxy of the site,
    https is taken for granted."""
    url = command.reference.base_url
    host, port = urlsplit(url).hostname or "", urlsplit(url).port
    if settings.proxy_for("https", host, port or 443):
        return url
    if _is_insecure(command.reference.registry, host, _info(command)):
        speaks = _speaks_tls(host, port or 443)
        if speaks is False or (speaks is None and port is None and _listens(host, 80)):
            return f"http://{command.reference.registry}"
    return url


def _is_insecure(registry: str, host: str, info: Mapping[str, Any]) -> bool:
    known = info.get("RegistryConfig") or {}
    index = (known.get("IndexConfigs") or {}).get(registry)
    if isinstance(index, dict):
        return index.get("Secure") is False
    try:
        found = {str(place[4][0]) for place in socket.getaddrinfo(host, None)}
        addresses = [ipaddress.ip_address(address.partition("%")[0]) for address in found]
        networks = [ipaddress.ip_network(str(n)) for n in known.get("InsecureRegistryCIDRs") or ()]
    except (OSError, ValueError):
        return False
    return any(address in network for address in addresses for network in networks)


def _speaks_tls(host: str, port: int) -> bool | None:
    """None: it can't be reached. No certificate is judged, and nothing else is said."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), _REACHED) as sock,
            context.wrap_socket(sock, server_hostname=host),
        ):
            return True
    except ssl.SSLError as fault:
        return (fault.reason or "").upper() not in _NO_TLS
    except (OSError, ValueError):
        return None


#: OpenSSL's reasons for bytes that are no TLS.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _REACHED).close()
    except OSError:
        return False
    return True


def _holds_loopback(network: object) -> bool:
    try:
        return ipaddress.ip_address("127.0.0.1") in ipaddress.ip_network(str(network))
    except ValueError:
        return False


def _docker(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused("docker does not answer; is the daemon running?") from None
    except OSError as fault:
        raise Refused(f"{visible(command[0])}: can't be run: {fault.strerror}") from None
    if done.returncode != 0:
        said = visible(done.stderr.decode("utf-8", "replace").strip(), limit=300)
        raise Refused(f"docker answered: {said or f'exit status {done.returncode}'}")
    return done.stdout.decode("utf-8", "replace")


# --- its login


def write_login(folder: Path, registry: str, address: str, environment: Mapping[str, str]) -> bool:
    """Make a docker configuration in which ``address`` has the login of ``registry``.

    Whether there was one. No other login and no setting but extra headers goes into it. Raises
    Refused.
    """
    config = _read_config(_config_folder(environment) / "config.json")
    login = _login(config, registry)
    made: dict[str, Any] = {"auths": {address: login} if login else {}}
    if isinstance(config.get("HttpHeaders"), dict):
        made["HttpHeaders"] = config["HttpHeaders"]
    folder.mkdir(mode=0o700)
    handle = os.open(folder / "config.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(made, stream)
    return login is not None


def with_config(command: DockerCommand, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment as it is with ``docker --config``."""
    named = _value(command, "--config")
    return {**environment, "DOCKER_CONFIG": named} if named else environment


def without_config(command: DockerCommand) -> DockerCommand:
    """The command without the options that the environment stands for now."""
    kept: list[str] = []
    skip = False
    for word in command.before:
        if skip:
            skip = False
        elif word in {"--config", "-c", "--context"}:
            skip = True
        elif not word.startswith(("--config=", "--context=")):
            kept.append(word)
    return replace(command, before=tuple(kept))


def _config_folder(environment: Mapping[str, str]) -> Path:
    named = environment.get("DOCKER_CONFIG")
    return Path(named) if named else Path(environment.get("HOME") or "~").expanduser() / ".docker"


def _read_config(path: Path) -> dict[str, Any]:
    shown = visible(str(path))
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST)
    except FileNotFoundError:
        return {}
    except OSError as fault:
        raise Refused(f"{shown}: can't be read: {fault.strerror}") from None
    try:
        config = json.loads(content)
    except ValueError:
        raise Refused(f"{shown}: is no JSON, so there is no login to take from it") from None
    return config if isinstance(config, dict) else {}


def _login(config: Mapping[str, Any], registry: str) -> dict[str, str] | None:
    """As docker's client looks for it: helper of this registry, helper of all, the file itself."""
    name = _HUB_LOGIN if registry == _HUB else registry
    helpers, store = config.get("credHelpers"), config.get("credsStore")
    helper = helpers.get(name) if isinstance(helpers, dict) else None
    chosen = helper or store
    if isinstance(chosen, str) and chosen:
        found = _from_helper(chosen, name)
        if found:
            return found
    auths = config.get("auths")
    for key, entry in auths.items() if isinstance(auths, dict) else ():
        if isinstance(entry, dict) and _same_registry(key, name):
            return _from_file(entry)
    return None


def _same_registry(key: str, name: str) -> bool:
    """Old logins have a scheme and a path (cli/config/credentials ConvertToHostname)."""

    def host(text: str) -> str:
        return text.split("://", 1)[-1].split("/", 1)[0]

    return key == name or host(key) == host(name)


def _from_file(entry: Mapping[str, Any]) -> dict[str, str] | None:
    kept = {
        name: entry[name]
        for name in ("auth", "identitytoken", "registrytoken")
        if isinstance(entry.get(name), str) and entry[name]
    }
    return kept or None


def _from_helper(helper: str, registry: str) -> dict[str, str] | None:
    """What ``docker-credential-HELPER get`` knows. Its words are never shown: they hold secrets."""
    program = shutil.which(f"docker-credential-{helper}")
    if program is None or "/" in helper:
        raise Refused(
            f"docker-credential-{visible(helper, limit=40)}: the login of {visible(registry)} is"
            " kept there, and there is no such program on the PATH"
        )
    try:
        done = subprocess.run(  # noqa: S603
            [program, "get"],
            input=registry.encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise Refused(f"docker-credential-{visible(helper)}: does not answer") from None
    if done.returncode != 0:
        return None  # "credentials not found" is how a helper says so
    try:
        said = json.loads(done.stdout)
        user, secret = str(said["Username"]), str(said["Secret"])
    except (ValueError, TypeError, KeyError):
        raise Refused(f"docker-credential-{visible(helper)}: its answer can't be read") from None
    if user == "<token>":
        return {"identitytoken": secret}
    return {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}
