"""From each kind of file to what it says of a registry, its token server, its front, an engine.

Every reader gives the names of the product itself: ``registry['registry_http_addr']`` and
``configData.http.addr`` are what distribution calls ``http.addr``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from regtrace.evidence.config.kinds import Kind
from regtrace.evidence.config.rubyfile import settings_in
from regtrace.evidence.config.secrets import is_secret
from regtrace.wire.settings import (
    Daemon,
    Front,
    Listening,
    RegistrySide,
    Setting,
    Settings,
    TokenSide,
)


@dataclass(frozen=True, slots=True)
class Sides:
    """What one file says of each."""

    registries: tuple[RegistrySide, ...] = ()
    token_sides: tuple[TokenSide, ...] = ()
    fronts: tuple[Front, ...] = ()
    daemons: tuple[Daemon, ...] = ()


_PROXIES = ("http-proxy", "https-proxy", "no-proxy")
_REGISTRY_IMAGE = re.compile(r"(?:^|/)(?:registry|docker-registry|distribution)(?::|@|$)")
_WORDS = re.compile(r"\"([^\"]*)\"|'([^']*)'|(\S+)")
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=(.*)")
#: Annotations of ingress-nginx → directives of nginx.
_ANNOTATIONS = {
    "proxy-body-size": "client_max_body_size",
    "proxy-read-timeout": "proxy_read_timeout",
    "proxy-send-timeout": "proxy_send_timeout",
    "proxy-request-buffering": "proxy_request_buffering",
}
_INGRESS = "nginx.ingress.kubernetes.io/"

_RUBY_NAMES = {
    "registry_http_addr": "http.addr",
    "debug_addr": "http.debug.addr",
    "http_secret": "http.secret",
    "log_level": "log.level",
    "rootcertbundle": "auth.token.rootcertbundle",
    "storage_delete_enabled": "storage.delete.enabled",
    "compatibility_schema1_enabled": "compatibility.schema1.enabled",
}
_RUBY_TREES = ("storage", "gc", "database")


def of_registry(settings: Settings, source: str) -> Sides:
    """distribution's own configuration, which is GitLab's registry's too."""
    # Harbor makes this file itself, for a container of its own.
    harbor = (settings.text("auth.htpasswd.realm") or "").startswith("harbor-")
    return Sides(
        (
            RegistrySide(
                source=source,
                product="harbor" if harbor else "distribution",
                settings=settings,
                contained=harbor,
                generated_secret=harbor,
            ),
        )
    )


def of_gitlab_rb(settings: Settings, source: str) -> Sides:
    said: dict[str, Setting] = {}
    for key, each in settings_in(settings, "registry"):
        first, _, rest = key.partition(".")
        if key in _RUBY_NAMES:
            said[_RUBY_NAMES[key]] = each
        elif first in _RUBY_TREES:
            said[key] = each
        elif first == "notifications":
            said[f"notifications.endpoints.{rest}"] = each
        elif first == "env":
            said[_from_environment(rest) or f"env.{rest}"] = each
    realm = settings.said.get("registry.token_realm")
    if realm:
        text = "" if realm.computed else f"{realm.text.rstrip('/')}/jwt/auth"
        said["auth.token.realm"] = replace(realm, text=text)
    public = settings.get("registry_external_url")
    there = (said or public) and settings.flag("registry.enable") is not False
    registry = RegistrySide(
        source=source,
        product="gitlab",
        settings=Settings(said),
        public=public,
        partial=True,
        generated_secret=True,
    )
    fronts = _front_of_gitlab(settings, source, public) if there else ()
    return Sides((registry,) if there else (), _token_of_gitlab_rb(settings, source), fronts)


def _token_of_gitlab_rb(settings: Settings, source: str) -> tuple[TokenSide, ...]:
    names = {
        "gitlab_rails.registry_issuer": "issuer",
        "gitlab_rails.registry_key_path": "key",
        "gitlab_rails.registry_api_url": "api_url",
        "external_url": "url",
    }
    said = {name: settings.said[key] for key, name in names.items() if key in settings.said}
    return (TokenSide(source=source, product="gitlab", settings=Settings(said)),) if said else ()


