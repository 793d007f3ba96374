"""RT612: the connection ended in the middle of an upload, and not by the client."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes
from regtrace.diagnose.facts.fronts import ended_by, is_cut_short, seconds
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
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host, plain

_CARRIES = frozenset({Kind.UPLOAD_START, Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT})


@rule(
    number="RT612",
    slug="upload-reset-midway",
    title="The connection to {server} broke in the middle of an upload, after {seconds} s",
    cause=(
        "{server}, or something on the way to it, closed the connection before the registry had"
        " answered, and not the client. A registry or proxy that is restarted or killed for its"
        " memory does that, a proxy whose disk for buffered bodies is full, or a load balancer that"
        " takes a server away."
    ),
    fix=(
        (
            "Look at this second in the logs of the registry and of every proxy before it, and in"
            " dmesg or kubectl describe pod for OOMKilled."
        ),
        (
            "nginx: proxy_request_buffering off; so that it does not write layers to its own disk"
            " first; else give client_body_temp_path room."
        ),
        (
            "Push again with less at once: max-concurrent-uploads: 1 in /etc/docker/daemon.json. If"
            " it breaks after the same time again, a time-out cuts it."
        ),
    ),
    check=("docker inspect REGISTRY | grep OOMKilled",),
    references=(
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_request_buffering",
        "https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file",
        "https://github.com/distribution/distribution/issues/2495",
    ),
    owner=Owner.NETWORK,
    needs=_CARRIES,
    explains=frozenset({"upload-session-unknown"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! server closed connection
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! Client disconnected.
""",
    also_fires=(
        # All was sent, and the answer never came.
        """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> ! server closed connection
""",
        # Sent again into a session that the first request had ended, or its end destroyed.
        """
client containerd/2.3.4
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1            -> ! server closed connection
PUT u1 L1 body=L1            -> 404 BLOB_UPLOAD_UNKNOWN
""",
    ),
    also_silent=(
        # It went well the next time.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> ! server closed connection
+5s POST uploads             -> 202
PATCH u2 L1                  -> 202
PUT u2 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
        # No byte went out: the host was not reached at all.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1 sent=0B          -> ! [Errno 111] Connect call failed ('192.0.2.7', 443)
""",
    ),
)
def upload_reset_midway(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind in _CARRIES and leg.broken for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = ended_by(facts, lambda leg: _is_reset(leg) or _repeats_a_reset(leg, facts))
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=legs,
        evidence=(
            Evidence(first, "error", "how it ended"),
            Evidence(first, "request.body.size", "bytes that the client had sent by then"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "server": host(first.url.authority),
            "seconds": plain(f"{seconds(first):.1f}"),
        },
        count=len(legs),
    )


def _is_reset(leg: Leg) -> bool:
    return leg.broken and is_cut_short(leg)


def _repeats_a_reset(leg: Leg, facts: Facts) -> bool:
    """containerd sends the same request again; a registry that had ended the upload meanwhile does
    not know it any more."""
    transfer = facts.transfer_of(leg)
    if transfer is None or "BLOB_UPLOAD_UNKNOWN" not in codes(leg):
        return False
    return any(
        _is_reset(earlier) and earlier.url == leg.url and earlier.started < leg.started
        for earlier in transfer.legs
    )
