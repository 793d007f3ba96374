"""RT113: no connection to the registry comes about."""

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
from regtrace.wire.term import Term, TermKind, host, plain
from regtrace.wire.transport import Failure

_REASONS = {
    Failure.REFUSED: "nothing listens on that port, or a firewall refuses",
    Failure.UNREACHABLE: "there is no network route to it",
    Failure.TIMEOUT: "no answer came: the machine is down, or a firewall drops the packets",
}


@rule(
    number="RT113",
    slug="tcp-refused-or-timeout",
    title="No connection to {server} ({short})",
    cause=(
        "This proxy could not connect to {server}: {reason}. The client sees only a gateway error,"
        " or tries again until it gives up."
    ),
    fix=(
        (
            "Check that the registry runs and listens on this port: docker ps, or ss -ltnp on its"
            " machine; a container's port must be published (-p 5000:5000)."
        ),
        "Check the firewall and the routes between the machine of mitmdump and {server}.",
        "If the port is wrong, push to the right one: docker tag the image with HOST:PORT.",
    ),
    check=("curl -v {url}",),
    references=(
        "https://distribution.github.io/distribution/about/deploying/",
        "https://github.com/distribution/distribution/issues/468",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
CONNECT registry.test:5000   -> ! [Errno 111] Connect call failed ('192.0.2.7', 5000)
""",
    silent="""
client docker/20.10.24
CONNECT registry.test:5000   -> ! [Errno 111] Connect call failed ('192.0.2.7', 5000)
registry https://registry.test:5000
+5s GET /v2/                 -> 401    # it was only starting
""",
    also_fires=(
        """
client skopeo/1.14
GET /v2/                     -> ! [Errno 110] Connection timed out
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> ! [Errno 113] No route to host
""",
    ),
)
def tcp_refused_or_timeout(operation: Operation, facts: Facts) -> Verdict:
    found = [
        b
        for b in facts.breakages
        if b.failure in _REASONS and b.is_registrys and b.before_any_answer
    ]
    if not found:
        return DOES_NOT_APPLY
    first = found[0]
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "how the connection failed"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first.leg),
        fields={
            "server": host(first.leg.url.authority),
            "url": Term(TermKind.URL, f"{first.leg.url.origin}/v2/"),
            "reason": plain(_REASONS[first.failure]),
            "short": plain(first.failure.value),
        },
        count=len(found),
        owner=Owner.REGISTRY if first.failure is Failure.REFUSED else Owner.NETWORK,
    )
