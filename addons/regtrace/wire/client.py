"""Which program speaks, from its User-Agent, and what to expect of it.

A User-Agent is a claim by a stranger. Only words that obey a narrow grammar come out of here, so
they can be shown to people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache

from regtrace.wire.exchange import Headers

#: Characters of a User-Agent that are looked at; docker's, the longest, has about 250.
MAX_USER_AGENT = 1024

#: The first docker engine that keeps connections alive (commit 619ecc9b53).
DOCKER_KEEPS_ALIVE = (29, 4)

# Narrower than RFC 9110 10.1.5: nothing that a terminal, HTML or Markdown could take for markup.
_PRODUCT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,47}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:-]{0,63}")
_SPLIT = re.compile(r"(?:\([^()]*\)|[\s,;()])+")
_LEADING_V = re.compile(r"^[vV](?=[0-9])")
_NUMBERS = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})")
_UPSTREAM = re.compile(r"UpstreamClient\(([^\s()\\]{1,128})")
_COMMENT = re.compile(r"\(([^()\\]{1,128})\)")
_DOTNET = ".NET Container Library"

_SYSTEMS = frozenset({"linux", "windows", "darwin", "freebsd"})

_Word = tuple[str, str | None]


class Family(str, Enum):
    """Programs that act alike on the wire, mostly because they share a library."""

    DOCKER = "docker"
    """The engine with its graph drivers."""
    DOCKER_CONTAINERD = "docker-containerd"
    """The engine with containerd's image store; its token requests say ``containerd``."""
    DOCKER_CLI = "docker-cli"
    """``docker manifest``, plugins and trust: the command line itself."""
    CONTAINERD = "containerd"
    """containerd, ctr, nerdctl; or a token request for docker or buildkit."""
    BUILDKIT = "buildkit"
    CONTAINERS_IMAGE = "containers-image"
    """podman, skopeo, buildah, CRI-O."""
    GGCR = "ggcr"
    """go-containerregistry: crane, ko, kaniko, cosign."""
    REGCLIENT = "regclient"
    ORAS = "oras"
    """oras, helm, notation."""
    JIB = "jib"
    DOTNET = "dotnet"
    REPLICATION = "replication"
    """A registry that acts as a client: replication or proxy cache."""
    DOCTOR = "doctor"
    """``regtrace doctor``, which asks each thing once."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What a family does, as far as following its legs needs to know."""

    pings: bool | None
    """Calls ``/v2/`` before anything else. None: not known."""
    grace: float
    """Seconds of silence after an error before it is final: longer than its own back-off."""
    throttled_grace: float
    """The same after a 429."""
    head_may_end: bool
    """A push may end with a manifest HEAD that finds the same digest: nothing to upload."""
    connection_per_request: bool
    """Never reuses a connection, so connections join nothing. Of docker: before 29.4."""


def _habits(
    pings: bool | None,
    grace: float,
    *,
    throttled: float | None = None,
    head_may_end: bool = False,
    per_request: bool = False,
) -> Habits:
    return Habits(
        pings=pings,
        grace=grace,
        throttled_grace=grace if throttled is None else throttled,
        head_may_end=head_may_end,
        connection_per_request=per_request,
    )


#: Sources: docker xfer/upload.go (waits 5, 10, 15, 20 s); buildkit retryhandler/retry.go (1, 2,
#: 4 s); containers common/pkg/retry (1, 2, 4 s) and docker_client.go (429: up to 60 s); regclient
#: reghttp/http.go (up to 30 s); ggcr remote/write.go (1, 3 s); oras-go retry/policy.go (up to
#: 3 s); containerd docker/resolver.go (at once); jib, .NET: not measured, so generous. HEAD ends:
#: docker/pusher.go, ggcr pusher.go, oras copy.go, regclient image.go, jib.skipExistingImages.
HABITS: dict[Family, Habits] = {
    Family.DOCKER: _habits(True, 25.0, per_request=True),
    Family.DOCKER_CONTAINERD: _habits(False, 5.0, head_may_end=True),
    Family.DOCKER_CLI: _habits(True, 5.0, per_request=True),
    Family.CONTAINERD: _habits(False, 5.0, head_may_end=True),
    Family.BUILDKIT: _habits(False, 12.0, head_may_end=True),
    Family.CONTAINERS_IMAGE: _habits(True, 10.0, throttled=65.0),
    Family.GGCR: _habits(True, 5.0, head_may_end=True),
    Family.REGCLIENT: _habits(False, 35.0, head_may_end=True),
    Family.ORAS: _habits(False, 5.0, head_may_end=True),
    Family.JIB: _habits(True, 10.0, head_may_end=True, per_request=True),
    Family.DOTNET: _habits(False, 10.0),
    Family.REPLICATION: _habits(None, 65.0, head_may_end=True),
    Family.DOCTOR: _habits(True, 0.0),
    Family.UNKNOWN: _habits(None, 35.0),
}

