"""RT423: CloudFront, or the bucket behind it, refuses the registry's signed URL."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.answers import received
from regtrace.diagnose.facts.lateness import read_lateness
from regtrace.diagnose.facts.storage_errors import Reason, StorageRefusal, fails_by
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
from regtrace.wire.storage import Vendor
from regtrace.wire.term import plain

#: What a bucket behind CloudFront says of its own; other rules know it.
_NOT_ITS_OWN = frozenset(
    {Reason.NO_OBJECT, Reason.NO_BUCKET, Reason.THROTTLED, Reason.ENCRYPTION_KEY, Reason.TWO_LOGINS}
)


@rule(
    number="RT423",
    slug="cloudfront-denied",
    title="CloudFront refuses the registry's signed URL",
    cause=(
        "The registry sent the client to {storage}, a CloudFront distribution, which answered 403."
        " {why}"
    ),
    fix=(
        (
            "In the registry's cloudfront middleware, set keypairid and privatekey to a key of the"
            " distribution's trusted key group, and baseurl to the distribution's own host;"
            " restart the registry."
        ),
        (
            "If the bucket refuses CloudFront, allow the distribution s3:GetObject in the bucket's"
            " policy (origin access control; OAI in older set-ups)."
        ),
        "Raise duration of that middleware if the URLs end too early; set the clock by NTP.",
    ),
    check=("aws cloudfront list-key-groups",),
    references=(
        (
            "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/"
            "private-content-signed-urls.html"
        ),
        "https://distribution.github.io/distribution/about/configuration/#cloudfront",
        "https://github.com/distribution/distribution/issues/4609",
    ),
    owner=Owner.STORAGE,
    needs=frozenset({Kind.STORAGE}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 cloudfront
GET cloudfront L1            -> 403 MissingKey "Missing Key-Pair-Id query parameter or cookie value"
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 cloudfront
GET cloudfront L1            -> 404 NoSuchKey
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 cloudfront
+1800s GET cloudfront L1     -> 403 AccessDenied
  < Server: CloudFront
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 cloudfront
HEAD cloudfront L1           -> 403
  < Server: AmazonS3
  < X-Cache: Error from cloudfront
""",
    ),
)
def cloudfront_denied(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = [
        refusal
        for refusal in facts.storage_refusals
        if refusal.vendor is Vendor.CLOUDFRONT
        and "X-Amz-Cf-Id" in received(refusal.leg)
        and refusal.leg.status == 403
        and refusal.reason not in _NOT_ITS_OWN
    ]
    if not refused:
        return PASSES
    first = refused[0]
    owner, why = _why(facts, first)
    return fails_by(
        refused,
        "the code that it gives",
        {"storage": first.place, "why": plain(why)},
        Evidence(first.leg, "response.header.X-Amz-Cf-Id", "CloudFront's own id of this answer"),
        owner=owner,
    )


def _why(facts: Facts, refusal: StorageRefusal) -> tuple[Owner, str]:
    if refusal.reason in {Reason.EXPIRED, Reason.NOT_YET_VALID}:
        late = read_lateness(facts, refusal)
        return late.owner, f"The URL was used outside its time. {late.sentence}"
    if (received(refusal.leg).get("Server") or "").lower().startswith("amazons3"):
        return Owner.STORAGE, (
            "The answer is the bucket's: CloudFront accepted the URL, but may not read the object."
        )
    if refusal.reason is Reason.ACCESS_KEY:
        return Owner.REGISTRY, (
            "Its edge does not know the key that signed, or got no Key-Pair-Id: the key is in no"
            " trusted key group, or the query was lost on the way."
        )
    return Owner.STORAGE, (
        "The signature, its policy, or a rule of the distribution (countries, a web firewall)"
        " does not allow it."
    )
