"""RT704: the registry asked its own storage, and that refused."""

from __future__ import annotations

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.last_words import shown_by, tries
from regtrace.diagnose.facts.storage_errors import Reason, StorageRefusal
from regtrace.diagnose.rule import (
    DOES_NOT_APPLY,
    PASSES,
    Fails,
    Owner,
    Verdict,
    rule,
)
from regtrace.follow.story import Operation
from regtrace.wire.leg import REGISTRY_KINDS, UPLOAD_KINDS, Kind
from regtrace.wire.storage import Vendor
from regtrace.wire.term import host, plain

_NAMES = {
    Vendor.S3: "S3 storage",
    Vendor.GCS: "Google Cloud storage",
    Vendor.AZURE: "Azure storage",
    Vendor.SWIFT: "Swift storage",
    Vendor.OSS: "OSS storage",
    Vendor.COS: "COS storage",
}

_CREDENTIALS = (
    "Set the right access key and secret in the registry's config.yml (storage.s3.accesskey,"
    " secretkey) or give its machine the right role, and restart it."
)
#: Why → in words, and what to do.
_TOLD = {
    Reason.DENIED: (
        "Its key is known there and may not do what the registry needs.",
        (
            "Allow the registry's user s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipart"
            "Upload, s3:ListMultipartUploadParts, s3:ListBucket, s3:GetBucketLocation and"
            " s3:ListBucketMultipartUploads on the bucket; the same rights elsewhere."
        ),
    ),
    Reason.SIGNATURE: ("The secret is wrong, or something changed the request.", _CREDENTIALS),
    Reason.ACCESS_KEY: ("The storage does not know its access key.", _CREDENTIALS),
    Reason.SESSION_TOKEN: (
        "Its temporary credentials have ended.",
        (
            "Give the registry a role that renews its credentials by itself, or a key that does not end,"
            " and restart it."
        ),
    ),
    Reason.REGION: (
        "The bucket is in another region than the one that is configured.",
        "Set storage.s3.region (and regionendpoint) in config.yml to the bucket's own region.",
    ),
    Reason.MOVED: (
        "The bucket is at another endpoint.",
        "Set storage.s3.regionendpoint in config.yml to the endpoint that the answer names.",
    ),
    Reason.OLD_SIGNATURE: (
        "The storage accepts signatures of version 4 only.",
        "Set storage.s3.v4auth: true in config.yml, or update the registry.",
    ),
    Reason.NO_BUCKET: (
        "There is no such bucket or container.",
        (
            "Create the bucket, or set its right name in config.yml (storage.s3.bucket,"
            " storage.azure.container, storage.gcs.bucket)."
        ),
    ),
    Reason.NO_OBJECT: (
        "It did not find what it had written just before, or what its links say is there.",
        (
            "Use a storage that is consistent at once after a write, one address of it for all replicas"
            " of the registry, and a current driver."
        ),
    ),
    Reason.ENCRYPTION_KEY: (
        "It may not use the key that the bucket is encrypted with.",
        "Allow the registry's user kms:Decrypt and kms:GenerateDataKey on the bucket's key.",
    ),
    Reason.NETWORK_RULE: (
        "The storage's firewall does not let the registry in.",
        "Add the registry's network to the storage account's firewall, or use a private endpoint.",
    ),
}
_ELSE = (
    "The answer does not say why; most often its key may not do all that the registry needs.",
    (
        "Give the registry's own log to regtrace report --registry-log FILE: it has the storage's"
        " whole answer, with its code, and names the fault."
    ),
)


@rule(
    number="RT704",
    slug="storage-backend-error",
    title="The {storage} behind {registry} refused the registry",
    cause=(
        "{registry} could not {deed}, because the storage that it keeps blobs in refused it."
        " {reason} The client and its request are not at fault; docker shows 500 Internal Server"
        " Error and tries again in vain."
    ),
    fix=(
        "{remedy}",
        "Then restart the registry and push or pull again.",
    ),
    check=("docker logs --since 10m REGISTRY 2>&1 | grep -i -e s3aws -e gcs -e azure -e swift",),
    references=(
        "https://distribution.github.io/distribution/storage-drivers/s3/",
        "https://github.com/distribution/distribution/issues/1948",
        "https://github.com/distribution/distribution/issues/2847",
    ),
    owner=Owner.STORAGE,
    needs=REGISTRY_KINDS,
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":"s3aws: AccessDenied: Access Denied"}]}
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 500 UNKNOWN
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{}}]}
""",
    also_fires=(
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 500 UNKNOWN
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"s3aws","Path":"/docker/registry/v2/repositories/team/app/_uploads/u/data"}}]}
""",
        """
client containerd/2.1.0
HEAD manifest 1              -> 401
token pull team/app          -> 200
HEAD manifest 1              -> 500
GET manifest 1 [cfg L1]      -> 500 UNKNOWN
  << {"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"DriverName":"gcs","Enclosed":{}}}]}
""",
    ),
    also_silent=(
        """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 404
POST uploads                 -> 500 UNKNOWN
  << {"errors":[{"code":"UNKNOWN","detail":"s3aws: InternalError: We encountered an internal error."}]}
+1s POST uploads             -> 202    # once
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
PUT manifest 1 [L1]          -> 201
""",
    ),
)
def storage_backend_error(operation: Operation, facts: Facts) -> Verdict:
    nested = [refusal for refusal in facts.storage_refusals if refusal.nested]
    if not nested:
        return DOES_NOT_APPLY
    fatal = [refusal for refusal in nested if facts.is_fatal(refusal.leg)]
    if not fatal:
        return PASSES
    first = next((refusal for refusal in fatal if refusal.reason in _TOLD), fatal[0])
    reason, remedy = _TOLD.get(first.reason, _ELSE) if first.reason else _ELSE
    legs = tuple(refusal.leg for refusal in fatal)
    return Fails(
        legs=legs,
        evidence=shown_by(first.leg, "the registry failed at its storage, not at the request"),
        confidence=first.sure,
        transfer=first.transfer,
        fields={
            "registry": host(first.leg.url.authority),
            "storage": plain(_NAMES.get(first.vendor, "storage") if first.vendor else "storage"),
            "deed": plain(_deed(first)),
            "reason": plain(reason),
            "remedy": plain(remedy),
        },
        count=tries(facts, legs),
    )


def _deed(refusal: StorageRefusal) -> str:
    kind = refusal.leg.kind
    if kind in UPLOAD_KINDS:
        return "store the layer"
    if kind is Kind.MANIFEST_PUT:
        return "store the manifest"
    return "read what was asked for"
