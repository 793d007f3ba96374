"""RT408: the registry signed with temporary credentials that had ended."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.storage_errors import Reason, fails_by, refused_by_s3
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.term import plain


@rule(
    number="RT408",
    slug="s3-session-token-expired",
    title="The registry signs with temporary credentials that are over",
    cause=(
        "The URL to {storage} carries a session token: the registry signed it with the temporary"
        " credentials of a role. Those had ended, or are not known there, although the URL itself"
        " is still in its time. {proof}"
    ),
    fix=(
        (
            "Restart the registry: it then fetches new credentials from its role. If that helps"
            " for some hours only, update it; old AWS SDKs don't renew them."
        ),
        (
            "Check where the credentials come from: the instance profile, the service account's"
            " eks.amazonaws.com/role-arn annotation, and no AWS_SESSION_TOKEN left over in the"
            " registry's environment."
        ),
    ),
    check=("aws sts get-caller-identity",),
    references=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html",
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
GET s3 L1                    -> 400 ExpiredToken "The provided token has expired."
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 gcs
GET gcs L1                   -> 400 ExpiredToken "The provided token has expired."
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 https://b.s3.eu-central-1.amazonaws.com/L1?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAEXAMPLE%2F20260115%2Feu-central-1%2Fs3%2Faws4_request&X-Amz-Date=20260115T120000Z&X-Amz-Expires=1200&X-Amz-Security-Token=x&X-Amz-Signature=y
HEAD https://b.s3.eu-central-1.amazonaws.com/L1?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAEXAMPLE%2F20260115%2Feu-central-1%2Fs3%2Faws4_request&X-Amz-Date=20260115T120000Z&X-Amz-Expires=1200&X-Amz-Security-Token=x&X-Amz-Signature=y -> 400
  < Server: AmazonS3
""",
    ),
)
def s3_session_token_expired(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = refused_by_s3(facts, Reason.SESSION_TOKEN)
    if not refused:
        return PASSES
    first = refused[0]
    told = "The storage says so."
    if first.code is None:
        told = "Its answer to HEAD has no body; a 400 to such a URL has hardly another reason."
    return fails_by(
        refused,
        "the storage's own code" if first.code else "the session token in the signed URL",
        {"storage": first.place, "proof": plain(told)},
    )
