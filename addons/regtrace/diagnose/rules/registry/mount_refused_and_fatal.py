"""RT723: the registry refuses to mount a layer, and the client gives up instead of sending it."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
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
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, host, plain


@rule(
    number="RT723",
    slug="mount-refused-and-fatal",
    title="{registry} refuses to mount a layer from {source}, and the client gives up",
    cause=(
        "The client asked {registry} to take a layer over from {source} instead of sending it. It"
        " may not read there, and the registry answered {status} where the specification asks for"
        " 202 and an ordinary upload. This client takes that as the end of the push (containerd"
        " before 2.1 and buildkit before 0.23 on 401, all of them on 403)."
    ),
    fix=(
        "Give the account that pushes the right to pull from {source}.",
        "Update the client: containerd 2.1, buildkit 0.23 and newer send the layer after a 401.",
        (
            "The registry's makers should answer 202 to a mount that is not allowed"
            " (distribution-spec, Mounting a blob from another repository)."
        ),
        (
            "Until then avoid the mount: build with --no-cache or from a base image in the target's"
            " own repository."
        ),
    ),
    check=("docker pull {registry}/{source}:TAG",),
    references=(
        "https://github.com/opencontainers/distribution-spec/blob/main/spec.md#mounting-a-blob-from-another-repository",
        "https://github.com/moby/buildkit/issues/3509",
        "https://github.com/containerd/containerd/issues/14086",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.MOUNT}),
    fires="""
client buildkit/0.12.5
HEAD blob L1                 -> 404
token push,pull team/app     -> 200
POST uploads mount=L1 from=base/app -> 403 DENIED
""",
    silent="""
client buildkit/0.12.5
HEAD blob L1                 -> 404
token push,pull team/app     -> 200
POST uploads mount=L1 from=base/app -> 403 DENIED
POST uploads                 -> 202    # it sends the layer
PUT u1 L1 body=L1            -> 201
HEAD blob cfg                -> 200
PUT manifest 1 [cfg L1]      -> 201
""",
)
def mount_refused_and_fatal(operation: Operation, facts: Facts) -> Verdict:
    mounts = [leg for leg in last_words(facts, Kind.MOUNT) if leg.status in {401, 403}]
    if not mounts:
        return DOES_NOT_APPLY
    last = mounts[-1]
    # A plain upload of the same client afterwards: it had not given up.
    if any(leg.kind is Kind.UPLOAD_START and leg.started > last.started for leg in facts.legs):
        return PASSES
    mounts = [leg for leg in mounts if leg.url.param("from")]
    if not mounts:
        return PASSES  # a mount from anywhere names no repository that one could open
    first = mounts[0]
    return Fails(
        legs=tuple(mounts),
        evidence=(
            Evidence(first, "request.url", "the layer and where to take it from"),
            *shown_by(first, "refused, where 202 would have let the client send it"),
        ),
        confidence=Confidence.CERTAIN,
        transfer=facts.transfer_of(first),
        fields={
            "registry": host(first.url.authority),
            "source": Term(TermKind.REPOSITORY, first.url.param("from") or ""),
            "status": plain(first.status),
        },
        count=tries(facts, mounts),
    )
