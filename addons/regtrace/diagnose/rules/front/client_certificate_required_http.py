"""RT605: a proxy wants a client certificate, and says so in an error page."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import is_somebody_elses, said
from regtrace.diagnose.facts.fronts import ended_by, front
from regtrace.diagnose.rule import (
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host

#: nginx (codes 496 and 495), IIS (403.7), others.
_WORDS = (
    "no required ssl certificate was sent",
    "the ssl certificate error",
    "403.7 - ",
    "client certificate required",
    "client certificate is required",
    "ssl client certificate",
)


@rule(
    number="RT605",
    slug="client-certificate-required-http",
    title="{front} wants a client certificate for {server}",
    cause=(
        "{server} lets in only clients that show a TLS certificate of their own, and none, or not"
        " the right one, was shown. The client's own certificate can't pass through this proxy: it"
        " ends the client's TLS and begins a new one."
    ),
    fix=(
        (
            "With this proxy: start mitmdump with --set client_certs=FILE.pem, a file that holds the"
            " client's certificate and its key."
        ),
        (
            "Without it: put client.cert and client.key into /etc/docker/certs.d/HOST:PORT/, the"
            " host written exactly as in the image's name; the token server's host needs its own"
            " directory."
        ),
    ),
    check=("curl -sv --cert client.cert --key client.key https://{server}/v2/",),
    references=(
        "https://docs.docker.com/engine/security/certificates/",
        "https://docs.mitmproxy.org/stable/concepts/certificates/",
        "https://github.com/moby/moby/issues/16724",
    ),
    owner=Owner.CLIENT,
    needs=frozenset(Kind),
    explains=frozenset({"waf-block"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 400
  < Server: nginx/1.25.3
  < -Docker-Distribution-Api-Version
  << <html><head><title>400 No required SSL certificate was sent</title></head></html>
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 400
  < Server: nginx/1.25.3
  < -Docker-Distribution-Api-Version
  << <html><head><title>400 Request Header Or Cookie Too Large</title></head></html>
""",
    also_fires=(
        """
client containerd/1.7.2
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
POST uploads                 -> 403
  < Server: Microsoft-IIS/10.0
  < -Docker-Distribution-Api-Version
  << <html><title>403.7 - Forbidden: Client certificate required</title></html>
""",
    ),
)
def client_certificate_required_http(operation: Operation, facts: Facts) -> Verdict:
    legs = ended_by(facts, _wants_certificate)
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=legs,
        evidence=(
            Evidence(first, "response.status", "refused"),
            Evidence(first, "response.body", "for want of a client certificate"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"front": front(first), "server": host(first.url.authority)},
        count=len(legs),
    )


def _wants_certificate(leg: Leg) -> bool:
    refused = leg.status in {400, 403} and is_somebody_elses(leg)
    return refused and any(words in said(leg) for words in _WORDS)
