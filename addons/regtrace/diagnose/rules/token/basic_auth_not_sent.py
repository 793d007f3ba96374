"""RT224: the registry asks for a password, and the client has none for it."""

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
from regtrace.wire.client import Family
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.registry import Registry
from regtrace.wire.term import host, plain


@rule(
    number="RT224",
    slug="basic-auth-not-sent",
    title="The client has no login for {registry} and stopped at its challenge",
    cause=(
        "{registry} asks for a user name and password (Basic), and the client did not come back"
        " with any: it has none stored for this host. docker says: no basic auth credentials."
    ),
    fix=(
        "{login}",
        (
            "Log in as the user that runs the client, with the host exactly as in the image's name;"
            " root, sudo and CI jobs have a config.json of their own (DOCKER_CONFIG)."
        ),
        "In CI, let each job use a DOCKER_CONFIG of its own: runners overwrite a shared one.",
    ),
    check=("docker login {registry}",),
    references=(
        "https://docs.docker.com/reference/cli/docker/login/",
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html",
        "https://github.com/aws-actions/amazon-ecr-login/issues/337",
    ),
    owner=Owner.USER,
    severity=Severity.WARNING,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com basic
GET /v2/                     -> 401
""",
    silent="""
client docker/20.10.24
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com basic
GET /v2/                     -> 401
GET /v2/ auth                -> 200
""",
    also_fires=(
        """
client containerd/2.1.4
registry https://registry.test basic
HEAD manifest 1              -> 401
""",
    ),
    also_silent=(
        """
client "curl/8.5.0"
registry https://registry.test basic
GET /v2/                     -> 401    # a health check
""",
        """
client docker/20.10.24
GET /v2/                     -> 401    # Bearer: what came next went past this proxy
""",
    ),
)
def basic_auth_not_sent(operation: Operation, facts: Facts) -> Verdict:
    challenged = [leg for leg in facts.legs if leg.is_challenge and _asks_for_basic(leg)]
    if not challenged:
        return DOES_NOT_APPLY
    family = operation.client.family if operation.client else Family.UNKNOWN
    came_back = any(leg.credentials or leg.kind is Kind.TOKEN for leg in facts.legs)
    if operation.ending is not Ending.INCOMPLETE or came_back or family is Family.UNKNOWN:
        return PASSES
    if challenged[-1] is not facts.legs[-1]:
        return PASSES  # it went on without
    return Fails(
        legs=tuple(challenged),
        evidence=(
            Evidence(challenged[-1], "response.header.WWW-Authenticate", "a password is asked for"),
            Evidence(challenged[-1], "request.header.Authorization", "none was ever sent"),
        ),
        confidence=Confidence.LIKELY,
        fields={
            "registry": host(facts.registry_host),
            "login": plain(_ECR if facts.product is Registry.ECR else _ANY),
        },
        count=len(challenged),
    )


_ECR = (
    "Log in: aws ecr get-login-password --region REGION | docker login --username AWS"
    " --password-stdin with this host behind it, every 12 hours; or set up the credential helper"
    " docker-credential-ecr-login."
)
_ANY = "Log in: docker login with this host behind it, and the user name of this registry."


def _asks_for_basic(leg: Leg) -> bool:
    return {challenge.scheme for challenge in leg.challenges} == {"basic"}
