"""RT507: a manifest comes under a Content-Type that is none of a manifest's."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
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
from regtrace.follow.dead_end import is_mislabelled
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import host

_READS = (Kind.MANIFEST_GET, Kind.MANIFEST_HEAD)


@rule(
    number="RT507",
    slug="manifest-content-type-wrong",
    title="{registry} gives a manifest under a wrong Content-Type",
    cause=(
        "The answer of {registry} is a manifest, but its Content-Type is not one of a manifest's"
        " types. docker and containerd go by this header alone and stop: missing or empty"
        " Content-Type header, unexpected media type application/json. A proxy or cache that sets"
        " types by itself, or a registry made of plain files, does this."
    ),
    fix=(
        (
            "Let the proxy or cache pass Content-Type on, for HEAD as for GET (nginx: no"
            " default_type or types block for /v2/; CDN: no fixed type)."
        ),
        (
            "A registry made of files must answer each manifest with the type in its own mediaType,"
            " for instance application/vnd.oci.image.manifest.v1+json."
        ),
    ),
    check=("curl -sI https://{registry}/v2/REPOSITORY/manifests/TAG | grep -i content-type",),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests",
        "https://github.com/containerd/containerd/issues/7390",
    ),
    owner=Owner.FRONT_PROXY,
    needs=frozenset(_READS),
    fires="""
client containerd/2.1.0
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 200
  < Content-Type: application/json
""",
    silent="""
client containerd/2.1.0
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 200
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
  < Content-Type: application/octet-stream
""",
    ),
    also_silent=(
        """
client podman/5.29.2
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200    # this client looks into the body
  < Content-Type: application/json
GET blob cfg                 -> 200
GET blob L1                  -> 200
""",
        """
client containerd/2.1.0
HEAD manifest 1              -> 200    # of the HEAD only, and it went on
  < Content-Type: application/octet-stream
GET manifest 1 [cfg L1]      -> 200
GET blob L1                  -> 200
""",
    ),
)
def manifest_content_type_wrong(operation: Operation, facts: Facts) -> Verdict:
    wrong = [leg for leg in operation.legs_of_kind(*_READS) if is_mislabelled(leg)]
    if not wrong:
        return DOES_NOT_APPLY
    legs = [leg for leg in wrong if facts.is_fatal(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=tuple(legs),
        evidence=(
            Evidence(first, "response.header.Content-Type", "the type that it came under"),
            Evidence(first, "response.status", "and after it the client asked for nothing more"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"registry": host(first.url.authority)},
        count=len(legs),
    )
