"""RT418: Google Cloud Storage refuses the registry's signed URL."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.lateness import read_lateness
from regtrace.diagnose.facts.storage_errors import Reason, StorageRefusal, fails_by
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind
from regtrace.wire.storage import Vendor
from regtrace.wire.term import plain

#: What of the storage's reasons is the signed URL's own.
_OF_THE_URL = frozenset(
    {
        None,
        Reason.DENIED,
        Reason.SIGNATURE,
        Reason.ACCESS_KEY,
        Reason.EXPIRED,
        Reason.NOT_YET_VALID,
        Reason.SKEWED,
    }
)


@rule(
    number="RT418",
    slug="gcs-signed-url-refused",
    title="Google Cloud Storage refuses the registry's signed URL",
    cause=(
        "The registry sent the client to {storage}, where the signature of its service account in"
        " the URL is the login, and Google refused it. {why}"
    ),
    fix=(
        (
            "Grant the registry's service account roles/storage.objectViewer on bucket {bucket}"
            " (and roles/storage.objectAdmin to write)."
        ),
        (
            "Give the registry a valid key of that account again (storage.gcs.keyfile); a key that"
            " was deleted or rotated signs on, in vain."
        ),
        (
            "Set the clock of the registry's machine by NTP, and let no proxy before the storage"
            " drop or change the URL's query."
        ),
    ),
    check=("gcloud storage buckets get-iam-policy gs://{bucket}",),
    references=(
        "https://cloud.google.com/storage/docs/access-control/signed-urls",
        "https://cloud.google.com/storage/docs/xml-api/reference-status",
        "https://distribution.github.io/distribution/storage-drivers/gcs/",
    ),
    owner=Owner.STORAGE,
    needs=frozenset({Kind.STORAGE}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 gcs
GET gcs L1                   -> 403 SignatureDoesNotMatch
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 gcs
GET gcs L1                   -> 404 NoSuchKey
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 gcs
HEAD gcs L1                  -> 403
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 gcs
+1800s GET gcs L1            -> 400 ExpiredToken
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 https://storage.googleapis.com/registry-bucket/L1
GET https://storage.googleapis.com/registry-bucket/L1 -> 403
  << <Error><Code>AccessDenied</Code><Details>Anonymous caller does not have storage.objects.get access</Details></Error>
""",
    ),
)
def gcs_signed_url_refused(operation: Operation, facts: Facts) -> Verdict:
    at_google = [
        refusal
        for refusal in facts.storage_refusals
        if refusal.vendor is Vendor.GCS and not refusal.nested
    ]
    if not at_google:
        return DOES_NOT_APPLY
    refused = [
        refusal
        for refusal in at_google
        if refusal.reason in _OF_THE_URL and refusal.leg.status in {400, 401, 403}
    ]
    if not refused:
        return PASSES
    first = refused[0]
    owner, why = _why(facts, first)
    return fails_by(
        refused,
        "the storage's own words",
        {"storage": first.place, "bucket": first.bucket, "why": plain(why)},
        owner=owner,
    )


def _why(facts: Facts, refusal: StorageRefusal) -> tuple[Owner, str]:
    if refusal.reason in {Reason.EXPIRED, Reason.NOT_YET_VALID}:
        late = read_lateness(facts, refusal)
        return late.owner, f"It was used outside its time. {late.sentence}"
    if refusal.leg.presigned is None:
        return Owner.REGISTRY, (
            "The URL carries no signature, so the caller is anonymous: it got lost on the way, or"
            " the registry signs none."
        )
    if refusal.reason is Reason.DENIED:
        return Owner.STORAGE, "The signature is good; the account that signed may not read this."
    if refusal.reason is None:
        return Owner.STORAGE, "Its answer does not say whether the signature or the account fails."
    return Owner.REGISTRY, (
        "The signature does not hold: the account's key is an old one, or the URL was changed on"
        " the way."
    )
