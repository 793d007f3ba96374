"""RT225: the twelve hours of an ECR login are over."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import said
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
from regtrace.wire.leg import Kind
from regtrace.wire.registry import Registry
from regtrace.wire.term import host


@rule(
    number="RT225",
    slug="ecr-authorization-expired",
    title="The login for {registry} has run out (ECR: 12 hours)",
    cause=(
        "{registry} answers that the authorization token has expired: the password that aws ecr"
        " get-login-password prints is good for 12 hours, and docker keeps sending the stored one."
    ),
    fix=(
        (
            "Log in again: aws ecr get-login-password --region REGION | docker login --username AWS"
            " --password-stdin {registry}."
        ),
        (
            "So that it renews itself, install docker-credential-ecr-login and name it in"
            " credHelpers of ~/.docker/config.json for this host."
        ),
    ),
    references=(
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html",
        "https://github.com/awslabs/amazon-ecr-credential-helper",
    ),
    owner=Owner.USER,
    needs=frozenset(Kind),
    explains=frozenset({"account-not-permitted", "token-bad-credentials"}),
    fires="""
client docker/24.0.7
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com basic
GET /v2/                     -> 401
POST uploads                 -> 403 DENIED "Your authorization token has expired. Reauthenticate and try again."
""",
    silent="""
client docker/24.0.7
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com basic
GET /v2/                     -> 401
POST uploads                 -> 403 DENIED "not allowed"
""",
)
def ecr_authorization_expired(operation: Operation, facts: Facts) -> Verdict:
    if facts.product not in {Registry.ECR, Registry.ECR_PUBLIC}:
        return DOES_NOT_APPLY
    expired = [
        fatal.leg
        for fatal in facts.fatal
        if fatal.leg.status in {400, 401, 403} and "token has expired" in said(fatal.leg)
    ]
    if not expired:
        return PASSES
    return Fails(
        legs=tuple(expired),
        evidence=(Evidence(expired[0], "response.body", "the registry says so"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(expired[0]),
        fields={"registry": host(facts.registry_host)},
        count=len(expired),
    )
