"""RT064: the engine does not check who it talks to."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import host_and_port, is_loopback
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import host


@check(
    number="RT064",
    slug="daemon-insecure-registry",
    title="Docker trusts whoever answers as {registry}",
    cause=(
        "For what is in insecure-registries, Docker takes any certificate, and plain http if https"
        " does not answer. Whoever is on the way can read the password and change images. Where"
        " certificates are the trouble, this hides it from Docker alone; other clients still see it."
    ),
    fix=(
        (
            "Put the registry's authority into /etc/docker/certs.d/{registry}/ca.crt instead, take the"
            " entry out of insecure-registries, and restart Docker: systemctl restart docker."
        ),
    ),
    references=(
        "https://docs.docker.com/engine/security/certificates/",
        "https://docs.docker.com/reference/cli/dockerd/#insecure-registries",
    ),
    owner=Owner.CLIENT,
    severity=Severity.NOTE,
    fires="""
==> daemon.json <==
{"insecure-registries": ["registry.example.com:5000"]}
""",
    silent="""
==> daemon.json <==
{"insecure-registries": ["127.0.0.1:5000"]}
""",
    also_fires=(
        """
==> daemon.json <==
{"insecure-registries": ["0.0.0.0/0"]}
""",
    ),
)
def daemon_insecure_registry(setup: SetUp) -> Verdict:
    entries = [
        each for daemon in setup.daemons for each in daemon.settings.items("insecure-registries")
    ]
    found = []
    for each in entries:
        name = host_and_port(each.text)[0]
        if is_loopback(name) or each.text.startswith(("127.", "::1/")):
            continue
        everything = each.text.endswith("/0")
        found.append(
            Wrong(
                spots=(Spot(each, "every registry" if everything else "not checked"),),
                fields={"registry": host(each.text)},
                severity=Severity.WARNING if everything else None,
            )
        )
    return tuple(found) or (PASSES if entries else DOES_NOT_APPLY)
