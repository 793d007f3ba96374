"""RT231: the token server itself failed."""

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
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain
from regtrace.wire.transport import Failure, in_words


@rule(
    number="RT231",
    slug="token-server-error",
    title="The token server {server} failed: {how}",
    cause=(
        "The client asked {server} for a token: {how}. The token server, or the user directory or"
        " database behind it, has a fault of its own. Without a token the registry can't be asked."
    ),
    fix=(
        (
            "Look into the token server's log at this time (Harbor: docker compose logs core;"
            " GitLab: gitlab-ctl tail gitlab-rails), and mend what it names."
        ),
        "Check that what it depends on answers: its LDAP or OpenID provider, its database, a disk.",
    ),
    check=("curl -i -u USER {realm}",),
    references=("https://distribution.github.io/distribution/spec/auth/token/",),
    owner=Owner.TOKEN_SERVER,
    needs=frozenset({Kind.TOKEN}),
    fires="""
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app     -> 500
  << {"error": "ldap: connection refused"}
""",
    silent="""
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app     -> 502 nginx    # a proxy's page: it did not come that far
""",
    also_fires=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app     -> ! server closed connection
""",
    ),
    also_silent=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app     -> 500
  << {"error": "ldap: connection refused"}
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [L1]          -> 201
""",
    ),
)
def token_server_error(operation: Operation, facts: Facts) -> Verdict:
    asked = [leg for leg in facts.legs if leg.kind is Kind.TOKEN]
    if not asked:
        return DOES_NOT_APPLY
    failed = [leg for leg in asked if facts.is_fatal(leg) and _is_its_own(leg)]
    if not failed:
        return PASSES
    first = failed[0]
    where = "error" if first.broken else "response.status"
    return Fails(
        legs=tuple(failed),
        evidence=(Evidence(first, where, "a fault of the server"),),
        confidence=Confidence.LIKELY if first.broken else Confidence.CERTAIN,
        fields={
            "server": host(first.url.authority),
            "how": plain(_how(first)),
            "realm": Term(TermKind.URL, f"{first.url.origin}{first.url.path}"),
        },
        count=len(failed),
    )


def _how(leg: Leg) -> str:
    if leg.broken:
        return in_words(leg.failure or Failure.OTHER)
    return f"it answered {leg.status}"


def _is_its_own(leg: Leg) -> bool:
    """5xx that is no page of a proxy in front, or a connection that it cut."""
    if leg.broken:
        return leg.failure is Failure.CUT
    page = leg.error is not None and leg.error.dialect == "html"
    return leg.status is not None and leg.status >= 500 and leg.answerer is None and not page
