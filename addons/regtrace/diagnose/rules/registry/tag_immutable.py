"""RT713: the tag exists, and the registry does not let it be overwritten."""

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
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term, TermKind, host

#: Quay's codes.
_CODES = frozenset({"TAG_IMMUTABLE", "TAG_ALREADY_EXISTS"})

#: ECR, Harbor, GAR and Docker Hub say immutable or immutability; Nexus the rest.
_WORDS = (
    "immutable",
    "immutability",
    "does not allow updating assets",
    "cannot be overwritten",
    "tag already exists",
)


@rule(
    number="RT713",
    slug="tag-immutable",
    title="The tag {tag} of {repository} exists and may not be overwritten",
    cause=(
        "{registry} holds {repository} with immutable tags, and {tag} points to another image"
        " already. All layers were stored; only the tag was refused. To push the very same image"
        " again would change nothing, and some registries refuse that too."
    ),
    fix=(
        "Push under a new tag: a version, a build number or the commit.",
        (
            "If this tag is meant to move (latest), except it from the rule: ECR image tag"
            " mutability exclusion filters, Harbor's tag immutability rules of the project, Nexus"
            " deployment policy Allow redeploy only on latest."
        ),
        (
            "A CI job that is run again may take this as success when the digests are equal: compare"
            " with skopeo inspect before the push."
        ),
    ),
    check=("skopeo inspect docker://{registry}/{repository}:{tag}",),
    references=(
        "https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html",
        "https://goharbor.io/docs/main/working-with-projects/working-with-images/create-tag-immutability-rules/",
        "https://github.com/moby/buildkit/issues/3776",
    ),
    owner=Owner.USER,
    needs=frozenset({Kind.MANIFEST_PUT}),
    explains=frozenset({"manifest-invalid"}),
    fires="""
client docker/20.10.24
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 400 TAG_INVALID "The image tag '1' already exists in the 'team/app' repository and cannot be overwritten because the repository is immutable."
""",
    silent="""
client docker/20.10.24
registry https://123456789012.dkr.ecr.eu-central-1.amazonaws.com
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 400 TAG_INVALID "manifest tag did not match URI"
""",
    also_fires=(
        """
client buildkit/0.23
registry https://harbor.test
token push,pull team/app     -> 200
HEAD manifest 1              -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 412 PRECONDITION "Failed to process request due to 'app:1' configured as immutable."
""",
        """
client crane/0.19.1
registry https://quay.io
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
PUT manifest 1 [cfg L1]      -> 409 TAG_IMMUTABLE "tag is immutable and cannot be overwritten"
""",
    ),
)
def tag_immutable(operation: Operation, facts: Facts) -> Verdict:
    refused = last_words(facts, Kind.MANIFEST_PUT)
    if not refused:
        return DOES_NOT_APPLY
    legs = [leg for leg in refused if leg.tag and _is_immutable(leg)]
    if not legs:
        return PASSES
    first = legs[0]
    repository, tag = first.repository or "", first.tag or ""
    return Fails(
        legs=tuple(legs),
        evidence=shown_by(first, "the tag was refused"),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "repository": Term(TermKind.REPOSITORY, repository),
            "tag": Term(TermKind.REFERENCE, tag),
        },
        count=tries(facts, legs),
    )


def _is_immutable(leg: Leg) -> bool:
    return bool(codes(leg) & _CODES) or any(words in said(leg) for words in _WORDS)
