"""RT036: the reverse proxy speaks http to a registry that speaks https, or the other way round."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import at, lacks_registry, registry_called, wrongs
from regtrace.diagnose.config.traffic import unless_good
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT036",
    slug="front-upstream-scheme",
    title="The reverse proxy speaks {spoken} to a registry that speaks {wanted}",
    cause=(
        "proxy_pass begins with {spoken}://, but the registry's configuration has {tls}. The reverse"
        " proxy gets an answer that it can't use: 400 Client sent an HTTP request to an HTTPS server,"
        " or 502."
    ),
    fix=(
        (
            "Let proxy_pass begin with {wanted}:// and reload the reverse proxy, or change http.tls in"
            " the registry's config.yml and restart it."
        ),
    ),
    references=("https://distribution.github.io/distribution/about/configuration/#tls",),
    owner=Owner.FRONT_PROXY,
    severity=Severity.ERROR,
    leads_to=("plain-http-to-tls-port", "gateway-error-page"),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000", tls: {certificate: tls.crt, key: tls.key}}
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
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000", tls: {certificate: tls.crt, key: tls.key}}
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass https://127.0.0.1:5000;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    against=unless_good("the registry answered in this capture"),
)
def front_upstream_scheme(setup: SetUp) -> Verdict:
    passing = [(each, each.passes_to) for each in setup.fronts if each.passes_to]
    if not passing:
        return DOES_NOT_APPLY
    known = [(front, to, registry_called(setup, front)) for front, to in passing]
    found = []
    for _, to, registry in known:
        if registry is None or registry.product != "distribution":
            continue
        tls = registry.settings.there("http.tls")
        spoken = to.text.partition("://")[0]
        wanted = "https" if tls else "http"
        if spoken in {"http", "https"} and spoken != wanted and (tls or not registry.partial):
            spots = (Spot(to, "how the registry is called"), *at(tls, "it speaks TLS"))
            fields = {
                "spoken": plain(spoken),
                "wanted": plain(wanted),
                "tls": plain("a certificate (http.tls)" if tls else "no certificate (http.tls)"),
            }
            found.append(Wrong(spots=spots, fields=fields))
    if found:
        return wrongs(found)
    if not any(registry for _, _, registry in known):
        return lacks_registry("whether it speaks https behind the reverse proxy is not known")
    return PASSES
