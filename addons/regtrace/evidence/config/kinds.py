"""Which kind of file it is, from what stands in it; names help where contents are alike."""

from __future__ import annotations

import re
from enum import Enum

from regtrace.wire.settings import Settings


class Kind(str, Enum):
    REGISTRY = "registry"
    GITLAB_RB = "gitlab.rb"
    GITLAB_YML = "gitlab.yml"
    NGINX = "nginx"
    HELM_REGISTRY = "helm-registry"
    HELM_GITLAB = "helm-gitlab"
    HELM_HARBOR = "helm-harbor"
    HARBOR = "harbor"
    DAEMON = "daemon.json"
    SYSTEMD = "systemd"
    COMPOSE = "compose"
    ENVIRONMENT = "env"


#: What each kind is called, for people.
NAMES = {
    Kind.REGISTRY: "configuration of a registry (config.yml)",
    Kind.GITLAB_RB: "GitLab's gitlab.rb",
    Kind.GITLAB_YML: "GitLab's gitlab.yml",
    Kind.NGINX: "nginx",
    Kind.HELM_REGISTRY: "values of the docker-registry chart",
    Kind.HELM_GITLAB: "values of the GitLab chart",
    Kind.HELM_HARBOR: "values of the Harbor chart",
    Kind.HARBOR: "Harbor's harbor.yml",
    Kind.DAEMON: "Docker's daemon.json",
    Kind.SYSTEMD: "systemd drop-in",
    Kind.COMPOSE: "compose file",
    Kind.ENVIRONMENT: "environment file (REGISTRY_...)",
}

#: Kinds that are YAML (or JSON, which is YAML).
TREES = frozenset(Kind) - {Kind.GITLAB_RB, Kind.NGINX, Kind.SYSTEMD, Kind.ENVIRONMENT}

_RUBY = re.compile(
    r"^[ \t]*#?[ \t]*(?:\w+_)?external_url[ \t(]+['\"]"
    r"|^[ \t]*#?[ \t]*(?:registry|gitlab_rails|registry_nginx|nginx)\[['\"]\w+['\"]\]",
    re.MULTILINE,
)
_NGINX = re.compile(
    r"^[ \t]*(?:(?:server|http|events)[ \t\r\n]*\{|upstream[ \t]+\S+[ \t\r\n]*\{"
    r"|location[ \t]+[^{;\n]+\{|proxy_pass[ \t]+\S+;)",
    re.MULTILINE,
)
_SYSTEMD = re.compile(r"^\[Service\][ \t\r]*$", re.MULTILINE)
_ENVIRONMENT = re.compile(r"\A(?:[ \t]*(?:#.*)?\n)*(?:export[ \t]+)?[A-Za-z_]\w*=")


_DAEMON_KEYS = (
    "insecure-registries",
    "registry-mirrors",
    "proxies",
    "storage-driver",
    "data-root",
    "log-driver",
    "exec-opts",
    "hosts",
    "live-restore",
    "default-address-pools",
    "bip",
)


def of_text(text: str, name: str) -> Kind | None:
    """The kind of what is no YAML."""
    if _SYSTEMD.search(text):
        return Kind.SYSTEMD
    if text.lstrip()[:1] == "{":
        return None
    if name.endswith(".rb") or _RUBY.search(text):
        return Kind.GITLAB_RB
    if _NGINX.search(text):
        return Kind.NGINX
    return Kind.ENVIRONMENT if _ENVIRONMENT.match(text) else None


def of_tree(settings: Settings) -> Kind | None:
    """The kind of a YAML or JSON file."""

    def said(name: str) -> bool:
        return bool(settings.there(name) or settings.below(name))

    return next((kind for kind, names in _SIGNS if all(map(said, names))), None)


#: What stands in a file of this kind, by the first that fits.
_SIGNS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (Kind.COMPOSE, ("services",)),
    (Kind.HELM_REGISTRY, ("configData",)),
    (Kind.HELM_HARBOR, ("externalURL", "expose")),
    (Kind.HELM_HARBOR, ("externalURL", "persistence")),
    (Kind.HARBOR, ("hostname", "data_volume")),
    (Kind.HARBOR, ("hostname", "harbor_admin_password")),
    (Kind.GITLAB_YML, ("production.registry",)),
    (Kind.GITLAB_YML, ("production.gitlab",)),
    (Kind.HELM_GITLAB, ("global", "registry")),
    (Kind.HELM_GITLAB, ("global.hosts",)),
    (Kind.HELM_GITLAB, ("global.registry",)),
    (Kind.HELM_REGISTRY, ("replicaCount", "image.repository")),
    (Kind.REGISTRY, ("version", "storage")),
    (Kind.REGISTRY, ("version", "http")),
    (Kind.REGISTRY, ("storage", "http")),
    (Kind.REGISTRY, ("auth.token",)),
    *((Kind.DAEMON, (name,)) for name in _DAEMON_KEYS),
)