def _front_of_gitlab(settings: Settings, source: str, public: Setting | None) -> tuple[Front, ...]:
    """nginx of the Linux package: its template is good, what is set besides may not be."""
    said = dict(settings_in(settings, "registry_nginx", "registry.nginx"))
    if "enable" in said and said["enable"].flag is False:
        return ()
    holds = {
        f"header.{key.partition('.')[2].lower()}": each
        for key, each in said.items()
        if key.startswith("proxy_set_headers.")
    }
    holds |= {key: said[key] for key in ("ssl_certificate", "ssl_certificate_key") if key in said}
    listens = []
    url = public.url if public else None
    if public and url:
        port = said.get("listen_port")
        https = said.get("listen_https")
        tls = (https.flag if https else None) is not False and url.scheme == "https"
        number = port.number if port and port.number else url.port
        listens.append(Listening(setting=port or public, port=number, tls=tls))
    return (
        Front(source=source, kind="gitlab.rb", settings=Settings(holds), listens=tuple(listens)),
    )


def of_gitlab_yml(settings: Settings, source: str) -> Sides:
    names = {
        "production.registry.issuer": "issuer",
        "production.registry.key": "key",
        "production.registry.api_url": "api_url",
    }
    said = _named(settings, names)
    host = settings.get("production.gitlab.host")
    if host:
        scheme = "https" if settings.flag("production.gitlab.https") else "http"
        port = settings.text("production.gitlab.port")
        said["url"] = replace(host, text=f"{scheme}://{host.text}" + (f":{port}" if port else ""))
    return Sides(token_sides=(TokenSide(source=source, product="gitlab", settings=Settings(said)),))


def of_compose(settings: Settings, source: str) -> Sides:
    found = []
    for name in settings.below("services"):
        below = f"services.{name}"
        image = settings.text(f"{below}.image") or ""
        variables = list(_variables(settings, f"{below}.environment"))
        said = dict(_overrides(variables))
        if not (_REGISTRY_IMAGE.search(image) or said):
            continue
        for variable, each in variables:
            if variable == "GODEBUG":
                said["env.GODEBUG"] = each
        found.append(
            RegistrySide(
                source=source,
                product="distribution",
                settings=Settings(said),
                replicas=settings.get(f"{below}.deploy.replicas", f"{below}.scale"),
                contained=True,
                # The image has a config.yml, which may be replaced by a volume.
                partial=True,
            )
        )
    return Sides(tuple(found))


def of_helm_registry(settings: Settings, source: str) -> Sides:
    said = {
        key[len("configData.") :]: each for key, each in settings if key.startswith("configData.")
    }
    driver = settings.text("storage")
    if driver:
        for key, each in settings_in(settings, driver):
            said[f"storage.{driver}.{key.lower()}"] = each
        if not settings.below(driver):
            said[f"storage.{driver}"] = settings.said["storage"]
    names = {
        "secrets.haSharedSecret": "http.secret",
        "persistence.deleteEnabled": "storage.delete.enabled",
    }
    said |= _named(settings, names)
    if settings.flag("proxy.enabled") and (remote := settings.get("proxy.remoteurl")):
        said["proxy.remoteurl"] = remote
    if settings.flag("garbageCollect.enabled"):
        said["gc.enabled"] = settings.said["garbageCollect.enabled"]
    said |= dict(_overrides(_variables(settings, "extraEnvVars")))
    scaled = settings.flag("autoscaling.enabled")
    registry = RegistrySide(
        source=source,
        product="distribution",
        settings=Settings(said),
        replicas=settings.get("autoscaling.maxReplicas" if scaled else "replicaCount"),
        contained=True,
        partial=True,
        generated_secret=True,
    )
    on = settings.flag("ingress.enabled")
    return Sides((registry,), fronts=_ingress(settings, "ingress", source) if on else ())


