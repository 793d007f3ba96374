"""What a value must look like to be shown as it is: one pattern for each header and query key.

A value that is not in these tables, or does not obey its pattern, becomes a label.
"""

from __future__ import annotations

import re

from regtrace.redact.shapes import is_word

_NUMBER = r"[0-9]{1,19}"
_DAY = r"[0-9]{8}"
_STAMP = rf"{_DAY}T[0-9]{{6}}Z"
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?Z?)?"
_HTTP_DATE = r"[A-Z][a-z]{2,8},? [0-9A-Za-z :-]{8,30}"
_TYPE = r"(?:[a-z]+|\*)/[a-z0-9*][a-z0-9.+*-]{0,120}(?:; ?(?:charset|q|v|version)=[\w.-]{1,20})?"
_NAMES = r"[a-z0-9-]{1,40}(?:;[a-z0-9-]{1,40}){0,30}"
_ID = r"[A-Za-z0-9+/=_.:-]{1,200}"
_TOKENS = r"[A-Za-z-]{1,30}(?:, ?[A-Za-z-]{1,30}){0,10}"
_DIGEST = r"(?:sha256|blake3|sha512_256):[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}"
_UUID = r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"
_PRODUCT = (
    r"[A-Za-z][A-Za-z-]{0,30}(?:/v?[0-9][0-9A-Za-z.+-]{0,20})?(?: \([A-Za-z0-9 /.+;-]{1,40}\))?"
)
_RANGE = rf"(?:[a-z]+[ =])?{_NUMBER}-(?:-1|{_NUMBER})(?:/(?:{_NUMBER}|\*))?|bytes=-?{_NUMBER}-?"
_LIMIT = rf"{_NUMBER}(?:; ?w={_NUMBER})?(?:, ?{_NUMBER}(?:; ?w={_NUMBER})?)*"

HEADERS: dict[str, str] = {
    "accept": rf"{_TYPE}(?:, ?{_TYPE}){{0,20}}",
    "accept-encoding": r"[a-z]{2,10}(?:;q=[01.]{1,5})?(?:, ?[a-z]{2,10})*",
    "accept-ranges": _TOKENS,
    "age": _NUMBER,
    "allow": _TOKENS,
    "cf-cache-status": r"[A-Z]{1,16}",
    "cf-mitigated": _TOKENS,
    "cf-ray": r"[0-9a-f]{16}(?:-[A-Z]{3})?",
    "connection": _TOKENS,
    "content-encoding": _TOKENS,
    "content-length": _NUMBER,
    "content-range": _RANGE,
    "content-type": _TYPE,
    "date": _HTTP_DATE,
    "docker-content-digest": _DIGEST,
    "docker-distribution-api-version": r"registry/[0-9.]{1,8}",
    "expect": r"100-continue",
    "last-modified": _HTTP_DATE,
    "oci-chunk-max-length": _NUMBER,
    "oci-chunk-min-length": _NUMBER,
    "oci-filters-applied": _TOKENS,
    "oci-subject": _DIGEST,
    "range": _RANGE,
    "ratelimit-limit": _LIMIT,
    "ratelimit-remaining": _LIMIT,
    "ratelimit-reset": _NUMBER,
    "retry-after": rf"{_NUMBER}|{_HTTP_DATE}",
    "server": rf"{_PRODUCT}(?: {_PRODUCT}){{0,3}}",
    "strict-transport-security": r"max-age=[0-9]{1,12}(?:; ?[A-Za-z]{1,20}){0,2}",
    "te": _TOKENS,
    "trailer": _TOKENS,
    "transfer-encoding": _TOKENS,
    "upgrade": r"[A-Za-z0-9/., -]{1,40}",
    "x-amz-bucket-region": r"[a-z0-9-]{1,32}",
    "x-amz-content-sha256": r"[0-9a-f]{64}|[A-Z0-9-]{1,40}",
    "x-amzn-waf-action": r"[a-z]{1,20}",
    "x-cache": r"[A-Za-z]{1,20}(?: from [a-z]{1,20})?",
    "x-content-type-options": r"nosniff",
    "x-forwarded-proto": r"https?",
    "x-goog-generation": _NUMBER,
    "x-ms-blob-type": r"[A-Za-z]{1,20}",
    "x-ms-version": _ISO,
    # Ids that support asks for: the join to the vendor's own logs.
    "traceparent": r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}",
    **dict.fromkeys(
        """x-amz-cf-id x-amz-id-2 x-amz-request-id x-amzn-requestid x-amzn-trace-id
        x-akamai-request-id x-correlation-id x-cos-request-id x-github-request-id
        x-goog-request-id x-guploader-uploadid x-jf-traceid x-ms-client-request-id
        x-ms-correlation-request-id x-ms-request-id x-openstack-request-id x-oss-request-id
        x-request-id x-trans-id""".split(),
        _ID,
    ),
}

