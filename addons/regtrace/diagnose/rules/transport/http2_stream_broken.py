"""RT110: HTTP/2 itself broke a transfer off: a reset stream, or GOAWAY."""

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
from regtrace.wire.term import host, plain
from regtrace.wire.transport import Failure


@rule(
    number="RT110",
    slug="http2-stream-broken",
    title="HTTP/2 broke off the {leg} leg at {server}",
    cause=(
        "The {leg} leg did not end with an answer but with HTTP/2's own error: a stream that was"
        " reset, or GOAWAY, which closes the connection. Proxies and load balancers do that when"
        " they restart, reach a limit of requests per connection, or lose the server behind them."
        " The client prints stream error: ... INTERNAL_ERROR, or http2: server sent GOAWAY."
    ),
    fix=(
        (
            "Look in the log of {server}, and of each proxy before it, at this second for a"
            " restart, a worker that was killed, or a limit (nginx: keepalive_requests; Envoy:"
            " max_requests_per_connection, max_stream_duration)."
        ),
        "Turn HTTP/2 off in that proxy for the registry, and push again to see whether it helps.",
        (
            "To see whether HTTP/2 itself is the trouble, run this capture once more with mitmdump"
            " --set http2=false."
        ),
    ),
    check=("curl --http1.1 -sv https://{server}/v2/",),
    references=(
        "https://www.rfc-editor.org/rfc/rfc9113#section-5.4",
        "https://github.com/google/go-containerregistry/issues/1318",
    ),
    owner=Owner.NETWORK,
    needs=frozenset(Kind),
    fires="""
client docker/29.1.0
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! stream reset by client (INTERNAL_ERROR)
""",
    silent="""
client docker/29.1.0
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! stream reset by client (CANCEL)
""",
    also_fires=(
        """
client docker/29.1.0
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200 ! HTTP/2 connection closed: <ConnectionTerminated error_code:2>
""",
    ),
)
def http2_stream_broken(operation: Operation, facts: Facts) -> Verdict:
    found = [b for b in facts.breakages if b.failure is Failure.HTTP2]
    if not found:
        return DOES_NOT_APPLY
    first = found[0]
    return Fails(
        legs=tuple(b.leg for b in found),
        evidence=(Evidence(first.leg, "error", "how the stream ended"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first.leg),
        fields={"server": host(first.leg.url.authority), "leg": plain(first.leg.kind.value)},
        count=len(found),
    )
