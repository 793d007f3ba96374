"""RT203: the registry speaks https and sends clients to its token server by http."""

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
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.wire.hosts import Reach, reach
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain
from regtrace.wire.url import Url

#: What a server says that wanted https, or another address.
_WRONG_SCHEME = frozenset({301, 302, 307, 308, 400, 405, 426, 497})


@rule(
    number="RT203",
    slug="realm-scheme-downgrade",
    title="{registry} speaks https, but its realm begins with http:// ({harm})",
    cause=(
        "The challenge of {registry} tells clients to fetch their token from {realm}. TLS ends at a"
        " proxy in front that does not tell the registry so, or the realm is set wrong. {effect}"
    ),
    fix=(
        (
            "Begin the realm with https://: auth.token.realm in the registry's config.yml (Harbor:"
            " external_url; GitLab: external_url)."
        ),
        (
            "If the realm is made from the request (auth.token.autoredirect), let the proxy that"
            " ends TLS send X-Forwarded-Proto: https; nginx: proxy_set_header X-Forwarded-Proto"
            " https;."
        ),
    ),
    check=("curl -si {ping} | grep -i ^www-authenticate",),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#token",
        "https://github.com/goharbor/harbor/issues/709",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    explains=frozenset(
        {
            "realm-unreachable",
            "plain-http-to-tls-port",
            "token-endpoint-not-a-token-server",
            "token-server-error",
        }
    ),
    fires="""
client docker/20.10.24
realm http://auth.test:443/token
GET /v2/                     -> 401
token push,pull team/app     -> ! server closed connection
""",
    silent="""
client docker/20.10.24
realm https://auth.test:443/token
GET /v2/                     -> 401
token push,pull team/app     -> ! server closed connection
""",
    also_fires=(
        """
client docker/20.10.24
realm http://auth.test:443/token
GET /v2/                     -> 401
token push,pull team/app     -> 400 nginx
""",
        """
client docker/20.10.24
realm http://auth.test/token
GET /v2/                     -> 401
token push,pull team/app     -> 200    # works, with the password for all to read
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
    also_silent=(
        """
client docker/20.10.24
realm http://auth.test/token
GET /v2/                     -> 401
token anonymous pull team/app -> 200
HEAD manifest 1              -> 200
""",
        """
client docker/20.10.24
registry http://registry.test:5000
realm http://auth.test/token
GET /v2/                     -> 401
token push,pull team/app     -> ! server closed connection    # no TLS anywhere
""",
    ),
)
def realm_scheme_downgrade(operation: Operation, facts: Facts) -> Verdict:
    downgraded = [
        (realm, leg)
        for realm, leg in facts.realms.items()
        if (leg.url.scheme, realm.scheme) == ("https", "http")
    ]
    if not downgraded:
        return DOES_NOT_APPLY
    for realm, challenged in downgraded:
        asked = facts.token_legs(realm)
        failed = tuple(leg for leg in asked if facts.is_fatal(leg) and _wants_https(leg))
        in_clear = tuple(leg for leg in asked if _is_in_clear(leg))
        alone = operation.ending is Ending.INCOMPLETE and not asked
        if failed or in_clear or (alone and not any(leg.bearer for leg in facts.legs)):
            return _fails(realm, challenged, failed, in_clear)
    return PASSES


def _fails(
    realm: Url, challenged: Leg, failed: tuple[Leg, ...], in_clear: tuple[Leg, ...]
) -> Fails:
    legs = failed or in_clear or (challenged,)
    evidence = [
        Evidence(challenged, "request.url", "the registry is asked by https"),
        Evidence(challenged, "response.header.WWW-Authenticate", "the realm begins with http"),
    ]
    if failed:
        where = "error" if failed[0].broken else "response.status"
        evidence.append(Evidence(failed[0], where, "what came of it there"))
    elif in_clear:
        why = "user name and password went over the network unencrypted"
        evidence.append(Evidence(in_clear[0], "request.url", why))
    harm, effect = _HARMS["failed" if failed else "in clear" if in_clear else "unknown"]
    return Fails(
        legs=legs,
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if failed or in_clear else Confidence.LIKELY,
        fields={
            "registry": host(challenged.url.authority),
            "realm": Term(TermKind.URL, f"{realm.origin}{realm.path}"),
            "ping": Term(TermKind.URL, f"{challenged.url.origin}/v2/"),
            "harm": plain(harm),
            "effect": plain(effect),
        },
        count=len(legs),
        severity=None if failed else Severity.WARNING,
    )


_HARMS = {
    "failed": (
        "no token can be fetched",
        "There the plain request fails, so nothing can be pushed or pulled.",
    ),
    "in clear": (
        "the login goes over the network unencrypted",
        "It works, but everybody on the way can read the user's password.",
    ),
    "unknown": (
        "no token was fetched",
        "No request to it was seen; without HTTP_PROXY a client goes there past this proxy.",
    ),
}


def _wants_https(leg: Leg) -> bool:
    return (leg.broken and not leg.failed_at_proxy) or leg.status in _WRONG_SCHEME


def _is_in_clear(leg: Leg) -> bool:
    sent = leg.token_request is not None and leg.token_request.credentials != "none"
    return sent and reach(leg.url.host) is not Reach.LOOPBACK
