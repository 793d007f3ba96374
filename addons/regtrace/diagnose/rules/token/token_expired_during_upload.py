"""RT216: the token's time ran out while the client was still at work with it."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.tokens import LEEWAY, Refusal
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
from regtrace.wire.term import host, plain


@rule(
    number="RT216",
    slug="token-expired-during-upload",
    title="The token ran out before the {leg} was done: it lives {lives}",
    cause=(
        "When the request came to {registry}, more time had passed than its token lives, and it was"
        " refused.{overstated} Layers that take longer than the token lives fail again and again, at"
        " 100 %: unauthorized: authentication required."
    ),
    fix=(
        (
            "Let tokens live longer than the slowest layer takes. GitLab: Admin, Settings, CI/CD,"
            " Container Registry, Authorization token duration"
            " (container_registry_token_expire_delay). Harbor: Token expiration under Configuration,"
            " System Settings. docker_auth: token.expiration. Portus: jwt_expiration_time."
        ),
        "If the token server is your own, let expires_in in its reply be what the token's exp says.",
        "Until then, make layers smaller (one RUN or COPY split in two), or push from nearer by.",
    ),
    references=(
        "https://distribution.github.io/distribution/spec/auth/token/",
        "https://docs.gitlab.com/administration/packages/container_registry/",
        "https://github.com/moby/moby/issues/33558",
    ),
    owner=Owner.TOKEN_SERVER,
    needs=frozenset(Kind),
    explains=frozenset({"auth-loop"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app lives=60 -> 200
POST uploads                 -> 202
PATCH u1 L1 took=150s        -> 202
PUT u1 L1                    -> 401
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1 took=150s        -> 202
PUT u1 L1                    -> 401    # valid for five minutes: another fault
""",
    also_fires=(
        """
client podman/4.9
GET /v2/                     -> 401
token push,pull team/app opaque lives=60 -> 200
POST uploads                 -> 202
PATCH u1 L1 took=150s        -> 202
PUT u1 L1                    -> 401
""",
        """
client docker/24.0.7
POST uploads                 -> 202
  > Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3Njg0Nzg0MzB9.c2lnbmVk
PATCH u1 L1 took=150s        -> 401
  > Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3Njg0Nzg0MzB9.c2lnbmVk
""",
    ),
    also_silent=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app lives=60 -> 200
POST uploads                 -> 202
PATCH u1 L1 took=150s        -> 202
PUT u1 L1                    -> 401
token push,pull team/app     -> 200    # gets a new one, and goes on
PUT u1 L1                    -> 201
PUT manifest 1 [cfg L1]      -> 201
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app lives=60 -> 200
POST uploads clock=+130s     -> 401    # by the registry's clock only
""",
    ),
)
def token_expired_during_upload(operation: Operation, facts: Facts) -> Verdict:
    refusals = [r for r in facts.fatal_refusals if r.leg.status == 401]
    if not refusals:
        return DOES_NOT_APPLY
    over = [refusal for refusal in refusals if _ran_out(refusal)]
    if not over:
        return PASSES
    first = over[0]
    evidence = [
        first.shows("until when the token is valid"),
        Evidence(first.leg, "response.status", "refused after that"),
    ]
    if first.accepted:
        why = "the same token was good enough before"
        evidence.insert(1, Evidence(first.accepted, "response.status", why))
    if first.now is not None:
        evidence.append(Evidence(first.leg, "response.header.Date", "the registry's clock"))
    late = first.over_for or 0.0
    known = late > LEEWAY or (late > 0 and first.accepted is not None)
    reply = first.grant.leg.token_reply if first.grant else None
    lives = first.grant.lives if first.grant else None
    overstated = bool(reply and lives and (reply.expires_in or 0) > lives + 1)
    return Fails(
        legs=tuple(refusal.leg for refusal in over),
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if known else Confidence.LIKELY,
        transfer=facts.transfer_of(first.leg),
        fields={
            "leg": plain("upload" if first.leg.method in {"PATCH", "PUT", "POST"} else "pull"),
            "registry": host(first.leg.url.authority),
            "lives": plain("not long enough" if lives is None else f"{lives:.0f} s"),
            "overstated": plain(_OVERSTATED if overstated else ""),
        },
        count=len(over),
    )


_OVERSTATED = (
    " The token server's reply says expires_in for longer than the token itself is valid, so the"
    " client could not know that it had to fetch a new one."
)


def _ran_out(refusal: Refusal) -> bool:
    """Its time was over by the clock of the registry, and not only because clocks differ."""
    if refusal.error == "insufficient_scope":
        return False
    if refusal.over_for is not None and refusal.over_for <= 0:
        return False
    if refusal.outlived is not None:
        return refusal.outlived
    return refusal.over_for is not None and refusal.accepted is not None
