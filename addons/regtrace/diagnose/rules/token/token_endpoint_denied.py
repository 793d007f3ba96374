"""RT209: the token server knows the user, and forbids."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import is_error_page, said
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
from regtrace.follow.strands import repository_of
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain


@rule(
    number="RT209",
    slug="token-endpoint-denied",
    title="The token server {server} forbids this account the access it asked for (403)",
    cause=(
        "The client asked for a token for {repository}, with a login, and the token server answered"
        " 403: this account has no rights there at all, or the registry is switched off for the"
        " project. Without a token nothing can be pushed or pulled."
    ),
    fix=(
        (
            "Check the image's name, and that the project and its container registry exist"
            " (GitLab: Settings, General, Visibility, Container registry)."
        ),
        (
            "Give the account a role in the project, or its deploy token the scopes read_registry"
            " and write_registry. GitHub: give the account access to the package."
        ),
        "Log in as an account that has them: docker login {registry}.",
    ),
    references=(
        "https://distribution.github.io/distribution/spec/auth/token/",
        "https://docs.gitlab.com/user/project/deploy_tokens/",
        "https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-login",
    ),
    owner=Owner.TOKEN_SERVER,
    needs=frozenset({Kind.TOKEN}),
    fires="""
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app     -> 403
  << {"errors":[{"code":"DENIED","message":"access forbidden"}]}
""",
    silent="""
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app     -> 403 nginx    # not the token server's voice
""",
    also_fires=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 403
  < Content-Type: text/html
  << <!DOCTYPE html><html><head><title>Forbidden (403)</title></head></html>
""",
    ),
    also_silent=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token anonymous pull team/app -> 403
""",
    ),
)
def token_endpoint_denied(operation: Operation, facts: Facts) -> Verdict:
    asked = [leg for leg in facts.legs if leg.kind is Kind.TOKEN]
    if not asked:
        return DOES_NOT_APPLY
    denied = [leg for leg in asked if facts.is_fatal(leg) and _is_denied(leg)]
    if not denied:
        return PASSES
    first = denied[0]
    repository = repository_of([first])
    evidence = [
        Evidence(first, "request.url", "what the client asked for"),
        Evidence(first, "response.status", "forbidden"),
    ]
    if said(first):
        evidence.append(Evidence(first, "response.body", "what the token server says"))
    return Fails(
        legs=tuple(denied),
        evidence=tuple(evidence),
        confidence=Confidence.LIKELY if is_error_page(first) else Confidence.CERTAIN,
        fields={
            "server": host(first.url.authority),
            "registry": host(facts.registry_host),
            "repository": Term(TermKind.REPOSITORY, repository) if repository else plain("a login"),
        },
        count=len(denied),
    )


def _is_denied(leg: Leg) -> bool:
    """403 to somebody who said who he is; not by a page that a proxy signs."""
    known = leg.token_request is not None and leg.token_request.credentials != "none"
    anothers = is_error_page(leg) and leg.answerer is not None
    return leg.status == 403 and known and not anothers
