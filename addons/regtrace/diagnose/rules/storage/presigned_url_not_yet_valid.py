"""RT406: the signed URL begins in the storage's future."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.lateness import read_lateness
from regtrace.diagnose.facts.storage_errors import Reason, fails_by, refused_by_s3
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Evidence,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import Term, TermKind, plain


@rule(
    number="RT406",
    slug="presigned-url-not-yet-valid",
    title="The registry's signed URL is dated in the future for {storage}",
    cause=(
        "A signed URL says when it was signed. For {storage} that lies in the future, further than"
        " the quarter of an hour that storages put up with, so it refuses the URL. {why}"
    ),
    fix=(
        (
            "Set the clock of the registry's machine by NTP: chronyc tracking shows how far it is"
            " off, systemctl enable --now chrony (or systemd-timesyncd) keeps it right."
        ),
        "If that clock is right, set the clock of the storage's machines.",
    ),
    check=("curl -sI {origin} | grep -i ^date; date -u",),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html",
        "https://github.com/minio/minio/issues/2638",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.STORAGE}),
    explains=frozenset({"storage-403-on-head"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio clock=+3600s
GET minio L1                 -> 403 AccessDenied "Request is not yet valid"
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 minio clock=+300s
GET minio L1                 -> 403 AccessDenied "Access Denied."
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 s3 clock=+3600s
HEAD s3 L1                   -> 403
""",
    ),
)
def presigned_url_not_yet_valid(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    early = refused_by_s3(facts, Reason.NOT_YET_VALID)
    if not early:
        return PASSES
    first = early[0]
    why = read_lateness(facts, first)
    return fails_by(
        early,
        "the storage's own time, or its words",
        {
            "storage": first.place,
            "origin": Term(TermKind.URL, first.leg.url.origin),
            "why": plain(why.sentence),
        },
        Evidence(first.leg, "request.url", "when it was signed"),
        owner=why.owner,
    )
