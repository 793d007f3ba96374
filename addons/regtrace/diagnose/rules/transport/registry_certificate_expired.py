"""RT103: a server's certificate is over, or not valid yet."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
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
from regtrace.wire.term import host, plain
from regtrace.wire.transport import CertificateFault, Failure, read_certificate_fault

_TIMES = {
    CertificateFault.EXPIRED: "has expired",
    CertificateFault.NOT_YET_VALID: "is not valid yet",
}


@rule(
    number="RT103",
    slug="registry-certificate-expired",
    title="The certificate of {server} {fault}",
    cause=(
        "{server} shows a TLS certificate that {fault}. mitmproxy breaks off, and so would every"
        " client without it: x509: certificate has expired or is not yet valid. If the certificate"
        " is right, the clock of this machine is wrong."
    ),
    fix=(
        (
            "Renew the certificate of {server} and reload the server that presents it: with several"
            " proxies in a row, the outermost one that ends TLS."
        ),
        "If the dates of the certificate are right, set this machine's clock: timedatectl.",
    ),
    check=("openssl s_client -connect {server} </dev/null | openssl x509 -noout -dates; date -u",),
    references=(
        "https://github.com/moby/moby/issues/18632",
        "https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: Certificate verify failed: certificate has expired
""",
    silent="""
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: Certificate verify failed: self-signed certificate
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
CONNECT auth.test:443        -> ! server-tls: Certificate verify failed: certificate is not yet valid
""",
    ),
)
def registry_certificate_expired(operation: Operation, facts: Facts) -> Verdict:
    found = [b for b in facts.breakages if b.failure is Failure.CERTIFICATE]
    if not found:
        return DOES_NOT_APPLY
    found = [b for b in found if read_certificate_fault(b.leg.exchange.error or "") in _TIMES]
    if not found:
        return PASSES
    first = found[0]
    fault = read_certificate_fault(first.leg.exchange.error or "")
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "what was wrong with the certificate"),),
        confidence=Confidence.CERTAIN,
        fields={
            "server": host(first.leg.url.authority),
            "fault": plain(_TIMES[fault] if fault else ""),
        },
        count=len(found),
        owner=first.owner,
    )
