"""RT063: the proxies stand in daemon.json as they would in the client's config.json."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp


@check(
    number="RT063",
    slug="daemon-proxies-misplaced",
    title="The proxies in daemon.json are written for another file",
    cause=(
        "proxies with a default below it belongs into the client's ~/.docker/config.json, where it is"
        " for containers. In daemon.json dockerd does not know it, and does not start, or asks"
        " registries without a proxy."
    ),
    fix=(
        (
            'Write {"proxies": {"http-proxy": "...", "https-proxy": "...", "no-proxy": "..."}}} into'
            " daemon.json, and restart Docker: systemctl restart docker."
        ),
    ),
    check=("dockerd --validate --config-file /etc/docker/daemon.json",),
    references=(
        "https://docs.docker.com/engine/daemon/proxy/",
        "https://docs.docker.com/engine/cli/proxy/",
    ),
    owner=Owner.CLIENT,
    severity=Severity.ERROR,
    leads_to=("traffic-bypasses-mitm",),
    fires="""
==> daemon.json <==
{"proxies": {"default": {"httpsProxy": "http://proxy.example.com:3128"}}}
""",
    silent="""
==> daemon.json <==
{"proxies": {"https-proxy": "http://proxy.example.com:3128"}}
""",
)
def daemon_proxies_misplaced(setup: SetUp) -> Verdict:
    if not setup.daemons:
        return DOES_NOT_APPLY
    return (
        tuple(
            Wrong(spots=(Spot(each, "one level too deep"),))
            for daemon in setup.daemons
            if (each := daemon.settings.get("misplaced"))
        )
        or PASSES
    )
