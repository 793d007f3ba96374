"""RT716: the registry does not know the repository, and does not make one on a push."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes, said
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
from regtrace.follow.story import Operation, OperationKind
from regtrace.wire.leg import BLOB_KINDS, MANIFEST_KINDS, Leg
from regtrace.wire.registry import Registry
from regtrace.wire.term import Term, TermKind, host, plain

_KINDS = tuple(BLOB_KINDS | MANIFEST_KINDS)

#: Product → how a repository is made there.
_MAKES = {
    Registry.ECR: "ECR: aws ecr create-repository --repository-name NAME, in the account and region"
    " that the registry's host name says.",
    Registry.ECR_PUBLIC: "ECR Public: aws ecr-public create-repository --repository-name NAME"
    " --region us-east-1.",
    Registry.GAR: "Artifact Registry: gcloud artifacts repositories create NAME"
    " --repository-format=docker --location=LOCATION; the path is PROJECT/NAME/IMAGE.",
    Registry.GCR: "gcr.io runs on Artifact Registry now: gcloud artifacts repositories create"
    " gcr.io --repository-format=docker --location=us.",
    Registry.HARBOR: "Harbor: make the project (the first part of the name) under Projects, New"
    " Project.",
    Registry.DOCKER_HUB: "Docker Hub: make the repository in the organisation, or ask an owner for"
    " the right to create some.",
    Registry.GITLAB: "GitLab: the name must begin with the full path of an existing project whose"
    " container registry is enabled.",
    Registry.OCIR: "OCI Registry: oci artifacts container repository create, in the compartment"
    " meant; the path begins with the tenancy's namespace.",
}
_ANYWHERE = (
    "Make the repository, or the project or namespace that its name begins with, in the registry's"
    " console or by its API."
)


@rule(
    number="RT716",
    slug="repository-unknown",
    title="{registry} has no repository {repository}",
    cause=(
        "{registry} answered that there is no repository {repository}. {effect} A wrong account,"
        " region or project in the name looks just the same."
    ),
    fix=(
        "Compare host name, account, project and repository with the registry's console.",
        "{make}",
    ),
    check=("skopeo list-tags docker://{registry}/{repository}",),
    references=(
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors-docker.html",
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes",
    ),
    owner=Owner.USER,
    needs=frozenset(_KINDS),
    fires="""
client docker/20.10.24
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 404 NAME_UNKNOWN "The repository with name 'team/app' does not exist"
""",
    silent="""
client docker/20.10.24
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 400 UNSUPPORTED "The repository with name 'team/app' does not exist"
""",
    also_fires=(
        """
client podman/5.29.2
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1 [cfg L1]      -> 404 NAME_UNKNOWN
""",
        """
client containerd/2.1.0
registry https://harbor.test
HEAD blob L1                 -> 404
POST uploads                 -> 404 NOT_FOUND "project team not found"
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 404 NAME_UNKNOWN    # it was known at the step before
""",
        """
client crane/0.19.1
GET /v2/                     -> 401
token pull team/app          -> 200
GET tags                     -> 404 NAME_UNKNOWN    # its last tag was deleted
""",
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD manifest 1              -> 404 NAME_UNKNOWN    # the push makes it
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
PUT manifest 1 [L1]          -> 201
""",
    ),
)
def repository_unknown(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, *_KINDS)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if _is_unknown(leg) and not _was_known(leg, facts)]
    if not legs:
        return PASSES
    first = legs[0]
    pushes = operation.kind is OperationKind.PUSH
    product = facts.product
    return Fails(
        legs=tuple(legs),
        evidence=shown_by(first, "there is no such repository"),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "repository": Term(TermKind.REPOSITORY, first.repository or ""),
            "effect": plain(_ON_PUSH if pushes else _ON_PULL),
            "make": plain(_MAKES.get(product, _ANYWHERE) if product else _ANYWHERE),
        },
        count=tries(facts, legs),
    )


_ON_PUSH = "This registry does not make one by itself when something is pushed."
_ON_PULL = "Nothing was ever pushed under this name, or it was deleted."


def _was_known(leg: Leg, facts: Facts) -> bool:
    """The same host knew the repository just before: what came now went another way."""
    return any(
        other.repository == leg.repository and other.registry == leg.registry and other.succeeded
        for other in facts.legs
        if other.started < leg.started
    )


def _is_unknown(leg: Leg) -> bool:
    """Harbor has NOT_FOUND for projects and repositories, and for artifacts too."""
    if leg.status not in {400, 404}:
        return False
    named, text = codes(leg), said(leg)
    of_harbor = "NOT_FOUND" in named and ("project" in text or "repository" in text)
    return "NAME_UNKNOWN" in named or (of_harbor and "artifact" not in text)
