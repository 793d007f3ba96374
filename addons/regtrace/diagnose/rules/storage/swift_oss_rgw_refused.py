"""RT424: Swift, Alibaba OSS, Tencent COS or a Ceph gateway refuses the registry's signed URL."""

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

_NAMES = {
    Vendor.SWIFT: "OpenStack Swift",
    Vendor.OSS: "Alibaba OSS",
    Vendor.COS: "Tencent COS",
    Vendor.CEPH: "Ceph's gateway",
}
_OF_THE_URL = frozenset(
    {
        None,
        Reason.DENIED,
        Reason.SIGNATURE,
        Reason.ACCESS_KEY,
        Reason.EXPIRED,
        Reason.NOT_YET_VALID,
        Reason.SKEWED,
        Reason.SESSION_TOKEN,
    }
)


@rule(
    number="RT424",
    slug="swift-oss-rgw-refused",
    title="{vendor} refuses the registry's signed URL",
    cause=(
        "The registry sent the client to {storage} with a signed URL, and {vendor} refused it."
        " {why}"
    ),
    fix=(
        (
            "Compare the registry's key and secret with the storage's (Swift: storage.swift.secretkey"
            " and the account's X-Account-Meta-Temp-URL-Key; OSS: accesskeyid and accesskeysecret;"
            " Ceph: radosgw-admin user info), and let its policy allow the read."
        ),
        "Set the clocks of the registry's and the storage's machines by NTP.",
        "Let no proxy before the storage change the Host, path or query.",
    ),
    references=(
        "https://docs.openstack.org/swift/latest/api/temporary_url_middleware.html",
        "https://docs.ceph.com/en/latest/radosgw/s3/",
        "https://github.com/distribution/distribution/issues/2189",
    ),
    owner=Owner.STORAGE,
    needs=frozenset({Kind.STORAGE}),
    explains=frozenset({"storage-403-on-head"}),
    fires="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 swift
GET swift L1                 -> 401
  << 401 Unauthorized: Temp URL invalid
""",
    silent="""
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 swift
GET swift L1                 -> 404
""",
    also_fires=(
        # It names a realm, and there is nothing that one could log in to.
        """
client podman/4.9
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 swift
GET swift L1                 -> 401
  < WWW-Authenticate: Swift realm="AUTH_registry"
  << 401 Unauthorized: Temp URL invalid
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token push,pull team/app     -> 200
POST uploads                 -> 202
PATCH u1 L1                  -> 202
PUT u1 L1                    -> 201
HEAD blob L1                 -> 307 oss
HEAD oss L1                  -> 403
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 oss clock=-3600s
GET oss L1                   -> 403 AccessDenied "Request has expired."
""",
        """
client docker/20.10.24
GET /v2/                     -> 401
token pull team/app          -> 200
GET manifest 1               -> 200
GET blob L1                  -> 307 ceph
GET ceph L1                  -> 403 UserSuspended
""",
    ),
)
def swift_oss_rgw_refused(operation: Operation, facts: Facts) -> Verdict:
    if not facts.storage_refusals:
        return DOES_NOT_APPLY
    refused = [refusal for refusal in facts.storage_refusals if _is_refused(refusal)]
    if not refused:
        return PASSES
    first = refused[0]
    owner, why = _why(facts, first)
    return fails_by(
        refused,
        "the storage's own words",
        {
            "storage": first.place,
            "vendor": plain(_NAMES.get(first.vendor or Vendor.CEPH, "The storage")),
            "why": plain(why),
        },
        owner=owner,
    )


def _is_refused(refusal: StorageRefusal) -> bool:
    """What Ceph's gateway says as S3 does, the rules for S3 know."""
    if refusal.nested or refusal.leg.status not in {400, 401, 403}:
        return False
    if refusal.reason is Reason.SUSPENDED:
        return True
    return refusal.vendor in {Vendor.SWIFT, Vendor.OSS, Vendor.COS} and (
        refusal.reason in _OF_THE_URL
    )


def _why(facts: Facts, refusal: StorageRefusal) -> tuple[Owner, str]:
    if refusal.reason in {Reason.EXPIRED, Reason.NOT_YET_VALID}:
        late = read_lateness(facts, refusal)
        return late.owner, f"The URL was used outside its time. {late.sentence}"
    return _WHY.get(refusal.reason, (Owner.STORAGE, "Its answer does not say why."))


_WHY: dict[Reason | None, tuple[Owner, str]] = {
    Reason.DENIED: (Owner.STORAGE, "It knows who signed; its policy does not let him read this."),
    Reason.SIGNATURE: (
        Owner.REGISTRY,
        "The signature does not hold: the secret or the method is another one, or the URL changed.",
    ),
    Reason.ACCESS_KEY: (Owner.REGISTRY, "It does not know the key that signed."),
    Reason.SKEWED: (Owner.REGISTRY, "The clock that signed is too far from its own."),
    Reason.SESSION_TOKEN: (Owner.REGISTRY, "The temporary credentials that signed are over."),
    Reason.SUSPENDED: (Owner.STORAGE, "The user that signed is suspended there."),
}
