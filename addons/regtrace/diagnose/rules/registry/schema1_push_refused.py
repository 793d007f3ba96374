"""RT712: an old client pushes a manifest of Docker's first schema, and the registry refuses it."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
from regtrace.diagnose.facts.manifests import is_schema1_push
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
from regtrace.wire.term import host


@rule(
    number="RT712",
    slug="schema1-push-refused",
    title="The registry {registry} refuses the manifest of an old client (schema 1)",
    cause=(
        "All layers arrived; the manifest is of Docker's first schema, which {registry} does not"
        " take any more. Docker before 1.10 knows no other."
    ),
    fix=(
        (
            "Push with Docker 1.10 or newer, or with skopeo copy --format v2s2. A tool that converts"
            " on purpose must stop (skopeo --format v2s1)."
        ),
        (
            "If an old client must stay and the registry is distribution 2.x, set"
            " compatibility.schema1.enabled: true in its config.yml; 3.0 has no such switch."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/spec/deprecated-schema-v1/",
        "https://docs.gitlab.com/administration/packages/container_registry_troubleshooting/",
    ),
    owner=Owner.CLIENT,
    needs=frozenset({Kind.MANIFEST_PUT}),
    fires="""
client docker/1.9.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_INVALID
  > Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws
  >> {"schemaVersion": 1, "name": "team/app", "tag": "1", "fsLayers": [], "history": []}
""",
    silent="""
client docker/1.9.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 201
  > Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws
  >> {"schemaVersion": 1, "name": "team/app", "tag": "1", "fsLayers": [], "history": []}
""",
    also_silent=(
        """
client docker/24.0.7
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 403 DENIED "Quota has been exceeded on namespace"
PUT manifest 1 [cfg L1]      -> 400 MANIFEST_INVALID    # its last resort: the cause came before
  >> {"schemaVersion": 1, "name": "team/app", "tag": "1", "fsLayers": [], "history": []}
""",
    ),
)
def schema1_push_refused(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, Kind.MANIFEST_PUT)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if is_schema1_push(leg) and _is_for_its_schema(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=tuple(legs),
        evidence=(
            *shown_by(first, "the manifest was refused"),
            Evidence(first, "request.header.Content-Type", "it was pushed in schema 1"),
        ),
        # distribution 2.8 answers 500 UNKNOWN, as it does to anything that went wrong inside.
        confidence=Confidence.LIKELY if (first.status or 0) >= 500 else Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={"registry": host(first.url.authority)},
        count=tries(facts, legs),
    )


def _is_for_its_schema(leg: Leg) -> bool:
    said = codes(leg)
    others = said - {"MANIFEST_INVALID", "MANIFEST_UNVERIFIED", "UNSUPPORTED", "UNKNOWN"}
    return not others and (bool(said) or leg.status == 415)
