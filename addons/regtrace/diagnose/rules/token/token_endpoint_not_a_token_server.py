"""RT205: where clients fetch their token, something else answers."""

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
from regtrace.follow.story import Chain, Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain


@rule(
    number="RT205",
    slug="token-endpoint-not-a-token-server",
    title="{server} answers a token request with something that is no token ({answer})",
    cause=(
        "The client asked {server} for a token and got {answer}. {way} docker says: unable to decode"
        " token response: invalid character '<'."
    ),
    fix=(
        (
            "Exempt the token path from single sign-on and forward-auth (oauth2-proxy:"
            " --skip-auth-route, Traefik: a router without the middleware); the token server checks"
            " logins itself."
        ),
        (
            "Route the path of the realm to the token server in every proxy in front (Harbor:"
            " /service/token to core, GitLab: /jwt/auth to GitLab itself), by the host name that"
            " clients use."
        ),
        "If the path itself is wrong, correct auth.token.realm in the registry's config.yml.",
    ),
    check=("curl -siL -u USER '{realm}' | head",),
    references=(
        "https://distribution.github.io/distribution/spec/auth/token/",
        "https://github.com/GoogleContainerTools/kaniko/issues/3146",
        "https://github.com/cesanta/docker_auth/issues/184",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset({Kind.TOKEN}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
  < Content-Type: text/html
  << <!DOCTYPE html><html><title>Sign in</title></html>
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
  < Content-Type: text/html
  << {"token": "opaque"}
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 302
  < Location: https://sso.test/login?next=token
GET https://sso.test/login?next=token -> 200
  < Content-Type: text/html
  << <!DOCTYPE html><html><title>Sign in</title></html>
""",
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 404 nginx
""",
    ),
    also_silent=(
        """
client containerd/2.1.4
HEAD manifest 1              -> 401
token POST pull team/app     -> 404 nginx
token pull team/app          -> 200    # knows only the other form
HEAD manifest 1              -> 200
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 502 nginx
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
  << ?
POST uploads                 -> 202
""",
    ),
)
def token_endpoint_not_a_token_server(operation: Operation, facts: Facts) -> Verdict:
    asked = [chain for _, chain in facts.chains if chain.first.kind is Kind.TOKEN]
    if not asked:
        return DOES_NOT_APPLY
    strange = [c for c in asked if facts.is_fatal(c.last) and _is_something_else(c.last)]
    if not strange:
        return PASSES
    first = strange[0]
    evidence = [Evidence(first.first, "request.url", "a token was asked for")]
    if len(first.legs) > 1:
        where = "response.header.Location"
        evidence.append(Evidence(first.first, where, "and the client sent elsewhere"))
    evidence.append(Evidence(first.last, "response.status", "how that ended"))
    if first.last.exchange.response and first.last.exchange.response.body.size:
        evidence.append(Evidence(first.last, "response.body", "no token, and no JSON object"))
    page = first.last.brought_no_token
    return Fails(
        legs=tuple(chain.last for chain in strange),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if page else Confidence.LIKELY,
        fields={
            "server": host(first.first.url.authority),
            "realm": Term(TermKind.URL, f"{first.first.url.origin}{first.first.url.path}"),
            "answer": plain("a page" if page else f"status {first.last.status}"),
            "way": plain(_way(first)),
        },
        count=len(strange),
    )


def _way(chain: Chain) -> str:
    if len(chain.legs) > 1:
        return "It was redirected, most likely to a login page that is meant for people."
    return "A web page or a proxy is at the path that the registry's realm names."


def _is_something_else(leg: Leg) -> bool:
    if leg.brought_no_token:
        return leg.token_reply is None
    page = leg.error is not None and leg.error.dialect in {"html", "text", "empty"}
    return leg.status in {404, 405} and page
