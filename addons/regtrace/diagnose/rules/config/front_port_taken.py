"""RT039: GitLab's nginx and its registry are to listen on the same port."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import address, at, host_and_port
from regtrace.diagnose.config.traffic import unless_good
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import plain


@check(
    number="RT039",
    slug="front-port-taken",
    title="nginx and the registry are both to listen on port {port}",
    cause=(
        "The port of registry_external_url is the one that GitLab's nginx listens on for the"
        " registry. The registry itself listens on {addr}. One of them does not start: bind: address"
        " already in use."
    ),
    fix=(
        (
            "Take another port in registry_external_url, such as 5050, or give"
            " registry['registry_http_addr'] another one, and run gitlab-ctl reconfigure."
        ),
    ),
    check=("gitlab-ctl tail nginx", "gitlab-ctl tail registry"),
    references=("https://docs.gitlab.com/administration/packages/container_registry/",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("tcp-refused-or-timeout",),
    fires="""
==> gitlab.rb <==
external_url 'https://gitlab.example.com'
registry_external_url 'https://gitlab.example.com:5000'
""",
    silent="""
==> gitlab.rb <==
external_url 'https://gitlab.example.com'
registry_external_url 'https://gitlab.example.com:5050'
""",
    against=unless_good("the registry answered in this capture"),
)
def front_port_taken(setup: SetUp) -> Verdict:
    fronts = [front for front in setup.fronts if front.kind == "gitlab.rb" and front.listens]
    found = []
    for front in fronts:
        registry = next((r for r in setup.registries if r.source == front.source), None)
        addr = registry.settings.get("http.addr") if registry else None
        listening = front.listens[0]
        text = addr.text if addr else "127.0.0.1:5000"
        if registry and host_and_port(text)[1] == listening.port:
            spots = (Spot(listening.setting, "nginx listens here"), *at(addr, "the registry, too"))
            fields = {"port": plain(listening.port), "addr": address(text)}
            found.append(Wrong(spots=spots, fields=fields))
    return tuple(found) or (PASSES if fronts else DOES_NOT_APPLY)