#: Who has containerd's resolver as it comes (core/remotes/docker): a pull finds its manifest with
#: HEAD, once; a push reads nothing; each has connections and tokens of its own; a token is asked
#: for with POST, then with GET; what failed is not tried again later.
CONTAINERD_RESOLVER = frozenset({Family.CONTAINERD, Family.DOCKER_CONTAINERD})

#: By the first product of a User-Agent, in lower case.
_FAMILIES = {
    "docker": Family.DOCKER,
    "docker-client": Family.DOCKER_CLI,
    "containerd": Family.CONTAINERD,
    "buildkit": Family.BUILDKIT,
    "containers": Family.CONTAINERS_IMAGE,
    "skopeo": Family.CONTAINERS_IMAGE,
    "buildah": Family.CONTAINERS_IMAGE,
    "libpod": Family.CONTAINERS_IMAGE,
    "podman": Family.CONTAINERS_IMAGE,
    "cri-o": Family.CONTAINERS_IMAGE,
    "crane": Family.GGCR,
    "kaniko": Family.GGCR,
    "ko": Family.GGCR,
    "cosign": Family.GGCR,
    "regclient": Family.REGCLIENT,
    "oras": Family.ORAS,
    "oras-go": Family.ORAS,
    "helm": Family.ORAS,
    "notation": Family.ORAS,
    "jib": Family.JIB,
    "artifactory": Family.REPLICATION,
    "harbor": Family.REPLICATION,
    "harbor-registry-client": Family.REPLICATION,
    "nexus": Family.REPLICATION,
    "quay": Family.REPLICATION,
    "regtrace-doctor": Family.DOCTOR,
}

_LIBRARIES = frozenset({"containerd-client", "go-containerregistry"})


@dataclass(frozen=True, slots=True)
class Client:
    """The program behind a request, in words that are safe to show."""

    product: str
    """As it calls itself: ``docker``, ``skopeo``, ``crane``, ``regctl``, ..."""
    version: str | None = None
    """Without a leading ``v``."""
    library: str | None = None
    """``name/version`` of the registry library inside; of jib, its plugin."""
    upstream: str | None = None
    """On whose behalf: the CLI that called docker, what started kaniko."""
    os: str | None = None
    arch: str | None = None
    family: Family = Family.UNKNOWN

    @property
    def habits(self) -> Habits:
        return HABITS[self.family]

    @property
    def may_do_without(self) -> bool:
        """Whether a manifest that is not there may be no failure of it: a build looks for caches.

        BuildKit inside docker 20.10 calls itself by containerd's library, as do other programs that
        have it inside; its version is then not linked in (containerd version/version.go).
        """
        inside = self.product == "containerd" and (self.version or "").endswith("+unknown")
        return inside or self.family is Family.BUILDKIT

    @property
    def connection_per_request(self) -> bool:
        """Whether this version opens a connection for every request."""
        if self.family is Family.DOCKER:
            return _docker_opens_each(self.version or "")
        return self.habits.connection_per_request


@lru_cache(maxsize=256)  # asked for each leg
def _docker_opens_each(version: str) -> bool:
    numbers = _NUMBERS.match(version)
    if numbers is None:
        return HABITS[Family.DOCKER].connection_per_request
    return (int(numbers[1]), int(numbers[2])) < DOCKER_KEEPS_ALIVE


