"""RT012: the registry expects tokens of another issuer than the token server calls itself."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import lacks_token_side
from regtrace.diagnose.config.traffic import Ruling, Traffic, confirmed, refuted
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import Term, TermKind


def _against(wrong: Wrong, traffic: Traffic) -> Ruling | None:
    expected = wrong.spots[0].setting.text
    for leg, token in traffic.tokens():
        issuer = token.jwt.issuer if token.jwt else None
        if issuer is not None and issuer != expected:
            return confirmed("a token names another issuer than the registry expects", leg)
        if issuer is not None:
            return refuted("the tokens name the issuer that the registry expects", leg)
    return None


@check(
    number="RT012",
    slug="issuer-differs",
    title="The registry expects tokens from {expected}, the token server calls itself {issuer}",
    cause=(
        "The registry refuses a token whose iss is not auth.token.issuer, letter by letter. The"
        " token server writes {issuer} into its tokens, the registry expects {expected}."
    ),
    fix=(
        (
            "Set auth.token.issuer of the registry to {issuer}, or the token server's issuer to"
            " {expected} (gitlab.rb: gitlab_rails['registry_issuer']; gitlab.yml: registry.issuer), and"
            " restart what you changed."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#token",
        "https://docs.gitlab.com/administration/packages/container_registry/",
    ),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("token-issuer-mismatch",),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://gitlab.example.com/jwt/auth", issuer: gitlab-issuer}}
==> gitlab.rb <==
external_url 'https://gitlab.example.com'
gitlab_rails['registry_issuer'] = 'omnibus-gitlab-issuer'
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://gitlab.example.com/jwt/auth", issuer: omnibus-gitlab-issuer}}
==> gitlab.rb <==
external_url 'https://gitlab.example.com'
gitlab_rails['registry_issuer'] = 'omnibus-gitlab-issuer'
""",
    also_silent=(
        # Worked out when GitLab is configured: it may be the same.
        """
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://gitlab.example.com/jwt/auth", issuer: gitlab-issuer}}
==> gitlab.rb <==
gitlab_rails['registry_issuer'] = ENV['ISSUER']
""",
    ),
    against=_against,
)
def issuer_differs(setup: SetUp) -> Verdict:
    expected = [each.settings.get("auth.token.issuer") for each in setup.registries]
    said = [side.settings.get("issuer") for side in setup.token_sides]
    issuer = next((each for each in said if each), None)
    if not any(expected):
        return DOES_NOT_APPLY
    if issuer is None:
        return lacks_token_side("whether both sides name the same issuer is not known")
    return (
        tuple(
            Wrong(
                spots=(Spot(each, "the registry accepts only this one"), Spot(issuer, "who signs")),
                fields={
                    "expected": Term(TermKind.SERVICE, each.text),
                    "issuer": Term(TermKind.SERVICE, issuer.text),
                },
            )
            for each in expected
            if each and each.text != issuer.text
        )
        or PASSES
    )
