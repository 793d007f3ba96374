"""RT222: 401 without a word on how to log in."""

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
from regtrace.wire.term import Term, TermKind, host


@rule(
    number="RT222",
    slug="challenge-missing",
    title="{registry} answers 401 without saying how to log in (no WWW-Authenticate)",
    cause=(
        "The client came without credentials, as it always does at first, and {registry} answered"
        " 401 without the header WWW-Authenticate. So the client does not know whether to send a"
        " password or where to get a token, and stops."
    ),
    fix=(
        (
            "Pass the header through in the proxy in front: no proxy_hide_header WWW-Authenticate,"
            " and no proxy_intercept_errors on or error_page 401 for /v2/ in nginx."
        ),
        (
            "If the proxy itself asks for the login (single sign-on, forward-auth), exempt /v2/ and"
            " the token path from it."
        ),
    ),
    check=("curl -si {ping} | grep -i ^www-authenticate",),
    references=(
        "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_intercept_errors",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401 none
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
""",
    also_fires=(
        """
client containerd/2.1.4
HEAD manifest 1              -> 401 nginx
""",
    ),
    also_silent=(
        """
client crane/0.19.1
GET /v2/                     -> 401
HEAD manifest 1              -> 401 none    # it knows the way from the ping
token pull team/app          -> 200
HEAD manifest 1              -> 200
""",
    ),
)
def challenge_missing(operation: Operation, facts: Facts) -> Verdict:
    refused = [fatal.leg for fatal in facts.fatal if _is_bare(fatal.leg)]
    if not refused:
        return DOES_NOT_APPLY
    first = refused[0]
    authority = first.url.authority
    if any(leg.challenges and leg.url.authority == authority for leg in facts.legs):
        return PASSES  # another answer had told it
    return Fails(
        legs=tuple(refused),
        evidence=(
            Evidence(first, "response.status", "a login is wanted"),
            Evidence(first, "response.header.WWW-Authenticate", "and nobody says which"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(authority),
            "ping": Term(TermKind.URL, f"{first.url.origin}/v2/"),
        },
        count=len(refused),
    )


def _is_bare(leg: Leg) -> bool:
    return (
        leg.endpoint is not None
        and leg.status == 401
        and not leg.challenges
        and leg.credentials is None
    )
