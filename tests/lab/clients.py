"""The container clients: what each step of a scenario runs, and with which trust and account.

A client is a function that gets an image onto the client's side and returns the one command that
talks to the registry. To add a client, write that function and name it in CLIENTS.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import image, keys, process, world
from .parts import containerd, dockerd, mitmdump
from .settings import Tree

_ACCOUNTS = world.HOME / ".docker" / "config.json"
_BLOB_CACHE = Path("/var/lib/containers/cache")  # of skopeo, podman and buildah
_STORAGE = world.STATE / "containers"  # of podman and buildah
_STORAGE_CONF = f"""\
[storage]
driver = "vfs"
graphroot = "{_STORAGE}/graph"
runroot = "{_STORAGE}/run"
"""
_CTR_HOSTS = Path("/etc/containerd/certs.d")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # ctr colours its progress on whatever it writes to


@dataclass(frozen=True, slots=True)
class Step:
    """One command of one client; see scenario.py."""

    run: str
    seed: str
    image: str = ""
    layers: int = 1
    size: int = 3000
    platforms: tuple[str, ...] = ("amd64", "arm64")
    args: tuple[str, ...] = ()
    interrupt: float | None = None
    pulled: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was run: the command as a person would type it, how it ended, what it said."""

    command: str
    exit: int
    output: str


def docker_push(step: Step, reference: str, folder: Path) -> list[str]:
    """docker push"""
    archive = _archive(step, reference, folder)
    process.run(["docker", "--host", dockerd.SOCKET, "load", "--input", str(archive)])
    return ["docker", "push", reference]


def docker_pull(step: Step, reference: str, folder: Path) -> list[str]:
    """docker pull"""
    return ["docker", "pull", reference]


def docker_build(step: Step, reference: str, folder: Path) -> list[str]:
    """docker build with BuildKit, FROM an image of the registry"""
    return _build(reference, f"FROM {reference}", [], folder)


def docker_build_cached(step: Step, reference: str, folder: Path) -> list[str]:
    """docker build with BuildKit, which looks for its cache in the registry"""
    return _build(reference, "FROM scratch", [f"--cache-from={reference}"], folder)


def _build(reference: str, base: str, options: list[str], folder: Path) -> list[str]:
    """The engine asks the registry; its token is fetched by the command itself, which knows no
    certs.d."""
    trusted = _authority(reference.partition("/")[0])
    (folder / "Dockerfile").write_text(f"{base}\nCOPY Dockerfile /\n")
    build = ["docker", "build", "--progress=plain", *options, "."]
    return ["env", "DOCKER_BUILDKIT=1", f"SSL_CERT_FILE={trusted}", *build]


def docker_login(step: Step, reference: str, folder: Path) -> list[str]:
    """docker login, with the account that `log_in` has left"""
    return ["docker", "login", reference.partition("/")[0]]


def skopeo_push(step: Step, reference: str, folder: Path) -> list[str]:
    """skopeo copy, from a file to the registry"""
    archive = _archive(step, reference, folder)
    return ["skopeo", "copy", f"docker-archive:{archive.name}", f"docker://{reference}"]


def skopeo_push_index(step: Step, reference: str, folder: Path) -> list[str]:
    """skopeo copy --multi-arch=all, an index of two platforms"""
    archive = folder / "index.tar"
    image.make_index(archive, step.seed, step.layers, step.size, step.platforms)
    return [
        "skopeo",
        "copy",
        "--multi-arch=all",
        f"oci-archive:{archive.name}",
        f"docker://{reference}",
    ]


def skopeo_pull(step: Step, reference: str, folder: Path) -> list[str]:
    """skopeo copy, from the registry to a folder"""
    return ["skopeo", "copy", f"docker://{reference}", "dir:image"]


def podman_push(step: Step, reference: str, folder: Path) -> list[str]:
    """podman push"""
    process.run(["podman", "load", "--input", str(_archive(step, reference, folder))])
    return ["podman", "push", reference]


def podman_pull(step: Step, reference: str, folder: Path) -> list[str]:
    """podman pull"""
    return ["podman", "pull", reference]


def buildah_push(step: Step, reference: str, folder: Path) -> list[str]:
    """buildah push"""
    process.run(["buildah", "pull", f"docker-archive:{_archive(step, reference, folder)}"])
    return ["buildah", "push", reference]


def ctr_push(step: Step, reference: str, folder: Path) -> list[str]:
    """ctr images push, of an image made for it or of one that it has pulled"""
    if step.pulled:
        return [*_ctr("push", reference), f"{reference.partition('/')[0]}/{step.pulled}"]
    archive = _archive(step, reference, folder)
    process.run(["ctr", "--address", str(containerd.SOCKET), "images", "import", str(archive)])
    return _ctr("push", reference)


def ctr_pull(step: Step, reference: str, folder: Path) -> list[str]:
    """ctr images pull"""
    return _ctr("pull", reference)


CLIENTS: dict[str, Callable[[Step, str, Path], list[str]]] = {
    "docker-push": docker_push,
    "docker-pull": docker_pull,
    "docker-build": docker_build,
    "docker-build-cached": docker_build_cached,
    "docker-login": docker_login,
    "skopeo-push": skopeo_push,
    "skopeo-push-index": skopeo_push_index,
    "skopeo-pull": skopeo_pull,
    "podman-push": podman_push,
    "podman-pull": podman_pull,
    "buildah-push": buildah_push,
    "ctr-push": ctr_push,
    "ctr-pull": ctr_pull,
}

