"""RT016: the realm is not where GitLab issues its tokens."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import lacks_token_side, realms
from regtrace.diagnose.config.traffic import Ruling, Traffic, by_realm
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Confidence, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import Term, TermKind, host


def _against(wrong: Wrong, traffic: Traffic) -> Ruling | None:
    return by_realm(wrong.spots[0].setting.text, traffic)


@check(
    number="RT016",
    slug="realm-not-the-token-server",
    title="The realm {realm} is not where GitLab at {gitlab} issues tokens",
    cause=(
        "GitLab issues the registry's tokens at {gitlab}, path /jwt/auth below its own URL. The"
        " registry sends clients to {realm} instead."
    ),
    fix=("Set auth.token.realm to GitLab's external URL and /jwt/auth, and restart the registry.",),
    references=("https://docs.gitlab.com/administration/packages/container_registry/",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("token-endpoint-not-a-token-server", "realm-mismatch", "realm-unreachable"),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://gitlab.example.com/token"}}
==> gitlab.rb <==
external_url 'https://gitlab.example.com'
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://gitlab.example.com/jwt/auth"}}
==> gitlab.rb <==
external_url 'https://gitlab.example.com'
""",
    against=_against,
)
def realm_not_the_token_server(setup: SetUp) -> Verdict:
    said = [realm for _, realm in realms(setup)]
    if not said:
        return DOES_NOT_APPLY
    urls = [
        each
        for side in setup.token_sides
        if side.product == "gitlab" and (each := side.settings.get("url")) and each.url
    ]
    if not urls:
        return lacks_token_side("whether the realm is its address is not known")
    gitlab = urls[0]
    found = []
    for realm in said:
        if realm.url is None or gitlab.url is None or realm.source == gitlab.source:
            continue
        right_path = realm.url.path.endswith("/jwt/auth")
        if not right_path or realm.url.authority != gitlab.url.authority:
            found.append(
                Wrong(
                    spots=(Spot(realm, "where clients are sent"), Spot(gitlab, "where GitLab is")),
                    fields={
                        "realm": Term(TermKind.URL, realm.text),
                        "gitlab": host(gitlab.url.authority),
                    },
                    # Another host may be another name of the same GitLab.
                    confidence=Confidence.POSSIBLE if right_path else Confidence.LIKELY,
                    severity=Severity.WARNING if right_path else None,
                )
            )
    return tuple(found) or PASSES
