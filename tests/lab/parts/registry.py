"""The registry: distribution 2.8 with token authentication and S3 storage, its log as JSON."""

from __future__ import annotations

import yaml

from .. import keys, process, world
from ..settings import Settings

_CONFIG = world.STATE / "registry.yaml"


def start(settings: Settings) -> None:
    """Start the registry anew, its log too; or only stop it, when the settings say so."""
    process.stop("registry")
    if not settings.registry_up:
        return
    behind_nginx = settings.through == "nginx"
    port = world.REGISTRY_PLAIN_PORT if behind_nginx else world.REGISTRY_TLS_PORT
    _CONFIG.write_text(yaml.safe_dump(_config(settings, port, tls=not behind_nginx)))
    process.start(
        "registry",
        ["docker-registry", "serve", str(_CONFIG)],
        lambda: process.listens(world.REGISTRY_ADDRESS, port),
    )


def _config(settings: Settings, port: int, *, tls: bool) -> dict[str, object]:
    http: dict[str, object] = {
        "addr": f"{world.REGISTRY_ADDRESS}:{port}",
        "secret": "made-up-upload-state-secret",
    }
    if tls:
        http["tls"] = {"certificate": str(keys.LEAF), "key": str(keys.LEAF_KEY)}
    return {
        "version": "0.1",
        "log": {"formatter": "json"},
        "http": http,
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
                "realm": settings.realm,
                "service": world.SERVICE,
                "issuer": world.ISSUER,
                "rootcertbundle": str(keys.TOKEN),
            }
        },
    }
