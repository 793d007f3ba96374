"""RT732: a build, or a program that may be one, asked for a tag that is not there."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
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
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation, OperationKind, by_start
from regtrace.wire.client import Family
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host, plain

_BUILDKIT = "This client is BuildKit."
_INSIDE = (
    "This client is a program with containerd's library inside, and does not say which: BuildKit in"
    " docker 20.10 (then it is a build), nerdctl, or another."
)


@rule(
    number="RT732",
    slug="manifest-not-there-for-build",
    title=(
        "{registry} has no tag {reference} in {repository}: a failure if a build has it in FROM, none"
        " if it looked for a cache"
    ),
    cause=(
        "{registry} answered 404 to HEAD for tag {reference}, and nothing came after. A build asks"
        " in the same words for the image of a FROM line, without which it ends (failed to solve:"
        " … not found), and for a cache (--cache-from), without which it goes on. {who}"
    ),
    fix=(
        (
            "If the command ended with not found: list the tags that are there, and compare"
            " registry, repository and tag with the FROM line letter by letter, or push that image"
            " first."
        ),
        (
            "If the command went on, nothing is wrong: the cache is written by the first build"
            " that exports one (--cache-to, or BUILDKIT_INLINE_CACHE=1 and a push)."
        ),
    ),
    check=("skopeo list-tags docker://{registry}/{repository}",),
    references=(
        "https://docs.docker.com/build/cache/backends/registry/",
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests",
    ),
    owner=Owner.USER,
    severity=Severity.NOTE,
    needs=frozenset({Kind.MANIFEST_HEAD}),
    fires="""
client buildkit/v0.12
HEAD manifest 2              -> 401
token pull team/app          -> 200
HEAD manifest 2              -> 404
""",
    silent="""
client buildkit/v0.12
HEAD manifest 2              -> 401
token pull team/app          -> 200
HEAD manifest 2              -> 404
GET manifest 2 [cfg L1]      -> 200    # it went on
GET blob cfg                 -> 200
GET blob L1                  -> 200
""",
    also_fires=(
        """
client containerd/1.6.20+unknown
HEAD manifest 2              -> 404    # BuildKit in docker 20.10, nerdctl, oras 1
""",
    ),
    also_silent=(
        """
client containerd/1.6.20
HEAD manifest 2              -> 404    # containerd itself pulls: that is a failure
""",
        """
client buildkit/v0.12
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1            -> 201
HEAD manifest 2              -> 404    # a push asks first
PUT manifest 2 [L1]          -> 201
""",
    ),
)
def manifest_not_there_for_build(operation: Operation, facts: Facts) -> Verdict:
    client, last = operation.client, max(facts.legs, key=by_start)
    pulls = operation.kind is OperationKind.PULL and operation.ending is Ending.INCOMPLETE
    if client is None or not client.may_do_without or not pulls:
        return DOES_NOT_APPLY
    if last.kind is not Kind.MANIFEST_HEAD or last.status != 404 or last.tag is None:
        return PASSES
    return Fails(
        legs=(last,),
        evidence=(Evidence(last, "response.status", "the registry does not have it"),),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(last),
        fields={
            "registry": host(last.url.authority),
            "reference": Term(TermKind.REFERENCE, last.tag),
            "repository": Term(TermKind.REPOSITORY, last.repository or ""),
            "who": plain(_BUILDKIT if client.family is Family.BUILDKIT else _INSIDE),
        },
    )
