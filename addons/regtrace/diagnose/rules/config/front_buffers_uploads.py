"""RT033: nginx is told not to buffer uploads, and does so all the same."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import wrongs
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import SetUp


@check(
    number="RT033",
    slug="front-buffers-uploads",
    title="nginx buffers docker's uploads although proxy_request_buffering is off",
    cause=(
        "docker sends a layer in chunked encoding. Unless nginx speaks HTTP/1.1 to the registry, it"
        " first stores such a body as a whole, whatever proxy_request_buffering says (1.0 is the"
        " default before nginx 1.29.7). Large layers then need its disk, and the client waits at"
        " 100 % while nginx passes the layer on."
    ),
    fix=("nginx: set proxy_http_version 1.1; beside proxy_request_buffering off;, and reload it.",),
    check=("nginx -T | grep -E 'proxy_http_version|proxy_request_buffering'",),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_request_buffering",
    ),
    owner=Owner.FRONT_PROXY,
    severity=Severity.NOTE,
    leads_to=("answer-too-late-for-client",),
    fires="""
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
        proxy_request_buffering off;
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
        proxy_request_buffering off;
        proxy_http_version 1.1;
    }
}
""",
)
def front_buffers_uploads(setup: SetUp) -> Verdict:
    fronts = [front for front in setup.fronts if front.kind == "nginx"]
    found = []
    for front in fronts:
        off = front.settings.get("proxy_request_buffering")
        version = front.settings.text("proxy_http_version") or "1.0"
        if off and off.flag is False and version == "1.0":
            found.append(
                Wrong(
                    spots=(Spot(off, "has no effect on chunked bodies"),),
                    confidence=Confidence.LIKELY,
                )
            )
    return wrongs(found) or (PASSES if fronts else DOES_NOT_APPLY)
