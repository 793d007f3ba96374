"""RT618: a layer was sent whole, and its client did not wait long enough for the answer."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes
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
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.wire.client import Family
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host, plain

#: Seconds that containerd's library waits for an answer once a body is sent, since 2.3
#: (core/remotes/docker/registry.go ResponseHeaderTimeout), and by how much it may look otherwise.
_PATIENCE, _SLACK = 30.0, 2.0
_HURRIED = frozenset({Family.CONTAINERD, Family.DOCKER_CONTAINERD, Family.BUILDKIT})
_CARRIES = frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT, Kind.MANIFEST_PUT})


@rule(
    number="RT618",
    slug="answer-too-late-for-client",
    title="{server} takes longer to store a layer than the client waits (30 s)",
    cause=(
        "The client had sent the whole layer and got no answer for {seconds} s; then it closed the"
        " connection. containerd 2.3 and docker 29.7 wait 30 s: net/http: timeout awaiting response"
        " headers. The registry, or a proxy that takes in the whole layer before it passes it on,"
        " needs more for a layer of this size."
    ),
    fix=(
        (
            "Let proxies pass a layer on as it comes: in nginx proxy_request_buffering off; for the"
            " location of the registry."
        ),
        (
            "Speed up the commit at the registry: with S3 raise storage.s3.multipartcopychunksize"
            " and multipartcopymaxconcurrency; look at the load of its disk."
        ),
        "Make the layers smaller, or push with a client that waits: skopeo copy, crane push.",
    ),
    references=(
        "https://github.com/containerd/containerd/blob/main/core/remotes/docker/registry.go",
        "https://distribution.github.io/distribution/storage-drivers/s3/",
    ),
    owner=Owner.REGISTRY,
    needs=_CARRIES,
    explains=frozenset({"client-broke-off", "upload-session-unknown"}),
    fires="""
client containerd/2.3.4
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1 took=50s sent=all -> ! Client disconnected.
PUT u1 L1 body=L1            -> 404 BLOB_UPLOAD_UNKNOWN
""",
    silent="""
client containerd/2.3.4
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1 took=20s sent=all -> ! Client disconnected.
PUT u1 L1 body=L1            -> 404 BLOB_UPLOAD_UNKNOWN
""",
    also_fires=(
        """
client containerd/2.3.4
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1 took=50s sent=all -> ! Client disconnected.
""",
    ),
    also_silent=(
        # The second time the answer came in time.
        """
client containerd/2.3.4
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1 took=50s sent=all -> ! Client disconnected.
PUT u1 L1 body=L1            -> 201
PUT manifest 1 [cfg L1]      -> 201
""",
        # docker's own store waits as long as it takes: somebody stopped it.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1 took=50s sent=all -> ! Client disconnected.
""",
    ),
)
def answer_too_late_for_client(operation: Operation, facts: Facts) -> Verdict:
    left = [leg for leg in facts.legs if _waited_in_vain(leg)]
    if not left:
        return DOES_NOT_APPLY
    repeats = [fatal.leg for fatal in facts.fatal if _repeats(fatal.leg, left)]
    if operation.ending is Ending.OK or (facts.failed and not repeats):
        return PASSES
    first = left[0]
    legs = {leg.id: leg for leg in (*left, *repeats)}
    return Fails(
        legs=tuple(legs.values()),
        evidence=(
            Evidence(first, "request.body.size", "bytes that were sent: all of them"),
            Evidence(first, "error", "the client left, without an answer"),
            *(Evidence(leg, "response.status", "sent again, too late") for leg in repeats[:1]),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"server": host(first.url.authority), "seconds": plain(f"{_wait(first):.0f}")},
        count=len(legs),
    )


def _wait(leg: Leg) -> float:
    """Seconds from the last byte of the body to the leg's end."""
    ended = leg.exchange.request.ended
    return leg.last_seen - ended if ended is not None else 0.0


def _waited_in_vain(leg: Leg) -> bool:
    hurried = leg.client is not None and leg.client.family in _HURRIED
    waited = abs(_wait(leg) - _PATIENCE) <= _SLACK
    unanswered = leg.left_by_client and leg.exchange.response is None
    return hurried and leg.kind in _CARRIES and unanswered and waited


def _repeats(leg: Leg, left: list[Leg]) -> bool:
    """It is one of them, or the same request once more, to an upload that has ended meanwhile."""
    unknown = "BLOB_UPLOAD_UNKNOWN" in codes(leg)
    return leg in left or (unknown and any(earlier.url == leg.url for earlier in left))
