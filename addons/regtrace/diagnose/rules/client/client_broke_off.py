"""RT801: the client closed its connection before it had its answer, and did not come back."""

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
from regtrace.wire.leg import Kind
from regtrace.wire.term import host, plain


@rule(
    number="RT801",
    slug="client-broke-off",
    title="The client broke off its {leg} leg at {server} after {seconds} s",
    cause=(
        "The client closed its own connection before it had an answer from {server}. Somebody"
        " stopped it, it was killed, or one of its time-outs ran out: containerd 2.3 and docker"
        " 29.7 wait 30 s for an answer once a layer is sent."
    ),
    fix=(
        "If somebody stopped it on purpose, do nothing.",
        (
            "If nobody did, see in the client's own log why it stopped (journalctl -u docker), and"
            " in the log of {server} what took so long."
        ),
    ),
    references=(
        "https://github.com/containerd/containerd/blob/main/core/remotes/docker/registry.go",
    ),
    owner=Owner.CLIENT,
    severity=Severity.WARNING,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! Client disconnected.
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! server closed connection
""",
)
def client_broke_off(operation: Operation, facts: Facts) -> Verdict:
    left = [leg for leg in facts.legs if leg.left_by_client]
    if not left:
        return DOES_NOT_APPLY
    last = left[-1]
    went_on = any(leg.started > last.last_seen for leg in facts.legs)
    if operation.ending is not Ending.INCOMPLETE or went_on:
        return PASSES  # it was cut off by another failure, or came back
    return Fails(
        legs=tuple(left),
        evidence=(
            Evidence(last, "error", "how it ended"),
            Evidence(last, "request.body.size", "bytes that the client had sent by then"),
        ),
        confidence=Confidence.CERTAIN,
        fields={
            "leg": plain(last.kind.value),
            "server": host(last.url.authority),
            "seconds": plain(f"{last.last_seen - last.started:.1f}"),
        },
        count=len(left),
    )