QUERY: dict[str, str] = {
    "access_type": r"offline|online",
    "artifacttype": _TYPE,
    "cf_expiry": _NUMBER,
    "digest": _DIGEST,
    "digest-algorithm": r"sha(?:256|384|512)",
    "expires": _NUMBER,
    "grant_type": r"password|refresh_token|access_token(?:_refresh_token)?|authorization_code",
    "key-pair-id": r"[A-Z0-9]{8,24}",
    "mount": _DIGEST,
    "n": r"[0-9]{1,9}",
    "offline_token": r"true|false",
    "q-header-list": _NAMES,
    "q-key-time": r"[0-9]{1,12};[0-9]{1,12}",
    "q-sign-algorithm": r"sha1|sha256",
    "q-sign-time": r"[0-9]{1,12};[0-9]{1,12}",
    "q-url-param-list": _NAMES,
    "response-content-type": _TYPE,
    "ske": _ISO,
    "skt": _ISO,
    "skv": _ISO,
    "se": _ISO,
    "sp": r"[a-z]{1,16}",
    "spr": r"https?(?:,https?)?",
    "sr": r"[a-z]{1,3}",
    "st": _ISO,
    "sv": _ISO,
    "temp_url_expires": rf"{_NUMBER}|{_ISO}",
    "x-id": r"[A-Z][A-Za-z]{2,30}",
    "x-oss-additional-headers": _NAMES,
    "x-oss-signature-version": r"OSS[A-Z0-9-]{1,20}",
    **{
        f"x-{vendor}-{name}": pattern
        for vendor in ("amz", "goog", "oss")
        for name, pattern in {
            "algorithm": r"[A-Z][A-Z0-9-]{3,30}",
            "date": _STAMP,
            "expires": _NUMBER,
            "signedheaders": _NAMES,
        }.items()
    },
}

#: Query keys that are known by name, although their values are not shown as they are.
_KNOWN_KEYS = frozenset(
    """_state account akamai_signature awsaccesskeyid cf_sign client_id from googleaccessid last
    keyname ns ossaccesskeyid policy q-ak q-signature scope service sig signature skoid sktid
    temp_url_sig verify x-amz-credential x-amz-security-token x-amz-signature x-goog-credential
    x-goog-signature x-oss-credential x-oss-signature x-oss-security-token""".split()
)
#: Of keys that nobody knows only short ones in plain words are shown.
_LONGEST_KEY = 32

_DIGESTS = re.compile(_DIGEST)
_UUIDS = re.compile(_UUID)
_COMPILED = {pattern: re.compile(pattern) for pattern in {*HEADERS.values(), *QUERY.values()}}

#: Services that everybody uses: their hosts name no customer.
_SHARED = (
    "docker.com docker.io gcr.io ghcr.io github.com githubusercontent.com gitlab.com googleapis.com"
    " mcr.microsoft.com microsoftonline.com pkg.dev public.ecr.aws quay.io registry.k8s.io"
    " registry.redhat.io"
).split()
#: Services whose hosts begin with their customer's name or account.
_RENTED = """aliyuncs.com amazonaws.com amazonaws.com.cn azurecr.cn azurecr.io azureedge.net
    blob.core.windows.net cloudfront.net digitaloceanspaces.com jfrog.io myqcloud.com on.aws
    r2.cloudflarestorage.com scw.cloud""".split()
#: First parts of such hosts that name a service.
_SERVICE = re.compile(r"(?:s3|api|ecr|sts|oss|cos|ec2)(?:[.-].*)?")

METHODS = frozenset("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE".split())
SCHEMES = frozenset(
    "aws4-hmac-sha256 basic bearer digest dpop hoba negotiate ntlm oauth sharedkey".split()
)
ACTIONS = re.compile(r"[a-z_*]{1,24}(?:,[a-z_*]{1,24})*|")
ETAG = re.compile(r'(?:W/)?"(?:sha256:)?[0-9a-f]{32,64}"')
VERSION = re.compile(
    r"[0-9]{1,6}(?:\.[0-9]{1,16}){0,4}(?:[-+~.][0-9A-Za-z]{1,24}){0,5}|[a-z]{1,16}"
)


def is_digest(text: str) -> bool:
    """``algorithm:hex`` of an algorithm that registries use; a stranger's word has other forms."""
    return _DIGESTS.fullmatch(text) is not None


def is_uuid(text: str) -> bool:
    return _UUIDS.fullmatch(text) is not None


def rented_part(host: str) -> str | None:
    """The beginning of a public service's host that names who rents it; empty where none does, None
    for the host of no public service."""
    lowered = host.lower()
    if any(lowered == end or lowered.endswith(f".{end}") for end in _SHARED):
        return ""
    if any(lowered.endswith(f".{end}") for end in _RENTED):
        return "" if _SERVICE.fullmatch(lowered) else host.partition(".")[0]
    return None


def obeys_header(name: str, value: str) -> bool:
    """Whether this header's value is the protocol's own words."""
    pattern = HEADERS.get(name)
    return pattern is not None and _COMPILED[pattern].fullmatch(value) is not None


def obeys_query(name: str, value: str) -> bool:
    pattern = QUERY.get(name)
    return pattern is not None and _COMPILED[pattern].fullmatch(value) is not None


def is_key(name: str) -> bool:
    """Whether this query key or parameter may be shown: a key can be a secret by itself."""
    lowered = name.lower()
    return (
        lowered in _KNOWN_KEYS
        or lowered in QUERY
        or (len(name) <= _LONGEST_KEY and is_word(name) and "/" not in name)
    )
