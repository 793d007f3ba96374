"""RT709: the manifest is there, but not in any of the types that the request accepts."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import said, sent
from regtrace.diagnose.facts.last_words import last_words, shown_by, tries
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
from regtrace.wire.client import Family
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import host, plain

_READS = (Kind.MANIFEST_GET, Kind.MANIFEST_HEAD)

#: distribution registry/handlers/manifests.go.
_WORDS = (
    "accept header does not support",
    "schema 2 manifest not supported by client",
)

#: Those whose Accept names the types of OCI and Docker in every version that is still in use.
_ACCEPT_ALL = frozenset(
    {Family.CONTAINERD, Family.DOCKER_CONTAINERD, Family.BUILDKIT, Family.CONTAINERS_IMAGE}
)
_OCI = "application/vnd.oci.image."


@rule(
    number="RT709",
    slug="manifest-accept-too-narrow",
    title="The request does not accept the type in which {registry} has the manifest",
    cause=(
        "{registry} has the manifest, but in a type that the request's Accept header does not name:"
        " most often an OCI image or index, asked for by a client that knows Docker's types only."
        " {blame}"
    ),
    fix=(
        (
            "Take a current client; tools of your own must send Accept with"
            " application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json,"
            " application/vnd.docker.distribution.manifest.list.v2+json and"
            " application/vnd.docker.distribution.manifest.v2+json."
        ),
        (
            "A proxy or cache before the registry must pass Accept on unchanged, and keep answers"
            " apart by it (Vary: Accept) and by method."
        ),
        (
            "If the client can't be changed, push the image in Docker's types: skopeo copy --format"
            " v2s2, or buildx build --provenance=false --output"
            " type=image,oci-mediatypes=false,push=true."
        ),
    ),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests",
    ),
    owner=Owner.CLIENT,
    needs=frozenset(_READS),
    fires="""
client docker/17.03.0
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 404 MANIFEST_UNKNOWN "OCI index found, but accept header does not support OCI indexes"
  > Accept: application/vnd.docker.distribution.manifest.v2+json
""",
    silent="""
client docker/17.03.0
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 404 MANIFEST_UNKNOWN "manifest unknown"
  > Accept: application/vnd.docker.distribution.manifest.v2+json
""",
    also_fires=(
        """
client podman/5.29.2
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 404 MANIFEST_UNKNOWN "OCI manifest found, but accept header does not support OCI manifests"
  > Accept: */*
""",
        """
client -
registry https://registry.test open
GET manifest 1 [cfg L1]      -> 406 UNSUPPORTED
  > Accept: application/json
""",
    ),
    also_silent=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 406
GET manifest 1 [cfg L1]      -> 200    # it asks again, and gets it
GET blob L1                  -> 200
""",
    ),
)
def manifest_accept_too_narrow(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_READS)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if _is_not_accepted(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    stripped = _was_cut_down(first)
    evidence = shown_by(first, "the registry has no form of it that was accepted")
    if "Accept" in sent(first):
        why = "all that the request accepts"
        evidence = (*evidence, Evidence(first, "request.header.Accept", why))
    return Fails(
        legs=tuple(legs),
        evidence=evidence,
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "blame": plain(
                "This client names OCI's types by itself, so something between it and here took"
                " them out."
                if stripped
                else "The Accept header shows which types it named."
            ),
        },
        count=tries(facts, legs),
        owner=Owner.FRONT_PROXY if stripped else None,
    )


def _is_not_accepted(leg: Leg) -> bool:
    return leg.status == 406 or any(words in said(leg) for words in _WORDS)


def _was_cut_down(leg: Leg) -> bool:
    accepted = ",".join(sent(leg).all("Accept"))
    return leg.client is not None and leg.client.family in _ACCEPT_ALL and _OCI not in accepted
