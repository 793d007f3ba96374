"""RT416: the storage asks for fewer requests."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.storage_errors import Reason, fails_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.life import Fate
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import plain


@rule(
    number="RT416",
    slug="storage-throttled",
    title="The storage takes no more requests for now (SlowDown)",
    cause=(
        "{storage} answered that there are too many requests at once, and went on until the client"
        " gave up. Other users of the same bucket or account count too."
    ),
    fix=(
        (
            "Lower what is asked for at once: max-concurrent-uploads and max-concurrent-downloads"
            " in daemon.json, and fewer builds or node start-ups at the same time."
        ),
        (
            "Spread the load: a registry of its own bucket (storage.s3.rootdirectory is one"
            " prefix), a pull-through cache before it, or a larger storage account."
        ),
        "Update the registry: newer ones pass 429 and 503 on, so that clients wait and try again.",
    ),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html",
        "https://github.com/distribution/distribution/issues/3456",
    ),
    owner=Owner.STORAGE,
    needs=frozenset(Kind),
    explains=frozenset({"registry-unhealthy", "storage-backend-error"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 503 SlowDown
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 500 InternalError
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 503
  << {"errors":[{"code":"UNAVAILABLE","message":"service unavailable","detail":"s3aws: SlowDown: Please reduce your request rate."}]}
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 500
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"s3aws: SlowDown: Please reduce your request rate.\\n\\tstatus code: 503"}]}
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 azure
GET azure L1                 -> 503
""",
    ),
    also_silent=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 s3
GET s3 L1                    -> 503 SlowDown
+5s GET blob L1              -> 307 s3
GET s3 L1                    -> 200
""",
    ),
)
def storage_throttled(operation: Operation, facts: Facts) -> Verdict:
    throttled = [
        refusal
        for refusal in facts.storage_refusals
        if refusal.reason is Reason.THROTTLED
        and (refusal.transfer is None or refusal.transfer.fate is Fate.FAILED)
    ]
    if not throttled:
        return PASSES if facts.storage_refusals else DOES_NOT_APPLY
    first = throttled[0]
    place = plain("The registry's storage") if first.nested else first.place
    return fails_by(throttled, "the storage's own words", {"storage": place})
