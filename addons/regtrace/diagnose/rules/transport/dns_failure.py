"""RT112: the registry's name can't be resolved."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import host
from regtrace.wire.transport import Failure


@rule(
    number="RT112",
    slug="dns-failure",
    title="The name {server} can't be resolved",
    cause=(
        "This proxy asked its DNS server for the address of {server} and got none. The name is"
        " misspelt, known only to another network's DNS, or the DNS server did not answer. The"
        " client, which may use another DNS server, did not get so far."
    ),
    fix=(
        "Check the registry's name in the image reference for a typing error.",
        (
            "If other machines resolve it, repair the DNS of the machine where mitmdump runs:"
            " /etc/resolv.conf, the VPN, or an entry in /etc/hosts."
        ),
    ),
    check=("getent hosts {name}",),
    references=(
        "https://docs.docker.com/engine/daemon/troubleshoot/#dns-resolver-issues",
        "https://github.com/distribution/distribution/issues/1671",
    ),
    owner=Owner.NETWORK,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
CONNECT registry.test:443    -> ! [Errno -2] Name or service not known
""",
    silent="""
client docker/20.10.24
CONNECT registry.test:443    -> ! [Errno -2] Name or service not known
+5s GET /v2/                 -> 401    # the DNS server was only slow
""",
)
def dns_failure(operation: Operation, facts: Facts) -> Verdict:
    found = [b for b in facts.breakages if b.failure is Failure.DNS and b.is_registrys]
    if not found:
        return DOES_NOT_APPLY
    first = found[0]
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "what the resolver said"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first.leg),
        fields={
            "server": host(first.leg.url.authority),
            "name": host(first.leg.url.host),
        },
        count=len(found),
    )
