"""RT309: the registry has stored another number of bytes than the upload goes on from."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import is_somebody_elses, received, sent
from regtrace.diagnose.facts.fronts import ended_by
from regtrace.diagnose.facts.uploads import Doubt, Step
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
from regtrace.wire.upload import read_range

_CARRIES = frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT})


@rule(
    number="RT309",
    slug="upload-offset-conflict",
    title="{registry} has stored another number of bytes than the upload goes on from",
    cause=(
        "An upload goes on where the last answer left it, and {registry} refused that: the bytes it"
        " holds are not as many. {story}"
    ),
    fix=(
        (
            "Switch off repeats of requests with a body in every proxy before the registry: nginx"
            " proxy_next_upstream off; for its location. A chunk that is sent twice is stored twice."
        ),
        (
            "Update the registry; distribution before 2.8.2 counted layers above some 10 GB on S3"
            " wrongly (raise storage.s3.chunksize until then)."
        ),
        "Check that all instances of the registry use the same storage, and push again.",
        "If the client sends its own Content-Range, let it ask with GET on the upload first.",
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks",
        "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_next_upstream",
        "https://github.com/distribution/distribution/issues/2814",
    ),
    owner=Owner.REGISTRY,
    needs=_CARRIES,
    fires="""
client regctl/v0.8.0
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 5MB                 -> 202
PATCH u1 5MB                 -> 416
""",
    silent="""
client regctl/v0.8.0
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 5MB                 -> 416
GET u1                       -> 204
PATCH u1 5MB                 -> 202
""",
    also_fires=(
        # A client that left a gap.
        """
client regctl/v0.8.0
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 5MB                 -> 202
PATCH u1 5MB                 -> 416 RANGE_INVALID
  > Content-Range: 6000000-10999999
""",
        # distribution 2.x has no status of its own for it.
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 404 BLOB_UPLOAD_INVALID
""",
    ),
    also_silent=(
        # A download that is asked to go on behind its end.
        """
client containerd/1.7.2
GET manifest 1 [cfg L1]      -> 200
GET blob L1 range=1000000-   -> 416
""",
    ),
)
def upload_offset_conflict(operation: Operation, facts: Facts) -> Verdict:
    if not any(leg.kind in _CARRIES for leg in facts.legs):
        return DOES_NOT_APPLY
    steps = {step.end.id: step for step in facts.steps}
    doubted = {s.end.id for s in facts.steps if s.keeps_state and s.doubt is Doubt.OFFSET}
    legs = ended_by(facts, lambda leg: leg.id in doubted or _is_out_of_range(leg))
    if not legs:
        return PASSES
    first = legs[0]
    step = steps.get(first.id)
    gap = step is not None and _leaves_a_gap(step)
    evidence = [Evidence(first, "response.status", "refused as being at the wrong place")]
    if step:
        evidence.insert(0, Evidence(step.before, "response.header.Range", "what was stored then"))
    if gap:
        evidence.append(Evidence(first, "request.header.Content-Range", "where the client went on"))
    return Fails(
        legs=legs,
        evidence=tuple(evidence),
        confidence=Confidence.CERTAIN if first.status == 416 else Confidence.LIKELY,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "story": plain(_CLIENTS if gap else _REGISTRYS),
        },
        count=len(legs),
        owner=Owner.CLIENT if gap else None,
    )


_CLIENTS = "The client's own Content-Range does not begin where the registry had said."
_REGISTRYS = (
    "The client went on from where it was told: bytes were lost in the storage behind the registry,"
    " or a proxy before it sent a chunk twice."
)


def _is_out_of_range(leg: Leg) -> bool:
    return leg.kind in _CARRIES and leg.status == 416 and not is_somebody_elses(leg)


def _leaves_a_gap(step: Step) -> bool:
    stored = read_range(received(step.before).get("Range"))
    if stored is None or step.after is None:
        return False
    chunk = read_range(sent(step.after.first).get("Content-Range"))
    nothing_yet = step.before.kind in {Kind.UPLOAD_START, Kind.MOUNT}
    return chunk is not None and chunk.first != (0 if nothing_yet else stored.last + 1)
