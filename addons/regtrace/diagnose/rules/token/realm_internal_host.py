"""RT202: a public registry names a token server that only its own network knows."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Severity,
    Verdict,
    rule,
)
from regtrace.follow.joins import bare
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host
from regtrace.wire.url import parse_url


@rule(
    number="RT202",
    slug="realm-internal-host",
    title="{registry} sends clients to a token server address that they can't use",
    cause=(
        "{registry} was reached under a public name, but its challenge tells clients to fetch their"
        " token from {realm}: a name or address of its own network, or no URL at all. Clients"
        " outside can't go there, and stop before they have asked for anything."
    ),
    fix=(
        (
            "Set the realm to the address that clients use: auth.token.realm in the registry's"
            " config.yml (Harbor: external_url in harbor.yml, then ./prepare; GitLab: external_url"
            " and registry_external_url)."
        ),
        (
            "If the address is made from the request (auth.token.autoredirect), let the proxy in"
            " front pass the Host header, X-Forwarded-Host and X-Forwarded-Proto on."
        ),
    ),
    check=("curl -si {ping} | grep -i ^www-authenticate",),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#token",
        "https://distribution.github.io/distribution/spec/auth/token/",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    explains=frozenset({"realm-unreachable", "realm-scheme-downgrade", "dns-failure"}),
    fires="""
client docker/20.10.24
registry https://registry.example.com
realm https://core.harbor.svc.cluster.local/service/token
GET /v2/                     -> 401
CONNECT core.harbor.svc.cluster.local:443 -> ! [Errno -2] Name or service not known
""",
    silent="""
client docker/20.10.24
registry https://registry.corp
realm https://core.harbor.svc.cluster.local/service/token
GET /v2/                     -> 401
CONNECT core.harbor.svc.cluster.local:443 -> ! [Errno -2] Name or service not known
""",
    also_fires=(
        """
client docker/20.10.24
registry https://registry.example.com
realm http://127.0.0.1:5001/auth
GET /v2/                     -> 401
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
  < WWW-Authenticate: Bearer realm="/service/token",service="harbor-registry"
""",
    ),
    also_silent=(
        """
client docker/20.10.24
registry https://registry.example.com
realm https://auth.internal/token
GET /v2/                     -> 401
token pull team/app          -> 200    # this client is inside too
HEAD manifest 1              -> 200
GET manifest 1               -> 200
""",
        # Reached, and cut off: the scheme is wrong, not the name.
        """
client podman/5.29.2
registry https://registry.example.com
realm http://auth.internal:5443/token
GET /v2/                     -> 401
token pull team/app          -> ! server closed connection
""",
        """
client docker/20.10.24
registry https://registry.example.com
GET /v2/                     -> 401
  < WWW-Authenticate: Bearer realm="https://auth.example.com/token",service="container_registry"
""",
    ),
)
def realm_internal_host(operation: Operation, facts: Facts) -> Verdict:
    challenged = [
        (leg, challenge.realm)
        for leg in facts.legs
        for challenge in leg.challenges
        if challenge.scheme == "bearer" and challenge.realm
    ]
    if not challenged:
        return DOES_NOT_APPLY
    strange = [(leg, realm) for leg, realm in challenged if _is_out_of_reach(leg, realm)]
    if not strange or operation.ending is Ending.OK or any(leg.bearer for leg in facts.legs):
        return PASSES
    first, realm = strange[0]
    url = parse_url(realm)
    asked = facts.token_legs(bare(url)) if url else ()
    if any(leg.status is not None or leg.exchange.connection.server_host for leg in asked):
        return PASSES  # it was reached: this client is inside as well
    if any(leg.failed_at_proxy for leg in asked):
        return PASSES  # that a proxy on the way out was in the way says nothing of the address
    failed = tuple(leg for leg in asked if facts.is_fatal(leg))
    if not failed and operation.ending is Ending.FAILED:
        return PASSES  # it failed before it had to go there
    evidence = [Evidence(first, "response.header.WWW-Authenticate", "names the token server")]
    if failed:
        evidence.append(Evidence(failed[0], "error", "it was not reached"))
    return Fails(
        legs=failed or (first,),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if failed or url is None else Confidence.LIKELY,
        fields={
            "registry": host(first.url.authority),
            "realm": Term(TermKind.URL, f"{url.origin}{url.path}" if url else realm),
            "ping": Term(TermKind.URL, f"{first.url.origin}/v2/"),
        },
        count=len(failed) or 1,
        severity=None if failed else Severity.WARNING,
    )


def _is_out_of_reach(leg: Leg, realm: str) -> bool:
    url = parse_url(realm)
    if url is None:
        return True
    return reach(leg.url.host) is Reach.PUBLIC and reach(url.host) is not Reach.PUBLIC
