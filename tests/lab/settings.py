"""How the parts are set up for one run. `Settings()` is a healthy laboratory; faults change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import world

_FORWARDED = {
    "Host": "$http_host",
    "X-Forwarded-Proto": "$scheme",
    "X-Forwarded-For": "$proxy_add_x_forwarded_for",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """One set-up of registry, token server, reverse proxy, storage and the client's trust.

    through: what the client talks to, `registry` or `nginx` (which stands before the registry)
    registry_up: whether the registry runs at all
    realm: where the registry's challenge sends the client for a token
    token_actions: what the token server grants of the actions asked for; None is all of them
    bucket_policy: S3 policy statements of the registry's bucket
    nginx_body_limit: nginx's `client_max_body_size`; "0" is no limit
    nginx_headers: nginx's `proxy_set_header`, name to value
    trusts_proxy: whether the client accepts certificates that the proxy has made
    """

    through: str = "registry"
    registry_up: bool = True
    realm: str = world.REALM
    token_actions: tuple[str, ...] | None = None
    bucket_policy: tuple[Mapping[str, object], ...] = ()
    nginx_body_limit: str = "0"
    nginx_headers: Mapping[str, str] = field(default_factory=lambda: dict(_FORWARDED))
    trusts_proxy: bool = True

    @property
    def registry(self) -> str:
        """host:port that the client pushes to."""
        port = world.NGINX_PORT if self.through == "nginx" else world.REGISTRY_TLS_PORT
        return f"registry.test:{port}"
