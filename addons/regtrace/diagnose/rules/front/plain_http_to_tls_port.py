"""RT604: a request in plain HTTP met a port that speaks TLS."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import said
from regtrace.diagnose.facts.fronts import ended_by
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
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host

#: nginx, Go's servers, Apache, Jetty's and others' wording of the same.
_WORDS = (
    "plain http request was sent to https port",
    "client sent an http request to an https server",
    "speaking plain http to an ssl-enabled server port",
    "http request was sent to https port",
)


@rule(
    number="RT604",
    slug="plain-http-to-tls-port",
    title="{server} speaks TLS, but was asked in plain http",
    cause=(
        "The request went to {server} as http://, and the port there answers https only. The client"
        " was told that the registry is insecure, guessed http by itself (private addresses,"
        " .local), or was sent there by an http:// address in an answer; or mitmdump in reverse mode"
        " points to http://."
    ),
    fix=(
        (
            "Remove {server} from insecure-registries in /etc/docker/daemon.json and restart the"
            " daemon; for podman remove insecure = true in registries.conf; for crane and kaniko"
            " leave out --insecure."
        ),
        "If mitmdump runs in reverse mode, start it with --mode reverse:https://{server}.",
        (
            "If the address came from the registry (a Location, or the realm of a challenge), let"
            " its proxy send X-Forwarded-Proto: https."
        ),
    ),
    check=("curl -sv https://{server}/v2/", "docker info | grep -A5 'Insecure Registries'"),
    references=(
        "https://docs.docker.com/reference/cli/dockerd/#insecure-registries",
        "https://github.com/google/go-containerregistry/issues/1405",
    ),
    owner=Owner.CLIENT,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
registry http://registry.test:5000
GET /v2/                     -> 400
  < -Docker-Distribution-Api-Version
  << Client sent an HTTP request to an HTTPS server.
""",
    silent="""
client docker/20.10.24
registry http://registry.test:5000
GET /v2/                     -> 400
  < -Docker-Distribution-Api-Version
  << Bad Request
""",
    also_fires=(
        """
client skopeo/1.14
registry http://registry.test:443
GET /v2/                     -> 400
  < Server: nginx/1.25.3
  < -Docker-Distribution-Api-Version
  << <html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>
""",
    ),
    also_silent=(
        # Both were tried, and https is spoken: what fails later has another cause.
        """
client crane/0.19
registry http://registry.test:5000
GET /v2/                     -> 400
  < -Docker-Distribution-Api-Version
  << Client sent an HTTP request to an HTTPS server.
registry https://registry.test:5000
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 403 DENIED
""",
    ),
)
def plain_http_to_tls_port(operation: Operation, facts: Facts) -> Verdict:
    plain_http = [leg for leg in facts.legs if leg.url.scheme == "http"]
    if not plain_http:
        return DOES_NOT_APPLY
    https = {leg.url.authority for leg in facts.legs if leg.url.scheme == "https" and leg.status}
    legs = ended_by(facts, lambda leg: _is_refused(leg) and not _is_probe(leg, https))
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=legs,
        evidence=(
            Evidence(first, "request.url", "asked in plain http"),
            Evidence(first, "response.body", "the server says that it wants TLS"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"server": host(first.url.authority)},
        count=len(legs),
    )


def _is_refused(leg: Leg) -> bool:
    wants_tls = leg.url.scheme == "http" and leg.status == 400
    return wants_tls and any(words in said(leg) for words in _WORDS)


def _is_probe(leg: Leg, https: set[str]) -> bool:
    """A ping that tried both (go-containerregistry, podman), and found the other one."""
    return leg.kind is Kind.PING and leg.url.authority in https
