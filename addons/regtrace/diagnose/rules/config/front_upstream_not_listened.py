"""RT035: the reverse proxy passes to an address or port where the registry does not listen."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import (
    address,
    host_and_port,
    is_loopback,
    lacks_registry,
    wrongs,
)
from regtrace.diagnose.config.traffic import unless_good
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.hosts import is_address
from regtrace.wire.settings import Setting, SetUp
from regtrace.wire.term import host, plain


@check(
    number="RT035",
    slug="front-upstream-not-listened",
    title="{upstream} is called, but the registry listens on {listens}",
    cause=(
        "Requests for the registry are passed to {upstream}. The registry listens on {listens}:"
        " {difference}. The reverse proxy answers 502, GitLab can't reach the registry."
    ),
    fix=(
        (
            "Let both name the same address and port, as 127.0.0.1:5000: http.addr (gitlab.rb:"
            " registry['registry_http_addr']) on one side, proxy_pass or the upstream's server"
            " (gitlab.rb: gitlab_rails['registry_api_url']) on the other."
        ),
    ),
    check=("ss -ltnp | grep -E 'registry|:5000'",),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#http",
        "https://docs.gitlab.com/administration/packages/container_registry_troubleshooting/",
    ),
    owner=Owner.FRONT_PROXY,
    severity=Severity.ERROR,
    leads_to=("gateway-error-page", "ipv6-path-broken"),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: "127.0.0.1:5000"}
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://[::1]:5000;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000"}
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://[::1]:5000;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    also_fires=(
        """
==> gitlab.rb <==
registry_external_url 'https://registry.example.com'
registry['registry_http_addr'] = '127.0.0.1:5000'
gitlab_rails['registry_api_url'] = 'http://127.0.0.1:4567'
""",
    ),
    also_silent=(
        # In a container the port outside may be another than inside.
        """
==> compose.yaml <==
services:
  registry:
    image: registry:2
    ports: ["127.0.0.1:4567:5000"]
    environment: {REGISTRY_HTTP_ADDR: "0.0.0.0:5000"}
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:4567;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    ),
    against=unless_good("the registry answered in this capture, so it is reached"),
)
def front_upstream_not_listened(setup: SetUp) -> Verdict:
    called = [each for front in setup.fronts for each in front.upstreams]
    for side in setup.token_sides:
        api = side.settings.get("api_url")
        if api and api.url:
            called.append(Setting(api.name, api.url.authority, api.source, api.line))
    listening = [
        addr
        for each in setup.registries
        if not each.contained and (addr := each.settings.get("http.addr"))
    ]
    if not called:
        return DOES_NOT_APPLY
    if not listening:
        return lacks_registry("whether the registry listens where it is called is not known")
    found = []
    for upstream in called:
        differences = [difference(upstream.text, addr.text) for addr in listening]
        if all(differences):
            found.append(
                Wrong(
                    spots=(
                        Spot(upstream, "where it is called"),
                        Spot(listening[0], "where it listens"),
                    ),
                    fields={
                        "upstream": host(upstream.text),
                        "listens": address(listening[0].text),
                        "difference": plain(differences[0] or ""),
                    },
                )
            )
    return wrongs(found) or PASSES


def difference(upstream: str, addr: str) -> str | None:
    """Why who calls ``upstream`` does not reach who listens on ``addr``; None when he may."""
    name, port = host_and_port(upstream)
    listens, its_port = host_and_port(addr)
    here = is_loopback(name) or (is_address(name) and name == listens)
    if not here:
        return None
    if its_port is not None and (port or 80) != its_port:
        return "another port"
    if ":" in name and (listens == "localhost" or _is_ipv4(listens)):
        return "one is IPv6, the other IPv4"
    if _is_ipv4(name) and ":" in listens and listens != "::":
        return "one is IPv4, the other IPv6"
    return None


def _is_ipv4(name: str) -> bool:
    return is_address(name) and ":" not in name
