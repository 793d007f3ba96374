"""RT037: the reverse proxy takes the client's Authorization away from a registry that needs it."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import lacks_registry, registry_behind, wrongs
from regtrace.diagnose.config.traffic import unless_trusted
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT037",
    slug="front-drops-authorization",
    title="The reverse proxy takes the Authorization header away from the registry",
    cause=(
        "The registry itself checks who comes ({auth}), but the reverse proxy replaces the header"
        " Authorization. The registry never sees a token or password, and answers 401 for ever."
    ),
    fix=(
        (
            "nginx: remove proxy_set_header Authorization from the registry's location and reload it;"
            " it belongs there only when nginx alone checks the users."
        ),
    ),
    check=("nginx -T | grep -i 'proxy_set_header *authorization'",),
    references=("https://distribution.github.io/distribution/recipes/nginx/",),
    owner=Owner.FRONT_PROXY,
    severity=Severity.ERROR,
    leads_to=("bearer-lost-before-registry", "auth-loop"),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://auth.example.com/token"}}
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Authorization "";
        proxy_read_timeout 900;
    }
}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header Authorization "";
        proxy_read_timeout 900;
    }
}
""",
    against=unless_trusted,
)
def front_drops_authorization(setup: SetUp) -> Verdict:
    found = []
    unknown = False
    for front in setup.fronts:
        header = front.settings.said.get("header.authorization")
        if header is None or "$http_authorization" in header.text:
            continue
        registry = registry_behind(setup, front)
        auth = registry.settings.there("auth") if registry else None
        unknown = unknown or registry is None
        if auth:
            found.append(
                Wrong(
                    spots=(Spot(header, "replaces what the client sent"), Spot(auth, "who checks")),
                    fields={"auth": plain(auth.name.partition(".")[0])},
                )
            )
    if found:
        return wrongs(found)
    if unknown:
        return lacks_registry("whether the registry needs the Authorization header is not known")
    return PASSES if setup.fronts else DOES_NOT_APPLY
