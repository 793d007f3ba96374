"""The reverse proxy: nginx ends TLS and hands everything to the registry over plain HTTP."""

from __future__ import annotations

from .. import keys, process, world
from ..settings import Settings

_FOLDER = world.STATE / "nginx"
_CONF = _FOLDER / "nginx.conf"
_ACCOUNTS = world.STATE / "accounts"

_CONF_TEXT = """\
daemon off;
worker_processes 1;
user root;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
{http}
    upstream registries {{
{registries}
    }}
    server {{
        listen {address}:{port} ssl;
        server_name registry.test;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
{server}
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
{headers}
{location}
        }}
    }}
}}
"""


def start(settings: Settings) -> None:
    """Start nginx anew when something goes through it; else there is none."""
    process.stop("nginx")
    if settings.through != "nginx" and "http" not in settings.nginx:
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    _CONF.write_text(configuration(settings))
    _ACCOUNTS.write_text(f"{world.USER}:{{PLAIN}}{world.PASSWORD}\n")
    process.start(
        "nginx",
        ["nginx", "-e", "stderr", "-c", str(_CONF)],
        lambda: process.listens(world.REGISTRY_ADDRESS, world.FRONT_PORTS["nginx"]),
    )


def configuration(settings: Settings) -> str:
    """nginx.conf."""
    ports = range(world.REGISTRY_PLAIN_PORT, world.REGISTRY_PLAIN_PORT + _count(settings))
    headers = settings.nginx["headers"].items()
    return _CONF_TEXT.format(
        folder=_FOLDER,
        address=world.REGISTRY_ADDRESS,
        port=world.FRONT_PORTS["nginx"],
        registries="\n".join(f"server {world.REGISTRY_ADDRESS}:{each};" for each in ports),
        certificate=keys.LEAF,
        key=keys.LEAF_KEY,
        upstream=settings.nginx["upstream"],
        headers="\n".join(f"proxy_set_header {name} {value};" for name, value in headers),
        **{block: settings.nginx.get(block, "") for block in ("http", "server", "location")},
    )


def _count(settings: Settings) -> int:
    return 2 if settings.replica else 1
