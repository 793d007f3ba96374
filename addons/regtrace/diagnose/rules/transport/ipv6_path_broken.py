"""RT114: only the registry's IPv6 address was tried, and it can't be reached."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.transport import Breakage
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host
from regtrace.wire.transport import Failure, addresses_in

_UNREACHED = frozenset({Failure.REFUSED, Failure.UNREACHABLE, Failure.TIMEOUT})


@rule(
    number="RT114",
    slug="ipv6-path-broken",
    title="{server} can't be reached over IPv6",
    cause=(
        "Only the IPv6 address of {server} was tried, and no connection came about. The machine of"
        " this proxy has no working IPv6 route, or the server listens on its IPv4 address alone."
    ),
    fix=(
        (
            "Test both families with the commands below; if only IPv4 works, prefer it: in"
            " /etc/gai.conf uncomment precedence ::ffff:0:0/96 100."
        ),
        "Remove the AAAA record of {server} if it does not listen on IPv6, or let it listen there.",
        "Repair or switch off the IPv6 route of this network.",
    ),
    check=("curl -6 -v {url}", "curl -4 -v {url}"),
    references=(
        "https://github.com/docker/hub-feedback/issues/2165",
        "https://www.rfc-editor.org/rfc/rfc6724",
    ),
    owner=Owner.NETWORK,
    needs=frozenset(Kind),
    explains=frozenset(
        {"tcp-refused-or-timeout", "realm-unreachable", "storage-endpoint-unreachable"}
    ),
    fires="""
client docker/20.10.24
CONNECT registry.test:443    -> ! [Errno 101] Connect call failed ('2001:db8::7', 443, 0, 0)
""",
    silent="""
client docker/20.10.24
CONNECT registry.test:443    -> ! Multiple exceptions: [Errno 101] Connect call failed ('2001:db8::7', 443, 0, 0), [Errno 111] Connect call failed ('192.0.2.7', 443)
""",
)
def ipv6_path_broken(operation: Operation, facts: Facts) -> Verdict:
    unreached = [b for b in facts.breakages if b.failure in _UNREACHED]
    if not unreached:
        return DOES_NOT_APPLY
    found = [b for b in unreached if _only_ipv6(b)]
    # Where IPv4 was tried as well, or the host is named by its address, IPv6 is not the cause.
    if len(found) < len(unreached) or any(":" in b.leg.url.host for b in found):
        return PASSES
    first = found[0]
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "the address that was tried"),),
        confidence=Confidence.LIKELY,
        transfer=facts.transfer_of(first.leg),
        fields={
            "server": host(first.leg.url.authority),
            "url": Term(TermKind.URL, f"{first.leg.url.origin}/v2/"),
        },
        count=len(found),
    )


def _only_ipv6(breakage: Breakage) -> bool:
    tried = addresses_in(breakage.leg.exchange.error or "")
    return bool(tried) and all(":" in address for address in tried)
