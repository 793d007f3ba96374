"""RT602: Cloudflare refuses a large upload without saying that it is too large."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import is_registrys_own, received
from regtrace.diagnose.facts.fronts import body_size, ended_by
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
#: Bytes: the limit of Cloudflare's small plans.
_LIMIT = 100_000_000


@rule(
    number="RT602",
    slug="cloudflare-400-on-large-upload",
    title="Cloudflare may have refused a layer of {size} MB for its size ({status})",
    cause=(
        "{registry} lies behind Cloudflare, which takes request bodies of 100 MB at most on its"
        " small plans. This layer is larger, and the answer is Cloudflare's own page, not the"
        " registry's. As a rule it says 413; {status} was seen for the same."
    ),
    fix=(
        "Take the registry's DNS record out of Cloudflare's proxy (grey cloud: DNS only).",
        "Or make the layers smaller than 100 MB, or use a plan with a higher limit.",
        "Or push with a client that sends chunks: regctl with blobChunk set below the limit.",
    ),
    references=("https://github.com/moby/moby/issues/27877",),
    owner=Owner.FRONT_PROXY,
    needs=_CARRIES,
    explains=frozenset({"gateway-error-page"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 150MB               -> 400
  < Server: cloudflare
  < CF-RAY: 8c0a1b2c3d4e5f60-FRA
  < -Docker-Distribution-Api-Version
  << <html><head><title>400 Bad Request</title></head><center>cloudflare</center></html>
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 50MB                -> 400
  < Server: cloudflare
  < CF-RAY: 8c0a1b2c3d4e5f60-FRA
  < -Docker-Distribution-Api-Version
  << <html><head><title>400 Bad Request</title></head><center>cloudflare</center></html>
""",
    also_silent=(
        # The registry's own refusal, which Cloudflare only passed on.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 150MB               -> 400
  < Server: cloudflare
  < CF-RAY: 8c0a1b2c3d4e5f60-FRA
""",
    ),
)
def cloudflare_400_on_large_upload(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind in _CARRIES and "CF-RAY" in received(leg) for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = ended_by(facts, _is_refused)
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=legs,
        evidence=(
            Evidence(first, "response.status", "refused"),
            Evidence(first, "response.header.CF-RAY", "by Cloudflare"),
            Evidence(first, "request.body.size", "more than 100 MB"),
        ),
        confidence=Confidence.POSSIBLE,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "size": plain(body_size(first) // 10**6),
            "status": plain(first.status),
        },
        count=len(legs),
    )


def _is_refused(leg: Leg) -> bool:
    by_cloudflare = "CF-RAY" in received(leg) and not is_registrys_own(leg)
    large = leg.kind in _CARRIES and body_size(leg) > _LIMIT
    return leg.status in {400, 520} and by_cloudflare and large
