"""RT405: the storage got a signed URL whose time was over."""

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
    number="RT405",
    slug="presigned-url-expired",
    title="The registry's signed URL was over when {storage} got it",
    cause=(
        "The registry sends clients to {storage} with a URL that holds for a short time only, and"
        " the storage refuses it afterwards. {why}"
    ),
    fix=(
        (
            "Set the clocks of the registry's and the storage's machines by NTP (chronyc tracking,"
            " timedatectl): a URL that is over at once is a clock's fault."
        ),
        (
            "If the client kept it, pull again; it must ask the registry anew before each try. Lower"
            " max-concurrent-downloads in daemon.json where downloads wait for each other."
        ),
        (
            "If redirects come from a cache in front of the registry, never cache 3xx under /v2/"
            " (nginx: proxy_cache_valid for 200 only)."
        ),
    ),
    check=("curl -sI {origin} | grep -i ^date; date -u",),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html",
        "https://github.com/minio/minio/issues/6111",
    ),
    owner=Owner.REGISTRY,
    needs=frozenset({Kind.STORAGE}),
    explains=frozenset({"storage-403-on-head"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
+1800s GET s3 L1             -> 403 AccessDenied "Request has expired"
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 403 AccessDenied "Access Denied"
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 ceph clock=-3600s    # the registry's clock is an hour behind
HEAD ceph L1                 -> 403
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3-v2
+1800s GET s3-v2 L1          -> 403 AccessDenied    # Ceph and others don't say more
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 200 took=1800s    # the end counts when the request begins
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
+1800s GET s3 L1             -> 403 AccessDenied "Request has expired"
GET blob L1                  -> 307 s3
GET s3 L1                    -> 200    # it went back for another
""",
    ),
)
def presigned_url_expired(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    late = refused_by_s3(facts, Reason.EXPIRED)
    if not late:
        return PASSES
    first = late[0]
    why = read_lateness(facts, first)
    return fails_by(
        late,
        "the storage's own time, or its words",
        {
            "storage": first.place,
            "origin": Term(TermKind.URL, first.leg.url.origin),
            "why": plain(why.sentence),
        },
        Evidence(first.leg, "request.url", "since when and until when it was signed"),
        owner=why.owner,
    )
