"""Which registry answers: what it says of itself, where it lives, how it asks for a login.

Only one exchange is seen here, and most answers of a registry say nothing of it: a registry's
name is what any of its legs says, and a product built around distribution is named before it.
The tables are data: hosts and headers of hosted services change without notice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from urllib.parse import urlsplit

from regtrace.wire.challenge import Challenge
from regtrace.wire.exchange import Headers
from regtrace.wire.upload import read_state
from regtrace.wire.url import Url

#: Characters of a header value or realm that are looked at.
_LONGEST = 1024


class Registry(str, Enum):
    DISTRIBUTION = "distribution"
    """The CNCF's own, or a product around it that did not name itself (Harbor's uploads)."""
    DOCKER_HUB = "docker-hub"
    GHCR = "ghcr"
    GITLAB = "gitlab"
    """GitLab's registry, or another one that trusts GitLab's token server."""
    HARBOR = "harbor"
    QUAY = "quay"
    ECR = "ecr"
    ECR_PUBLIC = "ecr-public"
    ACR = "acr"
    MCR = "mcr"
    GAR = "gar"
    GCR = "gcr"
    ARTIFACTORY = "artifactory"
    NEXUS = "nexus"
    ZOT = "zot"
    GITEA = "gitea"
    """Gitea or Forgejo."""
    OPENSHIFT = "openshift"
    K8S = "registry.k8s.io"
    RED_HAT = "redhat"
    OCIR = "ocir"
    ICR = "icr"
    DIGITALOCEAN = "digitalocean"
    ALIYUN = "aliyun"
    TENCENT = "tencent"
    HUAWEI = "huawei"
    NGC = "ngc"


@dataclass(frozen=True, slots=True)
class Product:
    """A registry by name, and its version where a header says it."""

    registry: Registry
    version: str | None = None


_V = r"v?(?P<version>[0-9][0-9A-Za-z.+_-]{0,63})"

#: Header, the beginning of its value (a pattern, any case), and whose it is.
_MARKS = (
    # gitlab-org/container-registry docs/spec: on GET /v2/
    ("Gitlab-Container-Registry-Version", _V, Registry.GITLAB),
    ("X-JFrog-Version", rf"artifactory/{_V}", Registry.ARTIFACTORY),
    ("Server", rf"artifactory/{_V}", Registry.ARTIFACTORY),
    ("X-Artifactory-Id", "", Registry.ARTIFACTORY),
    ("Server", rf"nexus/{_V}", Registry.NEXUS),
    ("X-Gcr-Using-Artifact-Registry", "", Registry.GCR),
    ("Docker-Ratelimit-Source", "", Registry.DOCKER_HUB),
    ("X-Harbor-Csrf-Token", "", Registry.HARBOR),
    # containers/image docker_client.go: the signature extension
    ("X-Registry-Supports-Signatures", "1", Registry.OPENSHIFT),
    ("Server", "azurecontainerregistry", Registry.ACR),
)
_MARK_PATTERNS = tuple(
    (name, re.compile(start, re.IGNORECASE), registry) for name, start, registry in _MARKS
)

#: A host, or the end of one.
_HOSTS = (
    ("docker.io", Registry.DOCKER_HUB),
    ("registry.hub.docker.com", Registry.DOCKER_HUB),
    ("ghcr.io", Registry.GHCR),
    ("docker.pkg.github.com", Registry.GHCR),
    ("registry.gitlab.com", Registry.GITLAB),
    ("quay.io", Registry.QUAY),
    ("public.ecr.aws", Registry.ECR_PUBLIC),
    ("ecr-public.aws.com", Registry.ECR_PUBLIC),
    ("azurecr.io", Registry.ACR),
    ("azurecr.cn", Registry.ACR),
    ("azurecr.us", Registry.ACR),
    ("mcr.microsoft.com", Registry.MCR),
    ("mcr.azure.cn", Registry.MCR),
    ("pkg.dev", Registry.GAR),
    ("gcr.io", Registry.GCR),
    ("jfrog.io", Registry.ARTIFACTORY),
    ("codeberg.org", Registry.GITEA),
    ("registry.k8s.io", Registry.K8S),
    ("registry.redhat.io", Registry.RED_HAT),
    ("registry.access.redhat.com", Registry.RED_HAT),
    ("ocir.io", Registry.OCIR),
    ("icr.io", Registry.ICR),
    ("registry.digitalocean.com", Registry.DIGITALOCEAN),
    ("cr.aliyuncs.com", Registry.ALIYUN),
    ("ccr.ccs.tencentyun.com", Registry.TENCENT),
    ("tencentcloudcr.com", Registry.TENCENT),
    ("nvcr.io", Registry.NGC),
)

#: Hosts with a region inside.
_HOST_PATTERNS = (
    (
        re.compile(
            r"[0-9]{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\."
            r"(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)"
        ),
        Registry.ECR,
    ),
    (re.compile(r"registry(?:-vpc|-internal)?\.[a-z0-9-]+\.aliyuncs\.com"), Registry.ALIYUN),
    (re.compile(r"swr\.[a-z0-9-]+\.myhuaweicloud\.com"), Registry.HUAWEI),
)

#: Products that map many registries into one host.
_PATHS = (
    (re.compile(r"/artifactory/api/docker/"), Registry.ARTIFACTORY),
    (re.compile(r"/repository/[^/]{1,255}/v2/"), Registry.NEXUS),
)


def read_registry(
    url: Url, response_headers: Headers, challenges: Iterable[Challenge]
) -> Product | None:
    """The registry at this URL, by the first that tells: its headers, its host, its challenge, its
    paths, and last the upload state that distribution writes. None when nothing tells.

    ``url`` must be a registry's: a store or a token server may share its host.
    """
    if (product := _by_headers(response_headers)) is not None:
        return product
    registry = _by_host(url.host.lower()) or _by_challenges(challenges) or _by_path(url.path)
    if registry is None and _has_state(url, response_headers):
        registry = Registry.DISTRIBUTION
    return Product(registry) if registry else None


def _by_headers(headers: Headers) -> Product | None:
    for name, pattern, registry in _MARK_PATTERNS:
        value = headers.get(name)
        if value is not None and (match := pattern.match(value[:_LONGEST])):
            return Product(registry, match.groupdict().get("version"))
    return None


@lru_cache(maxsize=256)  # one push has few hosts
def _by_host(host: str) -> Registry | None:
    for suffix, registry in _HOSTS:
        if host == suffix or host.endswith("." + suffix):
            return registry
    return next((registry for form, registry in _HOST_PATTERNS if form.fullmatch(host)), None)


def _by_path(path: str) -> Registry | None:
    start = path[:_LONGEST]
    return next((registry for form, registry in _PATHS if form.match(start)), None)


def _has_state(url: Url, headers: Headers) -> bool:
    """distribution registry/handlers/hmac.go: in every upload URL, and in the Location of one."""
    if read_state(url.param("_state")):
        return True
    _, mark, state = (headers.get("Location") or "")[: 8 * _LONGEST].partition("_state=")
    return bool(mark) and read_state(state.partition("&")[0].replace("%3D", "=")) is not None


# --- how it asks for a login -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    """A challenge, taken apart; every word in lower case."""

    realm: str
    service: str
    host: str
    """Of a realm that is a URL."""
    path: str


#: Challenges per registry: wire facts from each registry's source, or from public logs.
_FORMS: tuple[tuple[Callable[[_Asked], bool], Registry], ...] = (
    # goharbor/harbor src/server/middleware/v2auth/auth.go
    (lambda asked: asked.service == "harbor-registry" or asked.realm == "harbor", Registry.HARBOR),
    (lambda asked: asked.host == "auth.docker.io", Registry.DOCKER_HUB),
    (lambda asked: asked.service == "ghcr.io", Registry.GHCR),
    (lambda asked: asked.service == "ecr.amazonaws.com", Registry.ECR),
    (lambda asked: asked.service == "public.ecr.aws", Registry.ECR_PUBLIC),
    (lambda asked: asked.service.endswith((".azurecr.io", ".azurecr.cn")), Registry.ACR),
    (lambda asked: asked.service.endswith("-docker.pkg.dev"), Registry.GAR),
    (lambda asked: asked.service == "gcr.io" or asked.service.endswith(".gcr.io"), Registry.GCR),
    # quay endpoints/v2/v2auth.py
    (lambda asked: asked.path == "/v2/auth", Registry.QUAY),
    (
        lambda asked: asked.service == "container_registry" and asked.path.endswith("/jwt/auth"),
        Registry.GITLAB,
    ),
    # gitea routers/api/packages/container/container.go
    (
        lambda asked: asked.service == "container_registry" and asked.path.endswith("/v2/token"),
        Registry.GITEA,
    ),
    (lambda asked: asked.realm.startswith(("gitea ", "forgejo ")), Registry.GITEA),
    (
        lambda asked: asked.realm == "artifactory realm" or "/api/docker/" in asked.path,
        Registry.ARTIFACTORY,
    ),
    (
        lambda asked: (
            asked.realm.startswith("sonatype nexus")
            or (asked.path.startswith("/repository/") and asked.path.endswith("/v2/token"))
        ),
        Registry.NEXUS,
    ),
    # project-zot/zot pkg/api/authn.go
    (lambda asked: asked.path.endswith("/zot/auth/token"), Registry.ZOT),
)


def _by_challenges(challenges: Iterable[Challenge]) -> Registry | None:
    asked = [_taken_apart(challenge) for challenge in challenges]
    return next((found for form, found in _FORMS for one in asked if form(one)), None)


def _taken_apart(challenge: Challenge) -> _Asked:
    realm = (challenge.realm or "")[:_LONGEST].lower()
    try:
        parts = urlsplit(realm)
        host = parts.hostname or ""
    except ValueError:
        return _Asked(realm, "", "", "")
    path = parts.path.rstrip("/") if host else ""
    return _Asked(realm, (challenge.service or "")[:_LONGEST].lower(), host, path)
