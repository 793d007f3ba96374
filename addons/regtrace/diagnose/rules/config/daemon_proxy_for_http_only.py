"""RT060: the engine's proxy is set for http, and registries are asked over https."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp


@check(
    number="RT060",
    slug="daemon-proxy-for-http-only",
    title="The container engine uses its proxy for http only",
    cause=(
        "A proxy is set for http, but not for https. Registries are asked over https, so every pull"
        " and push goes past the proxy, and fails where there is no other way out."
    ),
    fix=(
        (
            "Set https-proxy to the same URL, too (drop-in: Environment=HTTPS_PROXY=...), and restart"
            " Docker: systemctl daemon-reload && systemctl restart docker."
        ),
    ),
    check=("docker info | grep -i proxy",),
    references=("https://docs.docker.com/engine/daemon/proxy/",),
    owner=Owner.CLIENT,
    severity=Severity.ERROR,
    leads_to=("traffic-bypasses-mitm", "tcp-refused-or-timeout"),
    fires="""
==> daemon.json <==
{"proxies": {"http-proxy": "http://proxy.example.com:3128"}}
""",
    silent="""
==> daemon.json <==
{"proxies": {"http-proxy": "http://proxy.example.com:3128",
             "https-proxy": "http://proxy.example.com:3128"}}
""",
)
def daemon_proxy_for_http_only(setup: SetUp) -> Verdict:
    some = [(each, each.settings.get("http-proxy")) for each in setup.daemons]
    https = any(each.settings.there("https-proxy") for each in setup.daemons)
    found = tuple(
        Wrong(spots=(Spot(proxy, "for http only"),)) for _, proxy in some if proxy and not https
    )
    return found or (PASSES if any(proxy for _, proxy in some) else DOES_NOT_APPLY)
