"""RT611: a proxy cuts uploads that take longer than its time-out, although bytes still flow."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.fronts import is_being_sent, is_cut_short, read_cut, seconds
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


@rule(
    number="RT611",
    slug="fixed-time-upload-cut",
    title="Uploads to {server} are cut after {limit} s",
    cause=(
        "{count} uploads ended without an answer from the registry, each some {limit} s after it"
        " began, {state}. So it is not the size but a time-out in a proxy or load balancer before"
        " {server}: no layer that takes longer can arrive, however often it is tried. docker says"
        " Retrying, EOF or context canceled."
    ),
    fix=(
        (
            "Traefik (60 s by default): set"
            " --entrypoints.websecure.transport.respondingTimeouts.readTimeout=0, or 3600s, for the"
            " entry point that the registry is behind."
        ),
        (
            "nginx: set client_body_timeout 900s; proxy_send_timeout 900s; proxy_read_timeout 900s;"
            " and proxy_request_buffering off; in the location of the registry."
        ),
        (
            "Load balancers and others: raise the request time-out (HAProxy timeout client and"
            " timeout server, Envoy route timeout: 0s, Caddy read_timeout, AWS and Azure idle"
            " time-out)."
        ),
        "Until then push from a faster line, or make the layers smaller.",
    ),
    references=(
        "https://doc.traefik.io/traefik/routing/entrypoints/",
        "https://github.com/traefik/traefik/issues/10805",
        "https://nginx.org/en/docs/http/ngx_http_core_module.html#client_body_timeout",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset({Kind.UPLOAD_START, Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT}),
    explains=frozenset({"upload-reset-midway", "gateway-error-page", "http2-stream-broken"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 90MB took=60.2s     -> ! server closed connection
+5s POST uploads             -> 202
PATCH u2 88MB took=60.1s     -> ! server closed connection
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 90MB took=17.2s     -> ! server closed connection
+5s POST uploads             -> 202
PATCH u2 88MB took=60.1s     -> ! server closed connection
""",
    also_fires=(
        """
client containerd/2.3.4
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=90MB took=180s -> ! server closed connection
PUT u1 L1 body=90MB took=180.4s -> ! server closed connection
PUT u1 L1 body=90MB took=181s -> ! server closed connection
""",
        # All was handed on, and the registry took too long to store it.
        """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1 took=60s           -> ! server closed connection
+2s GET /v2/                 -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u2 L1                  -> 202
PUT u2 L1 took=60s           -> ! server closed connection
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 90MB took=300s sent=80MB -> 408 nginx
+5s POST uploads             -> 202
PATCH u2 90MB took=300s sent=70MB -> 408 nginx
""",
    ),
    also_silent=(
        # Both ended in one moment: the server went away, once.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
& POST uploads               -> 202
PATCH u1 90MB took=60s       -> ! server closed connection
& PATCH u2 90MB took=60s     -> ! server closed connection
""",
        # The client's own doing.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 90MB took=60s       -> ! Client disconnected.
+5s POST uploads             -> 202
PATCH u2 90MB took=60s       -> ! Client disconnected.
""",
        # The third attempt was fast enough.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 90MB took=60s       -> ! server closed connection
+5s POST uploads             -> 202
PATCH u2 90MB took=60s       -> ! server closed connection
+10s POST uploads            -> 202
PATCH u3 L1 took=50s         -> 202
PUT u3 L1                    -> 201
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def fixed_time_upload_cut(operation: Operation, facts: Facts) -> Verdict:
    if not any(is_cut_short(leg) for leg in facts.legs):
        return DOES_NOT_APPLY
    cut = read_cut(facts)
    if cut is None:
        return PASSES
    first, last = cut.legs[0], cut.legs[-1]
    flowing = all(is_being_sent(leg) for leg in cut.legs)
    where = "error" if first.broken else "response.status"
    return Fails(
        legs=cut.legs,
        evidence=(
            Evidence(first, where, f"cut {_after(first)} s after it began"),
            Evidence(first, "request.body.size", "bytes that were sent by then"),
            Evidence(last, where, f"cut {_after(last)} s after it began"),
        ),
        confidence=Confidence.CERTAIN if flowing and len(cut.legs) > 2 else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "server": host(first.url.authority),
            "limit": plain(cut.limit),
            "state": plain(
                "with bytes still on the way" if flowing else "before the registry had answered"
            ),
            "count": plain(len(cut.legs)),
        },
        count=len(cut.legs),
    )


def _after(leg: Leg) -> str:
    return f"{seconds(leg):.1f}"
