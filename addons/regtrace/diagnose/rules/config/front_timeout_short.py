"""RT034: the reverse proxy gives up on the registry before a large layer is stored."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import seconds, wrongs
from regtrace.diagnose.config.traffic import Ruling, Traffic, confirmed, undecided
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


def _against(wrong: Wrong, traffic: Traffic) -> Ruling:
    """nginx's own 504 is what a time-out of nginx makes; a 502 is none."""
    for leg in traffic.to_registry():
        if leg.status == 504 and leg.answerer is not None:
            return confirmed("the reverse proxy answered 504 in this capture", leg)
    return undecided("no 504 of the reverse proxy stands in the capture")


@check(
    number="RT034",
    slug="front-timeout-short",
    title="The reverse proxy waits for the registry for {seconds} s only",
    cause=(
        "proxy_read_timeout is {seconds} s {where}. To commit a large layer the registry may copy all"
        " of it in its storage, and says nothing meanwhile; nginx then answers 504, and the client"
        " begins anew."
    ),
    fix=("nginx: set proxy_read_timeout 900s; in the registry's location, and reload it.",),
    check=("nginx -T | grep proxy_read_timeout",),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout",
        "https://distribution.github.io/distribution/recipes/nginx/",
    ),
    owner=Owner.FRONT_PROXY,
    severity=Severity.WARNING,
    leads_to=("gateway-error-page", "answer-too-late-for-client", "fixed-time-upload-cut"),
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
        proxy_read_timeout 30s;
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
        proxy_read_timeout 300s;
    }
}
""",
    against=_against,
)
def front_timeout_short(setup: SetUp) -> Verdict:
    if not setup.fronts:
        return DOES_NOT_APPLY
    found = []
    for front in setup.fronts:
        said = front.settings.get("proxy_read_timeout")
        where = said or front.passes_to
        waits = seconds(said) if said else _DEFAULT
        if where is None or waits is None or waits >= _ENOUGH:
            continue
        found.append(
            Wrong(
                spots=(Spot(where, "how long nginx waits for the next byte"),),
                fields={
                    "seconds": plain(f"{waits:g}"),
                    "where": plain("here" if said else "where nothing else is said"),
                },
                confidence=Confidence.LIKELY if waits < _DEFAULT else Confidence.POSSIBLE,
                severity=None if said else Severity.NOTE,
            )
        )
    return wrongs(found) or PASSES


#: Seconds.
_DEFAULT, _ENOUGH = 60, 120
