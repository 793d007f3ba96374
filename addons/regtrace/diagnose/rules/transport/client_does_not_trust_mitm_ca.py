"""RT101: the client refuses the certificate that this proxy shows it. No request is ever made."""

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
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host

#: TLS alerts by which a client says so (RFC 8446 6.2). Without one it only went away in the middle
#: of the handshake, as one does whose certificate is pinned, or whose user pressed Ctrl-C.
_ALERTS = ("unknown ca", "bad certificate", "certificate unknown")


@rule(
    number="RT101",
    slug="client-does-not-trust-mitm-ca",
    title="The client does not trust the certificate that this proxy shows for {server}",
    cause=(
        "To read the traffic, mitmproxy answers in the name of {server} with a certificate of its"
        " own authority. The client does not know that authority and hangs up before it asks"
        " anything; docker says x509: certificate signed by unknown authority. The registry has no"
        " part in it."
    ),
    fix=(
        (
            "Docker: copy ~/.mitmproxy/mitmproxy-ca-cert.pem to /etc/docker/certs.d/{server}/ca.crt"
            " (without :443 when you push without a port) on the machine where dockerd runs; it is"
            " read at the next push, without a restart."
        ),
        (
            "podman, skopeo, buildah: copy it to /etc/containers/certs.d/{server}/ca.crt."
            " containerd: name it as ca in /etc/containerd/certs.d/{server}/hosts.toml."
            " buildkit: name it as ca"
            " for this registry in buildkitd.toml and make the builder anew."
        ),
    ),
    references=(
        "https://docs.docker.com/engine/security/certificates/",
        "https://docs.mitmproxy.org/stable/concepts/certificates/",
    ),
    owner=Owner.INTERCEPTION,
    needs=frozenset({Kind.CONNECT}),
    fires="""
client docker/20.10.24
CONNECT registry.test:443    -> ! client-tls: The client does not trust the certificate (unknown ca)
""",
    silent="""
client docker/20.10.24
CONNECT registry.test:443    -> ! client-tls: The client does not trust the certificate (unknown ca)
+20s GET /v2/                -> 401    # the authority was installed in between
""",
)
def client_does_not_trust_mitm_ca(operation: Operation, facts: Facts) -> Verdict:
    refused = [leg for leg in facts.legs if leg.exchange.tunnel == "client-tls"]
    if not refused:
        return DOES_NOT_APPLY
    if operation.ending is Ending.OK or any(_came_in(leg, refused[-1]) for leg in facts.legs):
        return PASSES  # it was only one of several tries
    said_so = [leg for leg in refused if _says_so(leg)]
    first = (said_so or refused)[0]
    return Fails(
        legs=tuple(refused),
        evidence=(Evidence(first, "error", "how the client ended the TLS handshake"),),
        confidence=Confidence.CERTAIN if said_so else Confidence.LIKELY,
        fields={"server": host(first.url.authority)},
        count=len(refused),
    )


def _says_so(leg: Leg) -> bool:
    error = (leg.exchange.error or "").lower()
    return any(alert in error for alert in _ALERTS)


def _came_in(leg: Leg, refused: Leg) -> bool:
    """A later request over TLS to the same host: by then the client trusted the proxy."""
    same = leg.kind is not Kind.CONNECT and leg.url.authority == refused.url.authority
    return same and leg.started > refused.started and leg.url.scheme == "https"
