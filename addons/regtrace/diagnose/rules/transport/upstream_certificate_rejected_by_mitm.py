"""RT102: this proxy does not accept the certificate of the host that it connects to."""

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

_ISSUERS = frozenset({CertificateFault.UNKNOWN_ISSUER, CertificateFault.OTHER})


@rule(
    number="RT102",
    slug="upstream-certificate-rejected-by-mitm",
    title="This proxy does not trust the certificate of {server}",
    cause=(
        "{server} shows a certificate that mitmproxy can't verify: it is self-signed, signed by an"
        " authority of your own, or sent without its intermediate certificates. mitmproxy breaks"
        " off, and the client sees only a gateway error. Without this proxy a client that was given"
        " that authority (certs.d/{server}/ca.crt) works, and every other client fails with x509:"
        " certificate signed by unknown authority."
    ),
    fix=(
        (
            "Start mitmdump with --set ssl_verify_upstream_trusted_ca=/path/to/ca.pem, where ca.pem"
            " is the authority (or the self-signed certificate) of {server}."
        ),
        (
            "If clients fail without this proxy too, copy that ca.pem to"
            " /etc/docker/certs.d/{server}/ca.crt (podman, skopeo, buildah:"
            " /etc/containers/certs.d/{server}/ca.crt), and let {server} send its full chain."
        ),
        "For a single test only, start mitmdump with --set ssl_insecure=true.",
    ),
    check=("openssl s_client -connect {server} -showcerts </dev/null",),
    references=(
        "https://docs.mitmproxy.org/stable/concepts/options/#ssl_verify_upstream_trusted_ca",
        "https://docs.docker.com/engine/security/certificates/",
    ),
    owner=Owner.INTERCEPTION,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: Certificate verify failed: self-signed certificate
""",
    silent="""
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: Certificate verify failed: self-signed certificate
+20s GET /v2/                -> 401    # the proxy was given the authority in between
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
CONNECT auth.test:443        -> ! server-tls: Certificate verify failed: unable to get local issuer certificate
""",
    ),
)
def upstream_certificate_rejected_by_mitm(operation: Operation, facts: Facts) -> Verdict:
    found = [b for b in facts.breakages if b.failure is Failure.CERTIFICATE]
    if not found:
        return DOES_NOT_APPLY
    found = [b for b in found if read_certificate_fault(b.leg.exchange.error or "") in _ISSUERS]
    if not found:
        return PASSES
    first = found[0]
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "what was wrong with the certificate"),),
        confidence=Confidence.CERTAIN,
        fields={"server": host(first.leg.url.authority)},
        count=len(found),
    )
