"""RT711: the registry gives a manifest of Docker's first schema, and the client goes no further."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import sent
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Confidence,
    Evidence,
    Fails,
    Owner,
    Severity,
    Verdict,
    rule,
)
from regtrace.follow.dead_end import is_schema1, is_too_new_for_schema1
from regtrace.follow.story import Operation, OperationKind
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host, plain

_READS = frozenset({Kind.MANIFEST_GET, Kind.MANIFEST_HEAD})
_NEWER = ("manifest.v2+json", "vnd.oci.image.")


@rule(
    number="RT711",
    slug="schema1-served",
    title="{registry} has {repository} only as a schema 1 manifest, which the client can't use",
    cause=(
        "{registry} answered with a manifest of Docker's first schema (v1+prettyjws), as images of"
        " before 2017 have. Docker 26, containerd 2 and newer tools do not read it any more: media"
        " type is no longer supported, missing signature key. {origin}"
    ),
    fix=(
        "{remedy}",
        (
            "To rescue an old image, pull it with podman or docker 25, and push it again under the"
            " same name: the new manifest has schema 2."
        ),
    ),
    check=(
        (
            "curl -sI -H 'Authorization: Bearer TOKEN' -H 'Accept:"
            " application/vnd.oci.image.index.v1+json,"
            " application/vnd.docker.distribution.manifest.v2+json' {manifest}"
        ),
    ),
    references=(
        "https://docs.docker.com/engine/deprecated/",
        "https://github.com/containerd/containerd/blob/main/docs/containerd-2.0.md",
    ),
    owner=Owner.USER,
    needs=_READS,
    fires="""
client containerd/2.1.0
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 200
  > Accept: application/vnd.docker.distribution.manifest.v2+json, */*
  < Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws
""",
    silent="""
client containerd/1.6.20
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 200
  > Accept: application/vnd.docker.distribution.manifest.v2+json, */*
  < Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws
GET blob L1                  -> 200    # this one reads it
""",
    also_fires=(
        """
client docker/28.0.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200
  > Accept: */*
  < Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws
  << {"schemaVersion": 1, "name": "team/app", "tag": "1", "fsLayers": [], "history": []}
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 200    # all its layers are here already
  < Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws
  << {"schemaVersion": 1, "name": "team/app", "tag": "1", "fsLayers": [], "history": []}
""",
    ),
)
def schema1_served(operation: Operation, facts: Facts) -> Verdict:
    manifests = [leg for leg in facts.legs if leg.kind in _READS and leg.succeeded]
    if operation.kind is not OperationKind.PULL or not manifests:
        return DOES_NOT_APPLY
    last = manifests[-1]
    went_on = any(leg.started > last.started for t in operation.transfers for leg in t.legs)
    if not is_schema1(last) or went_on or _reads_schema1(last):
        return PASSES
    negotiated = any(word in ",".join(sent(last).all("Accept")) for word in _NEWER)
    repository = last.repository or ""
    path = last.exchange.request.target.partition("?")[0]
    certain = facts.is_fatal(last)
    return Fails(
        legs=(last,),
        evidence=(
            Evidence(last, "response.header.Content-Type", "the type of the manifest"),
            Evidence(last, "request.header.Accept", "the types that were asked for"),
        ),
        confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
        transfer=facts.transfer_of(last),
        fields={
            "registry": host(last.url.authority),
            "repository": Term(TermKind.REPOSITORY, repository),
            "origin": plain(_ORIGINS[negotiated]),
            "remedy": plain(_REMEDIES[negotiated]),
            "manifest": Term(TermKind.URL, f"{last.url.origin}{path}"),
        },
        owner=None if negotiated else Owner.FRONT_PROXY,
        severity=None if certain else Severity.WARNING,
    )


#: By whether the request's Accept named a newer type.
_ORIGINS = {
    True: "The request did accept newer types, so the image itself is that old.",
    False: (
        "The request accepted no newer type: the Accept header was lost on its way (a proxy or"
        " cache), or the client does not send one, and registries then convert to schema 1."
    ),
}
_REMEDIES = {
    True: "Build the image anew with a current tool and push it.",
    False: (
        "Make the proxy or cache between client and registry pass the Accept header on unchanged,"
        " and keep cached manifests apart by it (Vary: Accept)."
    ),
}


def _reads_schema1(leg: Leg) -> bool:
    """Not known to be too new: docker up to 25 and podman take it, and have nothing to fetch when
    they know its layers."""
    return not is_too_new_for_schema1(leg.client)
