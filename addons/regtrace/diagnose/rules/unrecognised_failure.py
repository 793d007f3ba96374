"""RT001: an operation failed and no other rule knows why. Never silence."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Rule,
    Severity,
    Verdict,
)
from regtrace.follow.life import Ending, Fate
from regtrace.follow.story import Operation, Transfer
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host, plain

#: Without these nothing else can go on.
_OPENING = frozenset({Kind.PING, Kind.TOKEN, Kind.CONNECT})
_OWNERS = {Kind.TOKEN: Owner.TOKEN_SERVER, Kind.STORAGE: Owner.STORAGE, Kind.CONNECT: Owner.NETWORK}


def examine(operation: Operation, facts: Facts) -> Verdict:
    if operation.ending is not Ending.FAILED:
        return DOES_NOT_APPLY
    failures = _final_failures(operation, facts)
    # The first failure is the cause: what is still on its way then is cut off as its victim.
    transfer, leg = min(failures, key=lambda failure: failure[1].started)
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


def _final_failures(operation: Operation, facts: Facts) -> list[tuple[Transfer | None, Leg]]:
    """The answer that ended each failed transfer, and the ping, token or tunnel that was refused
    for good; where there is neither, the last refusal, or the last leg of all."""
    failures: list[tuple[Transfer | None, Leg]] = []
    for transfer in operation.transfers:
        answers = [chain.last for chain in transfer.chains if chain.last.refused]
        if transfer.fate is Fate.FAILED and answers:
            failures.append((transfer, answers[-1]))
    refused = [
        chain.last
        for chain in operation.session
        if chain.last.refused
        and not chain.last.is_challenge
        and not facts.succeeded_later(chain.first)
    ]
    failures += [(None, leg) for leg in refused if leg.kind in _OPENING]
    return failures or [(None, refused[-1] if refused else facts.legs[-1])]


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


RULE = Rule(
    number="RT001",
    slug="unrecognised-failure",
    title="The {leg} leg failed at {server} ({answer}), and no rule knows why",
    cause=(
        "regtrace saw this leg fail and the operation end, but knows no fault that looks like it."
        " The evidence is what {server} said."
    ),
    fix=(
        "Look at the log of {server} at the time of the failed leg.",
        "Repeat the operation once without this proxy; if it then works, the proxy is in the way.",
    ),
    check=(),
    references=("https://github.com/opencontainers/distribution-spec/blob/main/spec.md#errors-1",),
    owner=Owner.REGISTRY,
    severity=Severity.ERROR,
    examine=examine,
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
