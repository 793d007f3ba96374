"""RT304: an upload was accepted, but its answer does not say where to send the bytes."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.fronts import ended_by
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

_ANNOUNCE = frozenset({Kind.UPLOAD_START, Kind.MOUNT, Kind.UPLOAD_CHUNK})


@rule(
    number="RT304",
    slug="location-missing",
    title="{registry} accepts an upload but does not say where to go on (no Location)",
    cause=(
        "The {leg} leg got {status} without a Location header. That header names the URL of the"
        " next request, so the client has to give up; podman prints: determining upload URL. A"
        " proxy or firewall on the way removes it, or what answers is no registry."
    ),
    fix=(
        (
            "Look in each proxy before the registry for a rule that removes or hides response"
            " headers (nginx proxy_hide_header, a list of allowed headers in a firewall), and let"
            " Location, Range and Docker-Upload-UUID pass."
        ),
        "Send the request below to the registry itself, past its proxies, to see which one it is.",
    ),
    check=(
        (
            "curl -si -X POST -H 'Authorization: Bearer TOKEN'"
            " https://{registry}/v2/NAME/blobs/uploads/ | grep -i ^location"
        ),
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#post-then-put",
    ),
    owner=Owner.FRONT_PROXY,
    needs=_ANNOUNCE,
    explains=frozenset({"upload-answer-lacks-range"}),
    fires="""
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
  < -Location
""",
    silent="""
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202    # the capture ends here
""",
    also_fires=(
        """
client podman/5.29
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PATCH u1 L1                  -> 202
  < -Location
""",
    ),
    also_silent=(
        # Mounted: there is nothing more to send.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads mount=L1 from=other/app -> 201
  < -Location
""",
        # It knows the way all the same.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
  < -Location
PUT u1 L1                    -> 500
""",
    ),
)
def location_missing(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind in _ANNOUNCE and leg.succeeded for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = ended_by(facts, _leads_nowhere)
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=legs,
        evidence=(Evidence(first, "response.status", "accepted, and no Location beside it"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "leg": plain(first.kind.value),
            "status": plain(first.status),
        },
        count=len(legs),
    )


def _leads_nowhere(leg: Leg) -> bool:
    accepted = leg.kind in _ANNOUNCE and leg.succeeded and leg.status != 201
    return accepted and leg.location is None
