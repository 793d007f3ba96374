"""RT220: a proxy in front asks for its own login on top of the registry's."""

from __future__ import annotations

from collections.abc import Mapping

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import is_registrys_own, is_somebody_elses
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
from regtrace.wire.term import Term, TermKind, host


@rule(
    number="RT220",
    slug="basic-challenge-from-proxy",
    title="A proxy in front of {registry} asks for its own password besides the registry's token",
    cause=(
        "{registry} asks for a Bearer token on some requests and for a user name and password"
        " (Basic) on others: a proxy in front has a login of its own. A request has one"
        " Authorization header, so it can satisfy one of the two, never both."
    ),
    fix=(
        (
            "Let only one of them ask. nginx: auth_basic off; in the location of /v2/ and of the"
            " token path. Apache: Require all granted there. Traefik: no basicAuth middleware."
        ),
        "Or switch the registry's own login off (auth in its config.yml), and keep the proxy's.",
    ),
    check=("curl -si {ping} | grep -i ^www-authenticate",),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_auth_basic_module.html",
        "https://distribution.github.io/distribution/recipes/nginx/",
        "https://github.com/distribution/distribution/issues/1167",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(Kind),
    explains=frozenset({"token-bad-credentials", "bearer-lost-before-registry", "auth-loop"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401 nginx
  < WWW-Authenticate: Basic realm="Restricted"
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401    # the registry's own voice: Harbor answers so
  < WWW-Authenticate: Basic realm="harbor"
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401 nginx
  < WWW-Authenticate: Basic realm="Restricted"
POST uploads                 -> 401
  > Authorization: Basic YWxpY2U6cHc=
""",
    ),
    also_silent=(
        """
client docker/20.10.24
registry https://registry.test basic
GET /v2/                     -> 401 nginx
  < WWW-Authenticate: Basic realm="Restricted"
GET /v2/ auth                -> 401 nginx
  < WWW-Authenticate: Basic realm="Restricted"
""",
    ),
)
def basic_challenge_from_proxy(operation: Operation, facts: Facts) -> Verdict:
    refused = [f.leg for f in facts.fatal if f.leg.status == 401 and f.leg.credentials]
    refused = [leg for leg in refused if leg.kind not in {Kind.TOKEN, Kind.STORAGE}]
    if not refused:
        return DOES_NOT_APPLY
    logins = _logins(facts)
    mixed = [(leg, other) for leg in refused if (other := _other_login(leg, logins)) is not None]
    if not mixed:
        return PASSES
    first, other = mixed[0]
    certain = is_somebody_elses(first) or is_somebody_elses(other)
    return Fails(
        legs=tuple(leg for leg, _ in mixed),
        evidence=(
            Evidence(other, "response.header.WWW-Authenticate", "one way to log in"),
            Evidence(first, "response.header.WWW-Authenticate", "and another one, here"),
            Evidence(first, "response.status", "what satisfied the one was refused by the other"),
        ),
        confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "ping": Term(TermKind.URL, f"{first.url.origin}/v2/"),
        },
        count=len(mixed),
    )


def _logins(facts: Facts) -> dict[tuple[str, str, bool], Leg]:
    """Host, the one scheme that it asks for, in whose voice → the first answer that does so."""
    logins: dict[tuple[str, str, bool], Leg] = {}
    for leg in facts.legs:
        schemes = _schemes(leg)
        if len(schemes) == 1:
            place = (leg.url.authority, schemes.pop(), is_registrys_own(leg))
            logins.setdefault(place, leg)
    return logins


def _other_login(leg: Leg, logins: Mapping[tuple[str, str, bool], Leg]) -> Leg | None:
    """An answer of the same host that asks for what the client sent, where this one asks for the
    other scheme; who asks for Basic is not the registry."""
    asked, sent = _schemes(leg), leg.credentials.scheme if leg.credentials else ""
    if (asked, sent) == ({"bearer"}, "basic"):
        return logins.get((leg.url.authority, "basic", False))
    if (asked, sent) != ({"basic"}, "bearer") or is_registrys_own(leg):
        return None
    voices = (logins.get((leg.url.authority, "bearer", own)) for own in (True, False))
    return next((other for other in voices if other), None)


def _schemes(leg: Leg) -> set[str]:
    return {challenge.scheme for challenge in leg.challenges}
