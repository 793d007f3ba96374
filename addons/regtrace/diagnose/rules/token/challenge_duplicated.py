"""RT221: one answer asks for two different logins, and the client chose the wrong one."""

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
from regtrace.follow.joins import bare, realms_in
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.registry import Registry
from regtrace.wire.term import Term, TermKind, host

#: They have one kind of login; others (Gitea, Artifactory, Nexus) offer and take both.
_HAVE_ONE = frozenset({Registry.DISTRIBUTION, Registry.GITLAB})


@rule(
    number="RT221",
    slug="challenge-duplicated",
    title="{registry} asks for two different logins at once, and the client tried one in vain",
    cause=(
        "One answer of {registry} has several WWW-Authenticate challenges that differ: the"
        " registry's own, and one that a proxy in front has added. Clients choose differently"
        " (containerd prefers Bearer, podman takes the first), so some work and others fail."
    ),
    fix=(
        (
            "Remove the challenge that the registry did not write from the proxy in front. nginx:"
            " auth_basic off; and no add_header WWW-Authenticate in the location of /v2/."
        ),
        "If the realm differs, leave only the one at which a token is really given.",
    ),
    check=("curl -si {ping} | grep -i ^www-authenticate",),
    references=(
        "https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1",
        "https://github.com/distribution/distribution/issues/1167",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(Kind),
    explains=frozenset(
        {
            "basic-challenge-from-proxy",
            "dns-failure",
            "realm-unreachable",
            "tcp-refused-or-timeout",
            "token-bad-credentials",
            "token-endpoint-not-a-token-server",
        }
    ),
    fires="""
client docker/20.10.24
realm https://old-auth.test/token
GET /v2/                     -> 401
  < +WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"
CONNECT old-auth.test:443    -> ! [Errno -2] Name or service not known
""",
    silent="""
client docker/20.10.24
realm https://old-auth.test/token
GET /v2/                     -> 401
CONNECT old-auth.test:443    -> ! [Errno -2] Name or service not known
""",
    also_fires=(
        """
client podman/4.9
realm https://gitlab.test/jwt/auth service=container_registry
GET /v2/                     -> 401
  < WWW-Authenticate: Basic realm="Restricted"
  < +WWW-Authenticate: Bearer realm="https://gitlab.test/jwt/auth",service="container_registry"
GET manifest 1               -> 401
  > Authorization: Basic YWxpY2U6cHc=
""",
        """
client podman/4.9
GET /v2/                     -> 401
  < WWW-Authenticate: Basic realm="Restricted"
  < +WWW-Authenticate: Bearer realm="https://auth.test/token",service="registry.test"
GET manifest 1               -> 401
  > Authorization: Basic YWxpY2U6cHc=
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
  < +WWW-Authenticate: Basic realm="Restricted"
token pull team/app          -> 200
HEAD manifest 1              -> 404    # the login was good
GET manifest 1               -> 404
""",
        """
client docker/20.10.24
realm https://registry.test/v2/token service=container_registry
GET /v2/                     -> 401    # Gitea
  < +WWW-Authenticate: Basic realm="Gitea Container Registry"
token pull team/app          -> 401
""",
    ),
)
def challenge_duplicated(operation: Operation, facts: Facts) -> Verdict:
    doubled = [leg for leg in facts.legs if _differ(leg)]
    if not doubled:
        return DOES_NOT_APPLY
    failed = [
        fatal.leg
        for fatal in facts.fatal
        if _went_to_a_realm(fatal.leg, doubled[0])
        or (
            _sent_a_password(fatal.leg, doubled[0])
            and (facts.product in _HAVE_ONE or _wants_a_token(fatal.leg))
        )
    ]
    if not failed:
        return PASSES
    where = "error" if failed[0].broken else "response.status"
    return Fails(
        legs=tuple(failed),
        evidence=(
            Evidence(doubled[0], "response.header.WWW-Authenticate", "two challenges that differ"),
            Evidence(failed[0], where, "what came of the one that the client followed"),
        ),
        confidence=Confidence.LIKELY,
        transfer=facts.transfer_of(failed[0]),
        fields={
            "registry": host(doubled[0].url.authority),
            "ping": Term(TermKind.URL, f"{doubled[0].url.origin}/v2/"),
        },
        count=len(failed),
    )


def _differ(leg: Leg) -> bool:
    """Basic besides Bearer, or two realms."""
    ways = {(c.scheme, c.realm if c.scheme == "bearer" else None) for c in leg.challenges}
    return len({way for way in ways if way[0] in {"basic", "bearer"}}) > 1


def _went_to_a_realm(leg: Leg, doubled: Leg) -> bool:
    """Whether the client asked one of several token servers in vain."""
    realms = realms_in(doubled)
    there = bare(leg.url) in realms
    if leg.kind is Kind.CONNECT:
        there = leg.url.authority in {realm.authority for realm in realms}
    lost = leg.broken and not leg.failed_at_proxy
    refused = lost or leg.brought_no_token or leg.status in {401, 403, 404}
    return len(realms) > 1 and there and refused


def _wants_a_token(leg: Leg) -> bool:
    """And nothing else, whatever was offered before."""
    return {challenge.scheme for challenge in leg.challenges} == {"bearer"}


def _sent_a_password(leg: Leg, doubled: Leg) -> bool:
    basic = leg.credentials is not None and leg.credentials.scheme == "basic"
    there = leg.endpoint is not None and leg.url.authority == doubled.url.authority
    return leg.status == 401 and basic and there and leg.started > doubled.started
