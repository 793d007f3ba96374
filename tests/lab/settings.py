"""How the parts are set up for one run. `Settings()` is a healthy laboratory; faults change it.

Every field is what one part reads: for registry and token server their own configuration file.
What a fault says is merged into it, key by key; where it says nothing (null), the key goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from . import keys, world

Tree = Mapping[str, Any]


def _registry() -> Tree:
    return {
        "version": "0.1",
        "log": {"formatter": "json"},
        "http": {
            "secret": "made-up-upload-state-secret",
            "tls": {"certificate": str(keys.LEAF), "key": str(keys.LEAF_KEY)},
        },
        "storage": {
            "s3": {
                "accesskey": world.S3_ACCESS_KEY,
                "secretkey": world.S3_SECRET_KEY,
                # A name the driver knows, also against Ceph.
                "region": "us-east-1",
                "regionendpoint": f"http://s3.test:{world.S3_PORT}",
                "bucket": world.BUCKET,
                "secure": False,
                "v4auth": True,
                "rootdirectory": "/",
            }
        },
        "auth": {
            "token": {
                "realm": world.REALM,
                "service": world.SERVICE,
                "issuer": world.ISSUER,
                "rootcertbundle": str(keys.TOKEN),
            }
        },
    }


def _token() -> Tree:
    return {
        "address": world.AUTH_ADDRESS,
        "port": world.AUTH_PORT,
        "certificate": str(keys.LEAF),
        "key": str(keys.LEAF_KEY),
        "signing_certificate": str(keys.TOKEN),
        "signing_key": str(keys.TOKEN_KEY),
        "issuer": world.ISSUER,
        "user": world.USER,
        "password": world.PASSWORD,
    }


def _nginx() -> Tree:
    return {
        "headers": {
            "Host": "$http_host",
            "X-Forwarded-Proto": "$scheme",
            "X-Forwarded-For": "$proxy_add_x_forwarded_for",
        },
        "upstream": "http://registries",
    }


def _client() -> Tree:
    account = {"user": world.USER, "password": world.PASSWORD}
    return {**account, "scheme": "https", "trusts_proxy": True}


@dataclass(frozen=True, slots=True)
class Settings:
    """One set-up of all parts.

    through: what the client talks to, `registry`, or `nginx` or `middlebox` (which stand before it)
    registry: its configuration file (TLS counts only when clients talk to it directly); empty is a
        registry that does not run
    replica: how a second registry beside it differs; None is no second one. nginx takes turns
    token: the configuration file of the token server (token_server.py)
    nginx: `headers` (proxy_set_header), `upstream` (proxy_pass), and lines of configuration for
        its `location`, `server` and `http` blocks
    middlebox: what it does to which requests (middlebox.py)
    storage: S3 `policy` statements of the bucket; `lose_above`, bytes: bigger
        objects are deleted before the steps; `other`, the environment of a second gateway
    disk: mount options of a tmpfs for a registry that stores on disk; empty is none
    client: `user` and `password` it has (neither: not logged in), `trusts_proxy`, and
        the `scheme` that it uses (ctr) or may use (docker)
    """

    through: str = "registry"
    registry: Tree = field(default_factory=_registry)
    replica: Tree | None = None
    token: Tree = field(default_factory=_token)
    nginx: Tree = field(default_factory=_nginx)
    middlebox: Tree = field(default_factory=dict)
    storage: Tree = field(default_factory=dict)
    disk: str = ""
    client: Tree = field(default_factory=_client)

    @property
    def address(self) -> str:
        """host:port that the client pushes to."""
        return f"registry.test:{world.FRONT_PORTS[self.through]}"


PARTS = tuple(each.name for each in fields(Settings) if each.name != "through")


def change(settings: Settings, changes: Tree) -> Settings:
    """The settings with these changes, part by part."""
    return replace(
        settings, **{part: merged(getattr(settings, part), said) for part, said in changes.items()}
    )


def merged(old: Any, new: Any) -> Any:
    """Mappings are merged, key by key, and lose the keys that are null; the rest is replaced."""
    if not isinstance(new, Mapping):
        return {} if new is None else new
    result = dict(old) if isinstance(old, Mapping) else {}
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