def of_helm_gitlab(settings: Settings, source: str) -> Sides:
    names = {
        "registry.log.level": "log.level",
        "registry.relativeurls": "http.relativeurls",
        "registry.authEndpoint": "auth.token.realm",
        "registry.tokenIssuer": "auth.token.issuer",
        "registry.tokenService": "auth.token.service",
        "registry.maintenance.readonly.enabled": "storage.maintenance.readonly.enabled",
        "registry.compatibility.schema1.enabled": "compatibility.schema1.enabled",
    }
    said = _named(settings, names)
    if realm := said.get("auth.token.realm"):
        said["auth.token.realm"] = replace(realm, text=f"{realm.text.rstrip('/')}/jwt/auth")
    issuer = settings.get("global.registry.tokenIssuer", "gitlab.webservice.registry.tokenIssuer")
    token = {"issuer": issuer} if issuer else {}
    registry = RegistrySide(
        source=source,
        product="gitlab",
        settings=Settings(said),
        replicas=settings.get("registry.hpa.minReplicas"),
        contained=True,
        partial=True,
        generated_secret=True,
    )
    limits = {"proxyBodySize": "client_max_body_size", "proxyReadTimeout": "proxy_read_timeout"}
    holds = {
        directive: each
        for key, directive in limits.items()
        if (each := settings.get(f"registry.ingress.{key}"))
    }
    # The chart's own limits are good; only what is set instead can be wrong.
    front = Front(source=source, kind="gitlab.rb", settings=Settings(holds))
    tokens = (
        (TokenSide(source=source, product="gitlab", settings=Settings(token)),) if token else ()
    )
    return Sides((registry,), tokens, (front,) if holds else ())


def of_helm_harbor(settings: Settings, source: str) -> Sides:
    store = "persistence.imageChartStorage"
    driver = settings.text(f"{store}.type") or "filesystem"
    said = {
        f"storage.{driver}.{key}": each for key, each in settings_in(settings, f"{store}.{driver}")
    }
    names = {
        f"{store}.disableredirect": "storage.redirect.disable",
        "logLevel": "log.level",
        "registry.relativeurls": "http.relativeurls",
        "registry.secret": "http.secret",
    }
    said |= _named(settings, names)
    ingress = settings.text("expose.type") == "ingress"
    return _of_harbor(
        said,
        source,
        public=settings.get("externalURL"),
        replicas=settings.get("registry.replicas"),
        fronts=_ingress(settings, "expose.ingress", source) if ingress else (),
    )


def of_harbor(settings: Settings, source: str) -> Sides:
    said = {f"storage.{key}": each for key, each in settings_in(settings, "storage_service")}
    said.pop("storage.ca_bundle", None)
    names = {
        "log.level": "log.level",
        "https.certificate": "http.tls.certificate",
        "https.private_key": "http.tls.key",
    }
    said |= _named(settings, names)
    public = settings.get("external_url")
    host = settings.get("hostname")
    if public is None and host:
        scheme = "https" if settings.there("https") else "http"
        port = settings.text(f"{scheme}.port")
        public = replace(host, text=f"{scheme}://{host.text}" + (f":{port}" if port else ""))
    return _of_harbor(said, source, public=public)


def _of_harbor(
    said: dict[str, Setting],
    source: str,
    *,
    public: Setting | None,
    replicas: Setting | None = None,
    fronts: tuple[Front, ...] = (),
) -> Sides:
    if public:
        # Harbor makes the realm of its external URL.
        said["auth.token.realm"] = replace(public, text=f"{public.text.rstrip('/')}/service/token")
    registry = RegistrySide(
        source=source,
        product="harbor",
        settings=Settings(said),
        public=public,
        replicas=replicas,
        contained=True,
        partial=True,
        generated_secret=True,
    )
    return Sides((registry,), fronts=fronts)


def of_daemon(settings: Settings, source: str) -> Sides:
    said: dict[str, Setting] = {}
    for key, each in settings:
        first, _, rest = key.partition(".")
        if first == "proxies" and rest in _PROXIES:
            said[rest] = each
        elif first == "proxies" and "." in rest:
            said.setdefault("misplaced", each)
        elif first in {"insecure-registries", "registry-mirrors"}:
            said[key] = each
    return Sides(daemons=(Daemon(source=source, settings=Settings(said)),))


