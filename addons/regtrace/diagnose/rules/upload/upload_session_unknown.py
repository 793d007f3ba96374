"""RT308: the registry does not know the upload that it has opened a moment ago."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import codes
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
from regtrace.wire.term import host, plain


@rule(
    number="RT308",
    slug="upload-session-unknown",
    title="{registry} does not know the upload that it opened {seconds} s before",
    cause=(
        "{registry} opened an upload and answered the very next request of it with blob upload"
        " unknown. Most often several instances answer under this name and do not share one"
        " storage, so the second request met an instance that never saw the upload. A storage that"
        " shows new files late, an upload purge, or a restart with an empty disk do the same."
    ),
    fix=(
        "Give all instances the same storage: one bucket, or one ReadWriteMany volume.",
        (
            "Until then run one instance, or send each client to the same one (Kubernetes:"
            " sessionAffinity: ClientIP in the Service; nginx: ip_hash in the upstream)."
        ),
        (
            "With one instance: look in its log for a restart at this moment, and check that"
            " storage.maintenance.uploadpurging keeps uploads long enough (age: 168h)."
        ),
    ),
    check=("kubectl get pods -A -o wide | grep registry",),
    references=(
        "https://distribution.github.io/distribution/about/deploying/#load-balancing-considerations",
        "https://github.com/distribution/distribution/issues/1402",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 404 BLOB_UPLOAD_UNKNOWN
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 404 NAME_UNKNOWN
""",
    also_fires=(
        """
client containerd/1.7.2
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1            -> 404 BLOB_UPLOAD_UNKNOWN
""",
    ),
    also_silent=(
        # Cancelling what is gone already is no fault.
        """
client podman/5.29
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads mount=L1 from=other/app -> 202
DELETE u1                    -> 404 BLOB_UPLOAD_UNKNOWN
POST uploads                 -> 202
""",
        # Sent again after an answer that got lost: the upload had ended well.
        """
client containerd/2.3.4
HEAD blob L1                 -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 202
PUT u1 L1 body=L1            -> ! server closed connection
PUT u1 L1 body=L1            -> 404 BLOB_UPLOAD_UNKNOWN
""",
    ),
)
def upload_session_unknown(operation: Operation, facts: Facts) -> Verdict:
    followed = [step for step in facts.steps if step.after]
    if not followed:
        return DOES_NOT_APPLY
    unknown = [step for step in followed if "BLOB_UPLOAD_UNKNOWN" in codes(step.end)]
    if not any(facts.is_fatal(step.end) for step in unknown):
        return PASSES
    first = unknown[0]
    opened = first.before.ended or first.before.started
    return Fails(
        legs=tuple(step.end for step in unknown),
        evidence=(
            Evidence(first.before, "response.status", "the registry opened or continued it"),
            Evidence(first.end, "response.body", "and then did not know it"),
        ),
        confidence=Confidence.LIKELY,
        transfer=first.transfer,
        fields={
            "registry": host(first.before.url.authority),
            "seconds": plain(f"{max(0.0, first.end.started - opened):.1f}"),
        },
        count=len(unknown),
    )
