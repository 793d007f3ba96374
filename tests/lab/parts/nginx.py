"""The reverse proxy: nginx ends TLS and hands everything to the registry over plain HTTP."""

from __future__ import annotations

from .. import keys, process, world
from ..settings import Settings

_FOLDER = world.STATE / "nginx"
_CONF = _FOLDER / "nginx.conf"

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
    server {{
        listen {address}:{port} ssl;
        server_name registry.test;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        client_max_body_size {body_limit};
        location / {{
            proxy_pass http://{address}:{registry_port};
            proxy_http_version 1.1;
{headers}
        }}
    }}
}}
"""


def start(settings: Settings) -> None:
    """Start nginx anew when the client goes through it; else there is none."""
    process.stop("nginx")
    if settings.through != "nginx":
        return
    _FOLDER.mkdir(parents=True, exist_ok=True)
    headers = "\n".join(
        f"            proxy_set_header {name} {value};"
        for name, value in settings.nginx_headers.items()
    )
    text = _CONF_TEXT.format(
        folder=_FOLDER,
        address=world.REGISTRY_ADDRESS,
        port=world.NGINX_PORT,
        registry_port=world.REGISTRY_PLAIN_PORT,
        certificate=keys.LEAF,
        key=keys.LEAF_KEY,
        body_limit=settings.nginx_body_limit,
        headers=headers,
    )
    _CONF.write_text(text)
    process.start(
        "nginx",
        ["nginx", "-e", "stderr", "-c", str(_CONF)],
        lambda: process.listens(world.REGISTRY_ADDRESS, world.NGINX_PORT),
    )
