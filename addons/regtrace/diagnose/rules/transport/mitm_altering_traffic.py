"""RT109: this proxy itself cut a body off, because it was told to."""

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
from regtrace.wire.leg import Kind
from regtrace.wire.term import host
from regtrace.wire.transport import Failure


@rule(
    number="RT109",
    slug="mitm-altering-traffic",
    title="This proxy stopped a body that is larger than its own body_size_limit",
    cause=(
        "mitmproxy was started with the option body_size_limit. A body to or from {server} was"
        " larger, so mitmproxy cut it off and answered in the server's place. Without this proxy it"
        " would have passed."
    ),
    fix=(
        (
            "Start mitmdump without body_size_limit, or remove it from"
            " ~/.mitmproxy/config.yaml: regtrace streams blobs, so they take no memory."
        ),
    ),
    check=("mitmdump --options | grep -A2 body_size_limit",),
    references=("https://docs.mitmproxy.org/stable/concepts/options/#body_size_limit",),
    owner=Owner.INTERCEPTION,
    needs=frozenset(Kind),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! Request body exceeds mitmproxy's body_size_limit.
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! server closed connection
""",
)
def mitm_altering_traffic(operation: Operation, facts: Facts) -> Verdict:
    found = [b for b in facts.breakages if b.failure is Failure.SIZE_LIMIT]
    if not found:
        return DOES_NOT_APPLY
    first = found[0]
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "this proxy says so itself"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first.leg),
        fields={"server": host(first.leg.url.authority)},
        count=len(found),
    )