def of_systemd(text: str, source: str) -> Sides:
    """``Environment=`` of a drop-in (systemd.exec(5)): the last one of a name counts."""
    said: dict[str, Setting] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.startswith("Environment="):
            continue
        for word in _words(line.partition("=")[2]):
            variable, equals, value = word.partition("=")
            name = variable.lower().replace("_", "-")
            if equals and name in _PROXIES:
                said[name] = Setting(variable, value, source, number)
    return Sides(daemons=(Daemon(source=source, settings=Settings(said)),))


def of_environment(text: str, source: str) -> Settings:
    """REGISTRY_... variables as the settings that they replace (distribution configuration.md)."""
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        match = _ASSIGNMENT.match(line.strip())
        if match:
            value = match[2].strip().strip("'\"")
            secret = is_secret(match[1], value)
            rows.append((match[1], Setting(match[1], value, source, number, secret)))
    said = dict(_overrides(rows))
    for variable, each in rows:
        if variable == "GODEBUG":
            said["env.GODEBUG"] = each
    return Settings(said)


READERS = {
    Kind.REGISTRY: of_registry,
    Kind.GITLAB_RB: of_gitlab_rb,
    Kind.GITLAB_YML: of_gitlab_yml,
    Kind.COMPOSE: of_compose,
    Kind.HELM_REGISTRY: of_helm_registry,
    Kind.HELM_GITLAB: of_helm_gitlab,
    Kind.HELM_HARBOR: of_helm_harbor,
    Kind.HARBOR: of_harbor,
    Kind.DAEMON: of_daemon,
}


def _named(settings: Settings, names: dict[str, str]) -> dict[str, Setting]:
    """What is said under these names, by the names that they stand for."""
    found = {name: settings.get(key) for key, name in names.items()}
    return {name: each for name, each in found.items() if each}


def _words(text: str) -> list[str]:
    """Assignments, each of which may be quoted as a whole."""
    return [a or b or c for a, b, c in _WORDS.findall(text)]


def _variables(settings: Settings, below: str) -> Iterable[tuple[str, Setting]]:
    """Environment variables, written as a mapping, as NAME=value, or as name and value."""
    for key in settings.below(below):
        each = settings.get(f"{below}.{key}")
        if each is None:
            name, value = settings.text(f"{below}.{key}.name"), settings.get(f"{below}.{key}.value")
            if name and value:
                secret = is_secret(name, value.text)
                yield name, replace(value, name=name, secret=value.secret or secret)
        elif key.isdigit() and "=" in each.text:
            name, _, text = each.text.partition("=")
            yield name, replace(each, name=name, text=text, secret=is_secret(name, text))
        else:
            yield key, replace(each, name=key)


def _overrides(variables: Iterable[tuple[str, Setting]]) -> Iterable[tuple[str, Setting]]:
    for variable, each in variables:
        if name := _from_environment(variable):
            yield name, each


def _from_environment(variable: str) -> str | None:
    """``REGISTRY_STORAGE_S3_REGION`` → ``storage.s3.region``."""
    if not variable.startswith("REGISTRY_") or variable.startswith("REGISTRY_FF_"):
        return None
    name = variable[len("REGISTRY_") :].lower()
    for driver in ("s3_v2", "azure_v2"):
        if name.startswith(f"storage_{driver}_"):
            return f"storage.{driver}." + name[len(f"storage_{driver}_") :].replace("_", ".")
    return name.replace("_", ".")


def _ingress(settings: Settings, below: str, source: str) -> tuple[Front, ...]:
    """An ingress of ingress-nginx; of other controllers nothing is known."""
    notes = f"{below}.annotations."
    annotations = {key[len(notes) :]: each for key, each in settings if key.startswith(notes)}
    name = settings.text(f"{below}.className") or ""
    named = annotations.get("kubernetes.io/ingress.class")
    ours = [key for key in annotations if key.startswith(_INGRESS)]
    if "nginx" not in (name or (named.text if named else "")) and not ours:
        return ()
    holds = {
        directive: each
        for key, directive in _ANNOTATIONS.items()
        if (each := annotations.get(_INGRESS + key))
    }
    first = settings.there(below)
    return (
        (Front(source=source, kind="ingress", settings=Settings(holds), location=first),)
        if first
        else ()
    )
