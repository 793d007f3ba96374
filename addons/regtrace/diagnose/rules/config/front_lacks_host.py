"""RT031: the reverse proxy does not tell the registry by which name and port clients know it."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import registry_behind, urls_are_relative, wrongs
from regtrace.diagnose.config.traffic import by_upload_host
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import Front, SetUp
from regtrace.wire.term import plain


@check(
    number="RT031",
    slug="front-lacks-host",
    title="The reverse proxy hides from the registry the host and port that clients use",
    cause=(
        "The registry builds the address at which an upload goes on (Location) of the Host header."
        " nginx passes {host} on here, so that address names {effect}."
    ),
    fix=(
        (
            "nginx: proxy_set_header Host $http_host; in the registry's location ($host leaves the port"
            " out), and reload it. A location with a proxy_set_header of its own inherits none."
        ),
        "Or set http.relativeurls: true in the registry's config.yml, and restart it.",
    ),
    check=("nginx -T | grep -i 'proxy_set_header *host'",),
    references=(
        "https://distribution.github.io/distribution/recipes/nginx/",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_set_header",
    ),
    owner=Owner.FRONT_PROXY,
    severity=Severity.ERROR,
    leads_to=("location-host-or-port-wrong",),
    fires="""
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    silent="""
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    also_fires=(
        """
==> nginx.conf <==
server {
    listen 5050 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    ),
    also_silent=(
        # The port that a Host header leaves out.
        """
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    ),
    against=by_upload_host,
)
def front_lacks_host(setup: SetUp) -> Verdict:
    if not setup.fronts:
        return DOES_NOT_APPLY
    found = []
    for front in setup.fronts:
        registry = registry_behind(setup, front)
        passes = front.passes_to
        if passes is None or urls_are_relative(registry):
            continue
        said = front.settings.get("header.host")
        if front.settings.get("header.x-forwarded-host"):
            continue
        if said is None or said.text == "$proxy_host":
            effect = "what nginx calls the registry, which clients do not know"
        elif said.text in {"$host", "$server_name"} and _other_port(front):
            effect = "the right host without its port"
        else:
            continue
        found.append(
            Wrong(
                spots=(Spot(said or passes, "what the registry is told of Host"),),
                fields={
                    "host": plain(said.text if said else "$proxy_host (its default)"),
                    "effect": plain(effect),
                },
                confidence=Confidence.CERTAIN if registry and front.whole else Confidence.LIKELY,
            )
        )
    return wrongs(found) or PASSES


def _other_port(front: Front) -> bool:
    ports = [(each.port, each.tls) for each in front.listens]
    return bool(ports) and not any((port, tls) in {(443, True), (80, False)} for port, tls in ports)