# The parts that clients talk to instead of the registry.
_ENGINES = (dockerd, containerd)


def start_engines(steps: Sequence[Step], proxy: str | None, *, insecure: str = "") -> None:
    """Start what these steps need, and only that; docker may ask ``insecure`` without TLS."""
    if any(step.run.startswith("docker-") for step in steps):
        dockerd.start(proxy, insecure=insecure)
    if any(step.run.startswith("ctr-") for step in steps):
        containerd.start(proxy)


def stop_engines() -> None:
    for engine in _ENGINES:
        engine.stop()


def do(
    steps: Sequence[Step],
    registry: str,
    proxy: str | None,
    seconds: float,
    folder: Path,
    *,
    together: bool = False,
) -> list[Done]:
    """Run steps to their ends, one after another or all at the same time.

    A client that takes longer than these seconds is killed; that is exit status 124.
    """
    variables = environment(proxy)

    def ready(step: Step) -> Callable[[], Done]:
        command = CLIENTS[step.run](step, f"{registry}/{step.image}", folder)
        # An option stands before what it is about, which is the last word, or the last two.
        command[-2 if command[0] == "skopeo" else -1 : 0] = step.args
        return lambda: _run(command, variables, seconds, folder, step.interrupt)

    if together:
        with ThreadPoolExecutor(len(steps)) as threads:
            return list(threads.map(lambda run: run(), [ready(step) for step in steps]))
    return [ready(step)() for step in steps]


def environment(proxy: str | None) -> dict[str, str]:
    """What clients run with."""
    variables = {
        **os.environ,
        "DOCKER_HOST": dockerd.SOCKET,
        "REGISTRY_AUTH_FILE": str(_ACCOUNTS),
        "CONTAINERD_ADDRESS": str(containerd.SOCKET),
        "CONTAINERD_SNAPSHOTTER": "native",  # as vfs: the box has no file system for overlays
    }
    if proxy is not None:
        # Both: with HTTPS_PROXY alone a redirect to an http:// storage host bypasses the proxy.
        variables |= {"HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    return variables


def _run(
    command: list[str],
    environment: dict[str, str],
    seconds: float,
    folder: Path,
    interrupt: float | None,
) -> Done:
    client = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = client.communicate(timeout=interrupt or seconds)
        status = client.returncode
    except subprocess.TimeoutExpired:
        client.send_signal(signal.SIGINT if interrupt else signal.SIGKILL)
        output, _ = client.communicate()
        status = client.returncode if interrupt else 124
    return Done(shlex.join(command), status, _COLOUR.sub("", output.decode(errors="replace")))


def log_in(registry: str, account: Tree) -> None:
    """Give every client this account, as `docker login` would have left it; or none."""
    auths = {}
    if "user" in account:
        words = f"{account['user']}:{account['password']}".encode()
        auths[registry] = {"auth": base64.b64encode(words).decode()}
    _ACCOUNTS.parent.mkdir(parents=True, exist_ok=True)
    _ACCOUNTS.write_text(json.dumps({"auths": auths}))


def set_up_trust(registry: str, *, proxy: bool = True, scheme: str = "https") -> None:
    """Let the clients accept the laboratory's own certificates, and the proxy's.

    docker, skopeo, podman and buildah all read the same folder, ctr another one that names the
    same file. They read it for each push and pull, and use it for its token and storage leg, too.
    """
    authority = _file(_authority(registry))
    authorities = [keys.CA, mitmdump.CA] if proxy and mitmdump.CA.exists() else [keys.CA]
    authority.write_text("".join(path.read_text() for path in authorities))
    # containerd 1.6 wants the table `host`, empty or not.
    hosts = f'server = "{scheme}://{registry}"\nca = "{authority}"\n[host]\n'
    _file(_CTR_HOSTS / registry / "hosts.toml").write_text(hosts)


def _authority(registry: str) -> Path:
    return Path("/etc/docker/certs.d") / registry / "ca.crt"


def forget() -> None:
    """Remove what clients remember from earlier runs: images, and where their blobs are."""
    for engine in _ENGINES:
        engine.forget()
    for folder in (_BLOB_CACHE, _STORAGE):
        shutil.rmtree(folder, ignore_errors=True)
    policy = {"default": [{"type": "insecureAcceptAnything"}]}
    _file(Path("/etc/containers/policy.json")).write_text(json.dumps(policy))
    _file(Path("/etc/containers/storage.conf")).write_text(_STORAGE_CONF)


def _ctr(what: str, reference: str) -> list[str]:
    """ctr can't read the file that `log_in` writes; so its account is in the command."""
    registry = reference.partition("/")[0]
    account = json.loads(_ACCOUNTS.read_text())["auths"].get(registry)
    user = [f"--user={base64.b64decode(account['auth']).decode()}"] if account else []
    return ["ctr", "images", what, f"--hosts-dir={_CTR_HOSTS}", *user, reference]


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _archive(step: Step, reference: str, folder: Path) -> Path:
    path = folder / "image.tar"
    image.make(path, reference, step.seed, step.layers, step.size)
    return path
