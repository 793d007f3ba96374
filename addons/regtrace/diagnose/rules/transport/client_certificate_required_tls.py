"""RT105: the server wants a client certificate, which can't pass through this proxy."""

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

_ASKS = frozenset({Failure.CLIENT_CERTIFICATE, Failure.TLS_ALERT})


@rule(
    number="RT105",
    slug="client-certificate-required-tls",
    title="{server} breaks off TLS for want of a client certificate",
    cause=(
        "{server} ended the TLS handshake with an alert, as servers do that admit only clients with"
        " a certificate. A client's own certificate ends at this proxy: its private key never leaves"
        " the client, so mitmproxy has to be given one."
    ),
    fix=(
        (
            "Start mitmdump with --set client_certs=/path/to/FOLDER, where the folder holds"
            " HOST.pem: the client's certificate and key of {server} in one file."
        ),
        (
            "If the push fails without this proxy too, put client.cert and client.key into"
            " /etc/docker/certs.d/{server}/ (these endings exactly; the token server needs a"
            " folder of its own)."
        ),
    ),
    check=("openssl s_client -connect {server} </dev/null | grep -A3 'client certificate'",),
    references=(
        "https://docs.mitmproxy.org/stable/concepts/certificates/#using-a-client-side-certificate",
        "https://docs.docker.com/engine/security/certificates/",
    ),
    owner=Owner.INTERCEPTION,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: OpenSSL Error([('SSL routines', '', 'tlsv13 alert certificate required')])
""",
    silent="""
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: OpenSSL Error([('SSL routines', '', 'internal error')])
""",
    also_fires=(
        """
client docker/20.10.24
CONNECT registry.test:443    -> ! server-tls: OpenSSL Error([('SSL routines', '', 'ssl/tls alert handshake failure')])
""",
    ),
)
def client_certificate_required_tls(operation: Operation, facts: Facts) -> Verdict:
    found = [b for b in facts.breakages if b.failure in _ASKS]
    if not found:
        return DOES_NOT_APPLY
    first = found[0]
    said_so = first.failure is Failure.CLIENT_CERTIFICATE
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "the alert by which the server ended it"),),
        # handshake_failure may as well mean that no cipher suits both (RFC 8446 6.2).
        confidence=Confidence.CERTAIN if said_so else Confidence.POSSIBLE,
        fields={"server": host(first.leg.url.authority)},
        count=len(found),
    )
