"""RT013: the registry has tokens asked for under a name that the token server does not know."""

from __future__ import annotations

from regtrace.diagnose.config.check import Spot, Verdict, Wrong, check
from regtrace.diagnose.config.lookups import lacks_token_side
from regtrace.diagnose.config.traffic import Ruling, Traffic, confirmed, refuted
from regtrace.diagnose.rule import DOES_NOT_APPLY, PASSES, Owner, Severity
from regtrace.wire.settings import SetUp
from regtrace.wire.term import Term, TermKind


def _against(wrong: Wrong, traffic: Traffic) -> Ruling | None:
    service = wrong.spots[0].setting.text
    for leg, _, said in traffic.challenges():
        if said == service:
            return confirmed("the registry's challenge asks for this service", leg)
        return refuted("the registry's challenge asks for another service", leg)
    return None


@check(
    number="RT013",
    slug="service-differs",
    title="GitLab issues no tokens for the service {service}",
    cause=(
        "The registry sends clients to GitLab with service={service} (auth.token.service). GitLab"
        " knows container_registry and dependency_proxy; for any other it answers 404."
    ),
    fix=("Set auth.token.service to container_registry, and restart the registry.",),
    check=("curl -sI 'https://GITLAB/jwt/auth?service=container_registry' | head -1",),
    references=("https://docs.gitlab.com/administration/packages/container_registry/",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    leads_to=("token-endpoint-not-a-token-server", "token-audience-mismatch"),
    fires="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://gitlab.example.com/jwt/auth", service: registry.example.com}}
==> gitlab.rb <==
external_url 'https://gitlab.example.com'
""",
    silent="""
==> config.yml <==
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/registry}}
auth: {token: {realm: "https://gitlab.example.com/jwt/auth", service: container_registry}}
==> gitlab.rb <==
external_url 'https://gitlab.example.com'
""",
    against=_against,
)
def service_differs(setup: SetUp) -> Verdict:
    services = [each.settings.get("auth.token.service") for each in setup.registries]
    if not any(services):
        return DOES_NOT_APPLY
    if not any(side.product == "gitlab" for side in setup.token_sides):
        return lacks_token_side("which services it issues tokens for is not known")
    return (
        tuple(
            Wrong(
                spots=(Spot(each, "what clients ask a token for"),),
                fields={"service": Term(TermKind.SERVICE, each.text)},
            )
            for each in services
            if each and each.text not in {"container_registry", "dependency_proxy"}
        )
        or PASSES
    )
