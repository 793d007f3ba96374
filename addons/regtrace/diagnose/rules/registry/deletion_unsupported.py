"""RT727: a registry that deletes nothing through its API."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host

_DELETES = (Kind.MANIFEST_DELETE, Kind.BLOB_DELETE)


@rule(
    number="RT727",
    slug="deletion-unsupported",
    title="The registry {registry} does not delete",
    cause=(
        "{registry} answers the deletion in {repository} with UNSUPPORTED. distribution deletes"
        " nothing unless its configuration says so, and nothing at all as a pull-through cache;"
        " hosted registries (ghcr.io, ECR and others) have an interface of their own for it."
    ),
    fix=(
        (
            "Set storage.delete.enabled: true in distribution's config.yml, or"
            " REGISTRY_STORAGE_DELETE_ENABLED=true for its container, restart it and delete again."
        ),
        (
            "At a hosted registry, delete by its own interface: aws ecr batch-delete-image, the"
            " package's page at GitHub."
        ),
        (
            "What was deleted still takes its space: run registry garbage-collect"
            " /etc/docker/registry/config.yml afterwards, while nobody pushes."
        ),
    ),
    references=(
        "https://distribution.github.io/distribution/about/configuration/#delete",
        "https://distribution.github.io/distribution/about/garbage-collection/",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset(_DELETES),
    fires="""
client skopeo/1.14.2
image M1 = cfg L1
GET /v2/                     -> 401
token delete,pull team/app   -> 200
GET manifest 1 [cfg L1]      -> 200
DELETE manifest @M1          -> 405 UNSUPPORTED "The operation is unsupported."
""",
    silent="""
client skopeo/1.14.2
image M1 = cfg L1
GET /v2/                     -> 401
token delete,pull team/app   -> 200
GET manifest 1 [cfg L1]      -> 200
DELETE manifest @M1          -> 405    # it takes no writes at present
  < Allow: GET, HEAD
  < Content-Type: text/plain; charset=utf-8
  << Method not allowed
""",
    also_fires=(
        """
client regctl/v0.8.0
GET /v2/                     -> 401
token delete,pull team/app   -> 200
DELETE blob L1               -> 405 UNSUPPORTED
""",
    ),
    also_silent=(
        """
client podman/5.29.2
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads mount=L1 from=a/b -> 202
DELETE u1                    -> 405 UNSUPPORTED    # a session that is not needed
POST uploads                 -> 202
PATCH u2 L1                  -> 202
PUT u2 L1                    -> 201
PUT manifest 1 [cfg L1]      -> 201
""",
    ),
)
def deletion_unsupported(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_DELETES)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if "UNSUPPORTED" in codes(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    return Fails(
        legs=tuple(legs),
        evidence=shown_by(first, "what it said to the deletion"),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "repository": Term(TermKind.REPOSITORY, first.repository or ""),
        },
        count=tries(facts, legs),
    )
