"""The signature that a storage URL carries in its query: whose key, since when, until when.

The scheme is read from the query's keys alone, since hosts of stores change without notice. Whether
a signature was still valid is judged elsewhere, against the clock of the store.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from regtrace.wire.dates import read_epoch, read_iso
from regtrace.wire.jsontext import parse_json
from regtrace.wire.url import Url

#: A key id, region or header name; longer ones are not from a signer.
_LONGEST_WORD = 256

#: A CloudFront policy is some 200 bytes of JSON.
_LONGEST_POLICY = 8192

#: SigV4 limits ``X-Amz-Expires`` to seven days; what is larger must be a moment, not a duration.
_LONGEST_DURATION = 10 * 365 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Presigned:
    """A signature that a URL carries in its query. The signature itself is not kept."""

    scheme: str
    """``s3-v4``, ``s3-v2``, ``cloudfront``, ``gcs-v4``, ``gcs-v2``, ``google-cdn``, ``azure-sas``,
    ``swift``, ``oss-v4``, ``oss-v1``, ``cos``, ``cloudflare`` or ``akamai``."""
    key_id: str | None = field(default=None, repr=False)
    """Which key signed: an access key id, service account, or key pair. Half a secret."""
    signed_at: float | None = None
    """When it was signed or begins to be valid (epoch seconds UTC, by the signer's clock)."""
    expires_at: float | None = None
    """When it ends (epoch seconds UTC). It counts at the start of the request."""
    region: str | None = None
    service: str | None = None
    """``s3``, ``storage``, ``oss`` from the credential's scope."""
    signed_headers: tuple[str, ...] = ()
    """Lower-case names of the headers that the signature covers, ``host`` mostly."""
    session_token: bool = False
    """Signed with temporary credentials, which may end before the URL does."""
    permissions: str | None = None
    """What an Azure SAS allows (``sp``): ``r``, ``rl``, …"""


_Query = Mapping[str, str]


def read_presigned(url: Url) -> Presigned | None:
    """The signature in this URL's query, whatever its host; None when there is none.

    Keys compare without case, since signers differ in it. A CDN's signature around a signed S3
    URL (quay storage/cloudflarestorage.py, akamaistorage.py) gives the CDN's scheme, the S3 key's
    words, and the earlier of the two ends.
    """
    query: dict[str, str] = {}
    for name, value in url.query:
        query.setdefault(name.lower(), value)
    for keys, read in _READERS:
        if all(key in query for key in keys):
            return read(query)
    return None


def _s3_v4(query: _Query) -> Presigned:
    # docs.aws.amazon.com, AmazonS3 API "Authenticating Requests: Using Query Parameters"
    return _scoped(query, "s3-v4", "x-amz-", "signedheaders", "security-token")


def _gcs_v4(query: _Query) -> Presigned:
    # cloud.google.com/storage/docs/authentication/signatures
    return _scoped(query, "gcs-v4", "x-goog-", "signedheaders", "security-token")


def _oss_v4(query: _Query) -> Presigned:
    # help.aliyun.com "V4 signatures in presigned URLs"
    return _scoped(query, "oss-v4", "x-oss-", "additional-headers", "security-token")


def _scoped(query: _Query, scheme: str, prefix: str, headers: str, token: str) -> Presigned:
    """The three dialects of a credential that names day, region, service and protocol."""
    # From the right: a key id of MinIO may contain a slash.
    scope = query.get(f"{prefix}credential", "").rsplit("/", 4)
    key, region, service = (scope[0], scope[2], scope[3]) if len(scope) == 5 else (scope[0], "", "")
    signed_at = read_iso(query.get(f"{prefix}date"))
    return Presigned(
        scheme=scheme,
        key_id=_word(key),
        signed_at=signed_at,
        expires_at=_end(signed_at, read_epoch(query.get(f"{prefix}expires"))),
        region=_word(region),
        service=_word(service),
        signed_headers=_names(query.get(f"{prefix}{headers}")),
        session_token=f"{prefix}{token}" in query,
    )


def _s3_v2(query: _Query) -> Presigned:
    return _epoch_signed(query, "s3-v2", "awsaccesskeyid", "x-amz-security-token")


def _gcs_v2(query: _Query) -> Presigned:
    return _epoch_signed(query, "gcs-v2", "googleaccessid")


def _oss_v1(query: _Query) -> Presigned:
    return _epoch_signed(query, "oss-v1", "ossaccesskeyid", "security-token")


def _google_cdn(query: _Query) -> Presigned:
    return _epoch_signed(query, "google-cdn", "keyname")


def _epoch_signed(query: _Query, scheme: str, key: str, token: str = "") -> Presigned:
    return Presigned(
        scheme=scheme,
        key_id=_word(query.get(key)),
        expires_at=read_epoch(query.get("expires")),
        session_token=token in query,
    )


def _cloudfront(query: _Query) -> Presigned:
    """Canned (``Expires``) or custom (``Policy``, whose JSON is readable)."""
    begins, ends = _policy_times(query.get("policy", ""))
    return Presigned(
        scheme="cloudfront",
        key_id=_word(query.get("key-pair-id")),
        signed_at=begins,
        expires_at=ends if ends is not None else read_epoch(query.get("expires")),
    )


def _policy_times(text: str) -> tuple[float | None, float | None]:
    """DateGreaterThan and DateLessThan of a CloudFront policy (AmazonCloudFront developer guide,
    "Create a signed URL using a custom policy": base64 with ``-_~`` for ``+=/``)."""
    if not text or len(text) > _LONGEST_POLICY or not text.isascii():
        return None, None
    try:
        policy = parse_json(b64decode(text.translate(_CLOUDFRONT_BASE64)), _LONGEST_POLICY)
    except ValueError:
        return None, None
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    statement = statements[0] if isinstance(statements, list) and statements else None
    condition = statement.get("Condition") if isinstance(statement, dict) else None
    return _policy_time(condition, "DateGreaterThan"), _policy_time(condition, "DateLessThan")


_CLOUDFRONT_BASE64 = str.maketrans("-_~", "+=/")


def _policy_time(condition: object, name: str) -> float | None:
    test = condition.get(name) if isinstance(condition, dict) else None
    moment = test.get("AWS:EpochTime") if isinstance(test, dict) else None
    return read_epoch(str(moment)) if type(moment) is int else None


def _azure_sas(query: _Query) -> Presigned:
    # learn.microsoft.com/rest/api/storageservices "Create a service SAS", "… user delegation SAS"
    return Presigned(
        scheme="azure-sas",
        key_id=_word(query.get("skoid")),
        signed_at=read_iso(query.get("st")),
        expires_at=read_iso(query.get("se")),
        permissions=_word(query.get("sp")),
    )


def _swift(query: _Query) -> Presigned:
    # docs.openstack.org/swift, "TempURL": seconds or ISO 8601
    expires = query.get("temp_url_expires")
    ends = read_epoch(expires)
    return Presigned(scheme="swift", expires_at=ends if ends is not None else read_iso(expires))


def _cos(query: _Query) -> Presigned:
    # tencentcloud.com/document/product/436/7778: q-sign-time is "begin;end"
    begins, _, ends = query.get("q-sign-time", "").partition(";")
    return Presigned(
        scheme="cos",
        key_id=_word(query.get("q-ak")),
        signed_at=read_epoch(begins),
        expires_at=read_epoch(ends),
        signed_headers=_names(query.get("q-header-list")),
        session_token="x-cos-security-token" in query,
    )


def _quay_cloudflare(query: _Query) -> Presigned:
    return _around_s3(query, "cloudflare", None, read_epoch(query.get("cf_expiry")))


def _quay_akamai(query: _Query) -> Presigned:
    """Akamai's EdgeAuth token is ``exp=<seconds>~…~hmac=<hex>``, perhaps with ``st=<seconds>``."""
    token = query.get("akamai_signature", "")[:_LONGEST_POLICY]
    parts = dict(part.partition("=")[::2] for part in token.split("~"))
    return _around_s3(query, "akamai", read_epoch(parts.get("st")), read_epoch(parts.get("exp")))


def _around_s3(query: _Query, scheme: str, begins: float | None, ends: float | None) -> Presigned:
    if "x-amz-signature" not in query:
        return Presigned(scheme=scheme, signed_at=begins, expires_at=ends)
    inner = _s3_v4(query)
    known = [moment for moment in (ends, inner.expires_at) if moment is not None]
    return replace(inner, scheme=scheme, expires_at=min(known, default=None))


def _hub_cloudflare(query: _Query) -> Presigned | None:
    """Docker Hub's ``verify=<seconds>-<signature>``: the moment lies 50 minutes after the answer
    that announced it (docker/desktop-linux#207, jlesage/docker-crashplan-pro#465)."""
    moment, dash, signature = query["verify"].partition("-")
    ends = read_epoch(moment)
    if ends is None or len(moment) < 10 or not dash or not signature:
        return None  # ``verify`` is too common a word to believe without its form
    return Presigned(scheme="cloudflare", expires_at=ends)


#: The query keys that prove a scheme, and its reader. A CDN in front of a signed S3 URL comes
#: before S3; ``Signature`` with ``Expires`` alone proves nothing.
_READERS: tuple[tuple[tuple[str, ...], Callable[[_Query], Presigned | None]], ...] = (
    (("cf_sign", "cf_expiry"), _quay_cloudflare),
    (("akamai_signature",), _quay_akamai),
    (("x-amz-signature", "x-amz-credential"), _s3_v4),
    (("x-goog-signature", "x-goog-credential"), _gcs_v4),
    (("x-oss-signature", "x-oss-credential"), _oss_v4),
    (("awsaccesskeyid", "signature"), _s3_v2),
    (("googleaccessid", "signature"), _gcs_v2),
    (("ossaccesskeyid", "signature"), _oss_v1),
    (("key-pair-id", "signature"), _cloudfront),
    (("keyname", "signature", "expires"), _google_cdn),
    (("sig", "sv"), _azure_sas),
    (("temp_url_sig",), _swift),
    (("q-signature", "q-ak"), _cos),
    (("verify",), _hub_cloudflare),
)


def _end(signed_at: float | None, seconds: float | None) -> float | None:
    """The end of a validity of so many seconds; OSS also documents a moment in its place."""
    if seconds is not None and seconds > _LONGEST_DURATION:
        return seconds
    return None if signed_at is None or seconds is None else signed_at + seconds


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name for name in (text or "")[:_LONGEST_WORD].lower().split(";") if name)


def _word(text: str | None) -> str | None:
    return text if text and len(text) <= _LONGEST_WORD else None
