"""RT030: the reverse proxy does not tell the registry that the client came over https."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import registry_behind, urls_are_relative, wrongs
from regtrace.diagnose.config.traffic import by_upload_scheme
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import Front, RegistrySide, SetUp
from regtrace.wire.term import plain


@check(
    number="RT030",
    slug="front-lacks-forwarded-proto",
    title="The reverse proxy does not tell the registry that clients use https",
    cause=(
        "The reverse proxy ends TLS and passes plain http to the registry, and X-Forwarded-Proto says"
        " {said}. The registry then writes http:// into the address at which an upload goes on"
        " (Location), where nobody answers."
    ),
    fix=(
        (
            "nginx: proxy_set_header X-Forwarded-Proto $scheme; in the registry's location (behind"
            " another proxy that ends TLS: $http_x_forwarded_proto), and reload it. A location with a"
            " proxy_set_header of its own inherits none."
        ),
        "Or set http.relativeurls: true in the registry's config.yml, and restart it.",
    ),
    check=("nginx -T | grep -i x-forwarded-proto",),
    references=("https://distribution.github.io/distribution/recipes/nginx/",),
    owner=Owner.FRONT_PROXY,
    severity=Severity.ERROR,
    leads_to=("location-scheme-downgrade",),
    fires="""
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header Host $http_host;
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
        # An nginx behind another proxy overwrites what that one said.
        """
==> gitlab.rb <==
registry_external_url 'https://registry.example.com'
registry_nginx['listen_port'] = 5050
registry_nginx['listen_https'] = false
registry_nginx['proxy_set_headers'] = { 'X-Forwarded-Proto' => 'http' }
""",
    ),
    also_silent=(
        """
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000", relativeurls: true}
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000;
        proxy_set_header Host $http_host;
        proxy_read_timeout 900;
    }
}
""",
    ),
    against=by_upload_scheme,
)
def front_lacks_forwarded_proto(setup: SetUp) -> Verdict:
    if not setup.fronts:
        return DOES_NOT_APPLY
    found = []
    for front in setup.fronts:
        registry = registry_behind(setup, front)
        if urls_are_relative(registry) or front.settings.get("header.forwarded"):
            continue
        spot = _fault(front, registry)
        if spot:
            said = front.settings.text("header.x-forwarded-proto")
            found.append(
                Wrong(
                    spots=(spot,),
                    fields={"said": plain("nothing" if said is None else "http")},
                    confidence=Confidence.CERTAIN
                    if registry and front.whole
                    else Confidence.LIKELY,
                )
            )
    return wrongs(found) or PASSES


def _fault(front: Front, registry: RegistrySide | None) -> Spot | None:
    header = front.settings.get("header.x-forwarded-proto")
    public = registry.public.url if registry and registry.public else None
    for_tls = front.tls or (public is not None and public.scheme == "https")
    if header and header.text.lower() == "http" and for_tls:
        return Spot(header, "clients use https, and the registry is told http")
    overwrites = header and header.text == "$scheme" and not front.tls and front.listens
    if header and overwrites and public and public.scheme == "https":
        return Spot(header, "this nginx itself is asked over http, whatever the client used")
    passes = front.passes_to
    if passes and front.tls and header is None and passes.text.startswith("http://"):
        return Spot(passes, "no proxy_set_header X-Forwarded-Proto holds here")
    return None