def read_client(headers: Headers) -> Client | None:
    """The client of a request, or None when its User-Agent says nothing readable.

    A request header ``Docker-Distribution-API-Version`` betrays containers/image, which alone
    sends it (docker_client.go).
    """
    fingerprint = "Docker-Distribution-API-Version" in headers
    client = _read_user_agent((headers.get("User-Agent") or "")[:MAX_USER_AGENT].strip())
    if not fingerprint or (client and client.family is not Family.UNKNOWN):
        return client
    if client is None:
        return Client("containers/image", family=Family.CONTAINERS_IMAGE)
    return replace(client, family=Family.CONTAINERS_IMAGE)


@lru_cache(maxsize=256)  # a client says the same on every leg
def _read_user_agent(text: str) -> Client | None:
    if text.startswith(_DOTNET):  # the one product whose name has blanks
        version = _version(text[len(_DOTNET) :].strip())
        return Client(_DOTNET, version, family=Family.DOTNET)
    words = _words(text.partition("UpstreamClient(")[0])
    if not words:
        return None
    family = _family(words)
    if family is Family.REGCLIENT:
        return _regclient(words, text)
    if family is Family.JIB:
        return _jib(words)
    system, arch = _platform(words, text)
    return Client(
        product=words[0][0],
        version=words[0][1],
        library=_library(words),
        upstream=_upstream(words, text),
        os=system,
        arch=arch,
        family=family,
    )


def _words(text: str) -> list[_Word]:
    """Every readable ``product[/version]`` outside of comments, in order."""
    pairs = (part.partition("/") for part in _SPLIT.split(text))
    return [(name, _version(version)) for name, _, version in pairs if _PRODUCT.fullmatch(name)]


def _family(words: list[_Word]) -> Family:
    names = [name.lower() for name, _ in words]
    if names[0] == "docker" and "containerd-client" in names:
        return Family.DOCKER_CONTAINERD
    if "go-containerregistry" in names:
        return Family.GGCR
    return _FAMILIES.get(names[0], Family.UNKNOWN)


def _regclient(words: list[_Word], text: str) -> Client:
    """``regclient/regctl (v0.8.0)``: the library comes first, the version last."""
    library, tool = words[0]
    comment = _comment(text)
    return Client(
        tool if tool and tool.isalpha() else library,
        _version(comment[0]) if comment else None,
        library,
        family=Family.REGCLIENT,
    )


def _jib(words: list[_Word]) -> Client:
    """``jib 3.4.0 jib-maven-plugin [upstream] Google-HTTP-Java-Client/1.42.3 (gzip)``."""
    own = [word for word in words if word[0] != "Google-HTTP-Java-Client"]
    version, plugin, upstream = ([_text(word) for word in own[1:4]] + [None] * 3)[:3]
    return Client("jib", _version(version or ""), plugin, upstream, family=Family.JIB)


def _library(words: list[_Word]) -> str | None:
    return next((_text(word) for word in words[1:] if word[0].lower() in _LIBRARIES), None)


def _upstream(words: list[_Word], text: str) -> str | None:
    """``UpstreamClient(Docker-Client/24.0.7 \\(linux\\))``, or ``kaniko/v1.9.0,<starter>``."""
    if words[0][0] == "kaniko":
        return _text(words[1]) if "," in text and len(words) > 1 else None
    match = _UPSTREAM.search(text)
    named = _words(match[1]) if match else []
    return _text(named[0]) if named else None


def _platform(words: list[_Word], text: str) -> tuple[str | None, str | None]:
    """docker says ``os/linux arch/amd64``, others ``(linux; amd64)``."""
    named = dict(words)
    if named.get("os"):
        return named["os"], named.get("arch")
    parts = _comment(text)
    if not parts or parts[0] not in _SYSTEMS:
        return None, None
    return parts[0], parts[1] if len(parts) > 1 and _PRODUCT.fullmatch(parts[1]) else None


def _comment(text: str) -> list[str]:
    """The parts of the first comment."""
    match = _COMMENT.search(text)
    return [part.strip() for part in match[1].split(";")] if match else []


def _text(word: _Word) -> str:
    return f"{word[0]}/{word[1]}" if word[1] else word[0]


def _version(text: str) -> str | None:
    """The version without a leading ``v``, so that versions compare; None when unreadable."""
    return _LEADING_V.sub("", text) if _VERSION.fullmatch(text) else None
