"""RT206: the token server answers 200 with JSON that has no token in it."""

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
from regtrace.wire.leg import Kind
from regtrace.wire.term import host


@rule(
    number="RT206",
    slug="token-missing-in-answer",
    title="The token server {server} answers 200 without a token",
    cause=(
        "The answer of {server} is JSON, but neither token nor access_token is in it, or it is"
        " empty. Clients stop there: authorization server did not include a token in the response."
    ),
    fix=(
        (
            "Let the token server return the token under the key token, access_token or both;"
            " clients know no others."
        ),
        (
            "If it means to refuse, let it answer 401, not 200 with an error inside; and look at"
            " its log at this time."
        ),
    ),
    references=("https://distribution.github.io/distribution/spec/auth/token/",),
    owner=Owner.TOKEN_SERVER,
    needs=frozenset({Kind.TOKEN}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
  << {"jwt": "abc", "expires_in": 300}
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
  << {"access_token": "abc", "expires_in": 300}
""",
    also_fires=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token                        -> 200
  << {"token": ""}
""",
        """
client containerd/2.1.0
HEAD blob L1                 -> 401
token POST push,pull team/app -> 200
  << {"refresh_token": "abc", "expires_in": 60}
""",
    ),
    also_silent=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token                        -> 200
  << {"refresh_token": "abc"}
""",
    ),
)
def token_missing_in_answer(operation: Operation, facts: Facts) -> Verdict:
    asked = [leg for leg in facts.legs if leg.token_reply is not None]
    if not asked:
        return DOES_NOT_APPLY
    empty = [leg for leg in asked if leg.brought_no_token and facts.is_fatal(leg)]
    if not empty:
        return PASSES
    return Fails(
        legs=tuple(empty),
        evidence=(
            Evidence(empty[0], "response.status", "it says that all is well"),
            Evidence(empty[0], "response.body", "and has no token"),
        ),
        confidence=Confidence.CERTAIN,
        fields={"server": host(empty[0].url.authority)},
        count=len(empty),
    )
