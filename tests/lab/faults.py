"""Every fault the laboratory can make, by name. A fault takes the settings and returns worse ones.

The docstring is what `lab list` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from . import world
from .settings import Settings


def s3_deny_get_object(settings: Settings) -> Settings:
    """the bucket's policy denies s3:GetObject on blobs; writing stays allowed"""
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{world.BUCKET}/docker/registry/v2/blobs/*",
    }
    return replace(settings, bucket_policy=(*settings.bucket_policy, statement))


def nginx_body_limit(settings: Settings) -> Settings:
    """nginx takes request bodies of at most 1 kB"""
    return replace(settings, nginx_body_limit="1k")


def nginx_no_forwarded_proto(settings: Settings) -> Settings:
    """nginx ends TLS and does not tell the registry so"""
    return replace(settings, nginx_headers=_without(settings, "X-Forwarded-Proto"))


def realm_closed_port(settings: Settings) -> Settings:
    """the challenge's realm names a port on which nothing listens"""
    return replace(settings, realm=f"https://auth.test:{world.CLOSED_PORT}/jwt/auth")


def registry_stopped(settings: Settings) -> Settings:
    """the registry does not run; nothing listens on its port"""
    return replace(settings, registry_up=False)


def token_pull_only(settings: Settings) -> Settings:
    """the token server grants pull, whatever it is asked for"""
    return replace(settings, token_actions=("pull",))


def proxy_ca_untrusted(settings: Settings) -> Settings:
    """the client does not trust the CA of the proxy"""
    return replace(settings, trusts_proxy=False)


FAULTS: dict[str, Callable[[Settings], Settings]] = {
    "s3-deny-get-object": s3_deny_get_object,
    "nginx-body-limit": nginx_body_limit,
    "nginx-no-forwarded-proto": nginx_no_forwarded_proto,
    "realm-closed-port": realm_closed_port,
    "registry-stopped": registry_stopped,
    "token-pull-only": token_pull_only,
    "proxy-ca-untrusted": proxy_ca_untrusted,
}


def apply(names: Sequence[str], settings: Settings) -> Settings:
    """The settings with all these faults."""
    for name in names:
        settings = FAULTS[name](settings)
    return settings


def _without(settings: Settings, header: str) -> dict[str, str]:
    return {name: value for name, value in settings.nginx_headers.items() if name != header}
