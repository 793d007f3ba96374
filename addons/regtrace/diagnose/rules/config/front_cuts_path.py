"""RT038: the reverse proxy changes the path, so that /v2/ does not reach the registry."""

from __future__ import annotations

from regtrace.diagnose.config.check import Verdict, Wrong, check
from regtrace.diagnose.config.lookups import at, registry_behind, wrongs
from regtrace.diagnose.config.traffic import unless_good
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import Front, SetUp
from regtrace.wire.term import plain


@check(
    number="RT038",
    slug="front-cuts-path",
    title="The reverse proxy turns /v2/ into {path} on its way to the registry",
    cause=(
        "With a path behind the address in proxy_pass, nginx replaces what the location matched by"
        " it. A request for /v2/ then reaches the registry as {path}, where it answers 404."
    ),
    fix=("nginx: write proxy_pass without a path (no / at its end), and reload it.",),
    check=("curl -sI https://REGISTRY/v2/ | head -1",),
    references=("https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass",),
    owner=Owner.FRONT_PROXY,
    severity=Severity.ERROR,
    leads_to=("not-a-registry-answer", "location-path-prefix-lost"),
    fires="""
==> nginx.conf <==
server {
    listen 443 ssl;
    server_name registry.example.com;
    client_max_body_size 0;
    location /v2/ {
        proxy_pass http://127.0.0.1:5000/;
        proxy_set_header Host $http_host;
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
    location / {
        proxy_pass http://127.0.0.1:5000/;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 900;
    }
}
""",
    against=unless_good("the registry answered in this capture"),
)
def front_cuts_path(setup: SetUp) -> Verdict:
    found = []
    for front in setup.fronts:
        registry = registry_behind(setup, front)
        changed = _changed(front)
        if changed and not (registry and registry.settings.get("http.prefix")):
            spots = at(front.location, "what it matches") + at(front.passes_to, "what replaces it")
            found.append(Wrong(spots=spots, fields={"path": plain(changed)}))
    return wrongs(found) or (PASSES if setup.fronts else DOES_NOT_APPLY)


def _changed(front: Front) -> str | None:
    """What becomes of /v2/; None when it stays, or nobody knows."""
    if front.location is None or front.passes_to is None:
        return None
    words = front.location.text.split()
    prefix = words[-1]
    _, _, rest = front.passes_to.text.partition("://")
    _, slash, path = rest.partition("/")
    plain_prefix = len(words) == 1 or words[0] == "^~"
    if not slash or "$" in rest or not plain_prefix or not "/v2/".startswith(prefix):
        return None
    became = f"/{path}" + "/v2/"[len(prefix) :]
    return None if became == "/v2/" else became
