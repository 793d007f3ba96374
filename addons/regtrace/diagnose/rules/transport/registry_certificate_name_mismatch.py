"""RT104: a server's certificate is for other names."""

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
from regtrace.wire.term import host
from regtrace.wire.transport import CertificateFault, Failure, read_certificate_fault


@rule(
    number="RT104",
    slug="registry-certificate-name-mismatch",
    title="The certificate that {server} shows is not for this name",
    cause=(
        "The host {server} shows a TLS certificate that does not list the name (or address) by which"
        " it was asked. mitmproxy breaks off, and so would every client without it: x509:"
        " certificate is valid for another name. Often it is a proxy's default certificate, because"
        " no virtual host is set up for this name."
    ),
    fix=(
        (
            "Give {server} a certificate whose Subject Alternative Name lists exactly this name;"
            " for a registry addressed by IP it must list the IP address."
        ),
        (
            "If it is a proxy's default certificate (ingress-nginx: Kubernetes Ingress Controller"
            " Fake Certificate; Traefik: TRAEFIK DEFAULT CERT), configure the host and its TLS"
            " secret there."
        ),
        "Or push to the name that the certificate has: docker tag the image with that host.",
    ),
    check=(
        ("openssl s_client -connect {server} </dev/null | openssl x509 -noout -ext subjectAltName"),
    ),
    references=(
        "https://github.com/docker/for-linux/issues/248",
        "https://www.rfc-editor.org/rfc/rfc9110#section-4.3.4",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: Certificate verify failed: hostname mismatch
""",
    silent="""
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: Certificate verify failed: self-signed certificate
""",
    also_fires=(
        """
client docker/20.10.24
CONNECT 192.0.2.7:5000       -> ! server-tls: Certificate verify failed: IP address mismatch
""",
    ),
)
def registry_certificate_name_mismatch(operation: Operation, facts: Facts) -> Verdict:
    found = [b for b in facts.breakages if b.failure is Failure.CERTIFICATE]
    if not found:
        return DOES_NOT_APPLY
    wrong = CertificateFault.WRONG_NAME
    found = [b for b in found if read_certificate_fault(b.leg.exchange.error or "") is wrong]
    if not found:
        return PASSES
    first = found[0]
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "what was wrong with the certificate"),),
        confidence=Confidence.CERTAIN,
        fields={"server": host(first.leg.url.authority)},
        count=len(found),
        owner=first.owner,
    )
