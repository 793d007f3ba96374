"""RT230: the challenge names another token server than the one that the registry belongs to."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.tokens import Refusal
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
from regtrace.follow.joins import bare, realms_in
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host
from regtrace.wire.url import Url


@rule(
    number="RT230",
    slug="realm-mismatch",
    title="{registry} sends clients to the wrong token server",
    cause=(
        "The challenge of {registry} tells clients to fetch their token from {realm}, while the"
        " token server of this registry is {right}. A token from elsewhere has another issuer and"
        " another key, or there is none to be had."
    ),
    fix=(
        (
            "Set auth.token.realm in the registry's config.yml to {right}, on every replica, and"
            " restart them (Harbor: external_url, then ./prepare; GitLab: external_url)."
        ),
        (
            "If the setting is right, look for a proxy in front that rewrites WWW-Authenticate"
            " (nginx: sub_filter, add_header, proxy_redirect do not belong there)."
        ),
        "If it is the expectations file of this site that is out of date, correct realm there.",
    ),
    check=("curl -si {ping} | grep -i ^www-authenticate",),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#token",
        "https://distribution.github.io/distribution/spec/auth/token/",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    explains=frozenset(
        {
            "auth-loop",
            "bearer-lost-before-registry",
            "challenge-duplicated",
            "dns-failure",
            "realm-internal-host",
            "realm-scheme-downgrade",
            "realm-unreachable",
            "realm-wrong-port",
            "tcp-refused-or-timeout",
            "token-audience-mismatch",
            "token-bad-credentials",
            "token-endpoint-not-a-token-server",
            "token-issuer-mismatch",
            "token-server-error",
            "token-signed-by-untrusted-key",
        }
    ),
    fires="""
client docker/20.10.24
realm https://old-auth.test/token
GET /v2/                     -> 401
token push,pull team/app     -> 200
realm https://auth.test/token
POST uploads                 -> 401 invalid_token    # one replica names another realm
""",
    silent="""
client docker/20.10.24
realm https://old-auth.test/token
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 401 invalid_token
""",
    also_silent=(
        """
client containerd/2.1.4
realm https://auth.test/a
HEAD manifest 1              -> 401
token pull team/app          -> 200
realm https://auth.test/b
HEAD manifest 1              -> 401
token pull team/app          -> 200    # a realm for each replica, and both are good
HEAD manifest 1              -> 200
""",
    ),
)
def realm_mismatch(operation: Operation, facts: Facts) -> Verdict:
    if not facts.realms:
        return DOES_NOT_APPLY
    expected = facts.expected.realm if facts.expected else None
    if expected is not None:
        return _against(bare(expected), facts)
    for refusal in facts.fatal_refusals:
        right = next(iter(realms_in(refusal.leg)), None)
        asked = _asked_at(refusal, facts)
        if right and asked in facts.realms and asked != right and refusal.is_invalid:
            return _fails(facts, asked, right, (refusal.leg,), Confidence.LIKELY)
    return PASSES


def _against(expected: Url, facts: Facts) -> Verdict:
    """What the site says, against what the challenges say."""
    for realm in facts.realms:
        if realm != expected:
            failed = [leg for leg in facts.token_legs(realm) if facts.is_fatal(leg)]
            refused = [r.leg for r in facts.fatal_refusals if _asked_at(r, facts) == realm]
            return _fails(facts, realm, expected, (*failed, *refused), Confidence.CERTAIN)
    return PASSES


def _fails(
    facts: Facts, realm: Url, right: Url, failed: tuple[Leg, ...], confidence: Confidence
) -> Fails:
    challenged = facts.realms[realm]
    evidence = [Evidence(challenged, "response.header.WWW-Authenticate", "names this token server")]
    if failed:
        where = "error" if failed[0].broken else "response.status"
        evidence.append(Evidence(failed[0], where, "what came of going there"))
    return Fails(
        legs=failed or (challenged,),
        evidence=tuple(evidence),
        confidence=confidence,
        transfer=facts.transfer_of(failed[0]) if failed else None,
        fields={
            "registry": host(challenged.url.authority),
            "realm": Term(TermKind.URL, f"{realm.origin}{realm.path}"),
            "right": Term(TermKind.URL, f"{right.origin}{right.path}"),
            "ping": Term(TermKind.URL, f"{challenged.url.origin}/v2/"),
        },
        count=len(failed) or 1,
        severity=None if failed else Severity.WARNING,
    )


def _asked_at(refusal: Refusal, facts: Facts) -> Url | None:
    """Where the client first went for this token, before any redirect."""
    if refusal.grant is None:
        return None
    return bare(facts.asked_by(refusal.grant.leg).url)
