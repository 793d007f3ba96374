"""RT042: the registry's debug server can be reached from other machines."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import address, host_and_port, is_loopback
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp


@check(
    number="RT042",
    slug="debug-server-open",
    title="The registry's debug server listens on {addr} for everybody",
    cause=(
        "http.debug.addr serves profiles, the command line, counters and, if switched on, Prometheus'"
        " metrics, without any login. On {addr} other machines reach it."
    ),
    fix=(
        (
            "Set http.debug.addr to localhost:5001 (gitlab.rb: registry['debug_addr']), or let a firewall"
            " pass only the monitoring, and restart the registry."
        ),
    ),
    check=("curl -s http://REGISTRY:5001/debug/health",),
    references=("https://distribution.github.io/distribution/about/configuration/#debug",),
    owner=Owner.REGISTRY,
    severity=Severity.WARNING,
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000", debug: {addr: "0.0.0.0:5001"}}
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: ":5000", debug: {addr: "localhost:5001"}}
""",
    also_silent=(
        # A pod's port is not open to the world by this alone; the chart's default says it.
        """
==> values.yaml <==
replicaCount: 1
image: {repository: registry}
configData: {version: 0.1, http: {addr: ":5000", debug: {addr: ":5001"}}}
""",
    ),
)
def debug_server_open(setup: SetUp) -> Verdict:
    said = [
        each
        for side in setup.registries
        if not side.contained and (each := side.settings.get("http.debug.addr"))
    ]
    found = tuple(
        Wrong(
            spots=(Spot(each, "where the debug server listens"),),
            fields={"addr": address(each.text)},
        )
        for each in said
        if not is_loopback(host_and_port(each.text)[0])
    )
    return found or (PASSES if said else DOES_NOT_APPLY)
