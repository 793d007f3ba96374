"""RT207: user name and password, or the stored login, are refused."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, is_error_page, said
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
from regtrace.wire.term import host, plain


@rule(
    number="RT207",
    slug="token-bad-credentials",
    title="{server} refuses {login}",
    cause=(
        "The client sent {login} and {server} answered {status}: it does not know this user, or the"
        " password or access token is wrong, revoked or has run out.{hint} docker says:"
        " unauthorized: incorrect username or password, or authentication required."
    ),
    fix=(
        (
            "Log in again for exactly this host: docker logout {registry}, then docker login"
            " {registry}. Use the user name, not the e-mail address, and an access token in the"
            " password's place; with two-factor login or single sign-on nothing else works."
        ),
        (
            "In scripts use --password-stdin, and put the password into single quotes: a $ or a"
            " line break at its end becomes another password."
        ),
        (
            "See where the login is stored: credHelpers, credsStore and auths in"
            " ~/.docker/config.json of the user that runs the client (root, for sudo and CI), under"
            " the key {registry}."
        ),
    ),
    check=("docker login {registry}",),
    references=(
        "https://docs.docker.com/reference/cli/docker/login/",
        "https://distribution.github.io/distribution/spec/auth/token/",
        "https://github.com/docker/hub-feedback/issues/935",
    ),
    owner=Owner.USER,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 401
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token anonymous push,pull team/app -> 401    # nobody logged in
""",
    also_fires=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token                        -> 401
""",
        """
client docker/24.0.7
registry https://registry.test basic
GET /v2/                     -> 401
GET /v2/ auth                -> 401
""",
        """
client containerd/2.1.4
HEAD manifest 1              -> 401
token POST pull team/app     -> 401
token pull team/app          -> 401
""",
        """
client docker/24.0.7
GET /v2/                     -> 401
token POST push,pull team/app -> 400
  << {"error":"invalid_grant","error_description":"the refresh token is not valid"}
""",
    ),
    also_silent=(
        """
client containerd/2.1.4
HEAD manifest 1              -> 401
token POST pull team/app     -> 401
token pull team/app          -> 200    # knows only the other form
HEAD manifest 1              -> 200
""",
        """
client docker/24.0.7
GET /v2/                     -> 401
token                        -> 401
token                        -> 200    # typed right the second time
GET /v2/ auth                -> 200
""",
        """
client docker/24.0.7
registry https://registry.test basic
GET /v2/                     -> 401
GET /v2/ auth                -> 200
""",
    ),
)
def token_bad_credentials(operation: Operation, facts: Facts) -> Verdict:
    logins = [leg for leg in facts.legs if _carries_login(leg)]
    if not logins:
        return DOES_NOT_APPLY
    refused = [leg for leg in logins if facts.is_fatal(leg) and _is_refused(leg)]
    if not refused:
        return PASSES
    first = refused[0]
    kept = first.token_request is not None and first.token_request.credentials == "refresh_token"
    evidence = [Evidence(first, "response.status", "the login was refused")]
    if first.token_request is None or first.token_request.credentials == "basic":
        why = "the client sent a user name and a password"
        evidence.insert(0, Evidence(first, "request.header.Authorization", why))
    if said(first):
        evidence.append(Evidence(first, "response.body", "what the server says of it"))
    return Fails(
        legs=tuple(refused),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if _is_judge(first) else Confidence.LIKELY,
        fields={
            "server": host(first.url.authority),
            "registry": host(facts.registry_host),
            "login": plain("the stored login" if kept else "the user name or password"),
            "status": plain(first.status),
            "hint": plain(_hint(first)),
        },
        count=len(refused),
    )


def _carries_login(leg: Leg) -> bool:
    if leg.token_request is not None:
        return leg.token_request.credentials != "none"
    return leg.kind is not Kind.STORAGE and bool(
        leg.credentials and leg.credentials.scheme == "basic"
    )


def _is_refused(leg: Leg) -> bool:
    if leg.status == 400:
        return leg.kind is Kind.TOKEN and "invalid_grant" in codes(leg)
    # Who asks for a token instead has not judged the password.
    other = leg.kind is not Kind.TOKEN and {c.scheme for c in leg.challenges} == {"bearer"}
    return leg.status == 401 and not other


def _is_judge(leg: Leg) -> bool:
    """No page of who knows whom, and no other login offered beside."""
    page = is_error_page(leg) and leg.product is None
    return not page and "bearer" not in {challenge.scheme for challenge in leg.challenges}


def _hint(leg: Leg) -> str:
    if "personal access token" in said(leg):
        return " It asks for a personal access token in the password's place."
    return ""
