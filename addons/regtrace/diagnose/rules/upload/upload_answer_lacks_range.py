"""RT310: docker gives an upload up, because the answer does not count the bytes that arrived."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received
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
from regtrace.follow.transfers import lacks_range
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host, plain


@rule(
    number="RT310",
    slug="upload-answer-lacks-range",
    title="{registry} accepts the layer, but its answer's Range is {fault}",
    cause=(
        "docker reads from the Range header of the answer how many bytes arrived (0-1023), and"
        " gives the layer up when that is {fault}: it prints bad range format, or unexpected EOF."
        " A proxy that removes Range from responses does that, or a registry that writes it in"
        " another form."
    ),
    fix=(
        (
            "In each proxy before the registry, let the response headers Range, Location and"
            " Docker-Upload-UUID pass (nginx: no proxy_hide_header Range; lists of allowed headers"
            " in firewalls and CDNs)."
        ),
        "If the registry itself writes it so, update it: Range: 0-N, without bytes= before it.",
        "Until then push with skopeo copy docker-daemon:IMAGE docker://IMAGE: it needs no Range.",
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks",
        "https://github.com/distribution/distribution/blob/release/2.8/registry/client/blob_writer.go",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset({Kind.UPLOAD_CHUNK}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
  < -Range
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
  < Range: bytes=0-999999
+5s POST uploads             -> 202
PATCH u2 L1                  -> 202
  < Range: bytes=0-999999
""",
    ),
    also_silent=(
        # Others need no Range, and this one went on all the same.
        """
client skopeo/1.14
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
  < -Range
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
  < -Range
PUT u1 L1                    -> 500
""",
    ),
)
def upload_answer_lacks_range(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind is Kind.UPLOAD_CHUNK and leg.succeeded for leg in facts.legs):
        return DOES_NOT_APPLY
    legs = ended_by(facts, _is_given_up)
    if not legs:
        return PASSES
    first = legs[0]
    there = "Range" in received(first)
    where = "response.header.Range" if there else "response.status"
    return Fails(
        legs=legs,
        evidence=(Evidence(first, where, "accepted, and docker can't read how much of it"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "fault": plain("written in another way" if there else "missing"),
        },
        count=len(legs),
    )


def _is_given_up(leg: Leg) -> bool:
    return leg.succeeded and lacks_range(leg)
