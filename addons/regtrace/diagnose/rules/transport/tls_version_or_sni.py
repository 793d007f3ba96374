"""RT107: no TLS version in common, or no certificate for the name asked."""

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
from regtrace.wire.term import host, plain
from regtrace.wire.transport import Failure

_REASONS = {
    Failure.TLS_VERSION: "offers only TLS versions that this proxy does not accept",
    Failure.NO_SUCH_NAME: "has no certificate for the name that it was asked by (SNI)",
}


@rule(
    number="RT107",
    slug="tls-version-or-sni",
    title="TLS with {server} fails: it {reason}",
    cause=(
        "The TLS handshake with {server} ended before any certificate was judged: the server"
        " {reason}. Modern clients refuse old TLS versions just as this proxy does."
    ),
    fix=(
        (
            "Enable TLS 1.2 or 1.3 on {server} (nginx: ssl_protocols TLSv1.2 TLSv1.3;), and"
            " configure a virtual host with a certificate for exactly the name that clients use."
        ),
        (
            "To look at an old server through this proxy all the same, start mitmdump with --set"
            " tls_version_server_min=UNBOUNDED."
        ),
    ),
    check=("openssl s_client -connect {server} -tls1_2 </dev/null",),
    references=(
        "https://docs.mitmproxy.org/stable/concepts/options/#tls_version_server_min",
        "https://www.rfc-editor.org/rfc/rfc8996",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: OpenSSL Error([('SSL routines', '', 'tlsv1 alert protocol version')])
""",
    silent="""
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: OpenSSL Error([('SSL routines', '', 'tlsv1 alert internal error')])
""",
    also_fires=(
        """
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: OpenSSL Error([('SSL routines', '', 'tlsv1 unrecognized name')])
""",
    ),
)
def tls_version_or_sni(operation: Operation, facts: Facts) -> Verdict:
    found = [b for b in facts.breakages if b.failure in _REASONS]
    if not found:
        return DOES_NOT_APPLY
    first = found[0]
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "how the handshake ended"),),
        confidence=Confidence.CERTAIN,
        fields={
            "server": host(first.leg.url.authority),
            "reason": plain(_REASONS[first.failure]),
        },
        count=len(found),
        owner=first.owner,
    )
