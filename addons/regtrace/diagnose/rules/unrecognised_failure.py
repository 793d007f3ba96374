"""RT001: an operation failed and no other rule knows why. Never silence."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
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

_OWNERS = {Kind.TOKEN: Owner.TOKEN_SERVER, Kind.STORAGE: Owner.STORAGE, Kind.CONNECT: Owner.NETWORK}


@rule(
    number="RT001",
    slug="unrecognised-failure",
    title="The {leg} leg failed at {server} ({answer}), and no rule knows why",
    cause=(
        "regtrace saw this leg fail and the operation end, but knows no fault that looks like it."
        " The evidence is what {server} said."
    ),
    fix=(
        (
            "Look at the log of {server} at the time of the failed leg, or let regtrace report"
            " --registry-log FILE find its lines."
        ),
        "Repeat the operation once without this proxy; if it then works, the proxy is in the way.",
    ),
    references=("https://github.com/opencontainers/distribution-spec/blob/main/spec.md#errors-1",),
    owner=Owner.REGISTRY,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN "unknown error"
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN "unknown error"
+5s POST uploads             -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
)
def unrecognised_failure(operation: Operation, facts: Facts) -> Verdict:
    if not facts.fatal:
        return DOES_NOT_APPLY
    # The first failure is the cause: what is still on its way then is cut off as its victim.
    transfer, leg = facts.fatal[0].transfer, facts.fatal[0].leg
    return Fails(
        legs=(leg,),
        evidence=_evidence(leg),
        confidence=Confidence.POSSIBLE,
        transfer=transfer,
        fields={
            "leg": plain(leg.kind.value),
            "server": host(leg.url.authority),
            "answer": plain(f"status {leg.status}" if leg.status else "no answer"),
        },
        owner=_owner(leg),
    )


def _owner(leg: Leg) -> Owner:
    if leg.answerer is not None:
        return Owner.INTERCEPTION if leg.answerer.product == "mitmproxy" else Owner.FRONT_PROXY
    return _OWNERS.get(leg.kind, Owner.NETWORK if leg.broken else Owner.REGISTRY)


def _evidence(leg: Leg) -> tuple[Evidence, ...]:
    if leg.broken:
        return (Evidence(leg, "error", "how the connection ended"),)
    evidence = [Evidence(leg, "response.status", "the answer that ended it")]
    if leg.error and leg.error.items:
        evidence.append(Evidence(leg, "response.body", "the error in its body"))
    return tuple(evidence)
