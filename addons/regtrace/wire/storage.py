"""Whose object store or CDN answered, and the request ids that its support asks for.

A registry that doesn't serve the bytes itself redirects to one of these. Hosts of hosted services
change without notice, so they are tables, and the last thing that is believed: the answer's headers
and the query's keys say it better.
"""

from __future__ import annotations

from enum import Enum

from regtrace.wire.exchange import Headers
from regtrace.wire.presigned import read_presigned
from regtrace.wire.url import Url

#: A request id; longer ones are not from a store.
_LONGEST_WORD = 256

#: RFC 1035 2.3.4.
_LONGEST_HOST = 253


class Vendor(str, Enum):
    """Whose software answers for the blobs, as far as the wire tells."""

    S3 = "s3"
    CEPH = "ceph"
    MINIO = "minio"
    R2 = "r2"
    GCS = "gcs"
    AZURE = "azure"
    CLOUDFRONT = "cloudfront"
    OSS = "oss"
    SWIFT = "swift"
    COS = "cos"
    ARTIFACT_REGISTRY = "artifact-registry"
    CLOUDFLARE = "cloudflare"
    FASTLY = "fastly"
    AKAMAI = "akamai"


#: Header, what its value begins with (lower case; empty: anything), and whose it is. The first
#: match wins: those who imitate S3 come before S3, and CloudFront before the store behind it.
_HEADERS = (
    ("x-amz-cf-id", "", Vendor.CLOUDFRONT),
    ("server", "cloudfront", Vendor.CLOUDFRONT),
    ("server", "minio", Vendor.MINIO),
    ("x-minio-error-code", "", Vendor.MINIO),
    ("x-minio-deployment-id", "", Vendor.MINIO),
    ("server", "ceph", Vendor.CEPH),
    ("x-amz-request-id", "tx0", Vendor.CEPH),
    ("server", "amazons3", Vendor.S3),
    ("x-amz-id-2", "", Vendor.S3),
    ("x-goog-generation", "", Vendor.GCS),
    ("x-goog-hash", "", Vendor.GCS),
    ("x-guploader-uploadid", "", Vendor.GCS),
    ("server", "uploadserver", Vendor.GCS),
    ("server", "windows-azure-blob", Vendor.AZURE),
    ("x-ms-error-code", "", Vendor.AZURE),
    ("x-ms-blob-type", "", Vendor.AZURE),
    ("x-ms-request-id", "", Vendor.AZURE),
    ("x-oss-request-id", "", Vendor.OSS),
    ("server", "aliyunoss", Vendor.OSS),
    ("x-cos-request-id", "", Vendor.COS),
    ("server", "tencent-cos", Vendor.COS),
    ("x-trans-id", "", Vendor.SWIFT),
    ("x-openstack-request-id", "", Vendor.SWIFT),
)

#: CDNs that may stand before any store; believed last.
_EDGE_HEADERS = (
    ("server", "cloudflare", Vendor.CLOUDFLARE),
    ("cf-ray", "", Vendor.CLOUDFLARE),
    ("server", "akamaighost", Vendor.AKAMAI),
    ("x-akamai-request-id", "", Vendor.AKAMAI),
    ("x-served-by", "cache-", Vendor.FASTLY),
)

#: Host suffixes. Those of hosted registries were seen in public logs and may be out of date.
_HOSTS = (
    ("r2.cloudflarestorage.com", Vendor.R2),
    ("production.cloudflare.docker.com", Vendor.CLOUDFLARE),
    ("production.cloudfront.docker.com", Vendor.CLOUDFRONT),
    ("cloudfront.net", Vendor.CLOUDFRONT),
    ("storage.googleapis.com", Vendor.GCS),
    ("cdn.registry.gitlab-static.net", Vendor.GCS),
    ("pkg.dev", Vendor.ARTIFACT_REGISTRY),
    ("gcr.io", Vendor.ARTIFACT_REGISTRY),
    ("blob.core.windows.net", Vendor.AZURE),
    ("blob.core.chinacloudapi.cn", Vendor.AZURE),
    ("blob.core.usgovcloudapi.net", Vendor.AZURE),
    ("data.azurecr.io", Vendor.AZURE),
    ("data.mcr.microsoft.com", Vendor.AZURE),
    ("pkg-containers.githubusercontent.com", Vendor.AZURE),
)

#: Hosts of whole clouds, and the label that is the store's own (``bucket.s3.dualstack.eu-west-1``)
#: or begins one of its (``s3-fips``, ``s3-accelerate``, ECR's ``s3-r-w``, ``oss-cn-hangzhou``).
_LABELS = (
    (".amazonaws.com", "s3", Vendor.S3),
    (".amazonaws.com.cn", "s3", Vendor.S3),
    (".aliyuncs.com", "oss", Vendor.OSS),
    (".myqcloud.com", "cos", Vendor.COS),
)

_SCHEMES = {
    "s3-v4": Vendor.S3,
    "s3-v2": Vendor.S3,
    "cloudfront": Vendor.CLOUDFRONT,
    "gcs-v4": Vendor.GCS,
    "gcs-v2": Vendor.GCS,
    "google-cdn": Vendor.GCS,
    "azure-sas": Vendor.AZURE,
    "swift": Vendor.SWIFT,
    "oss-v4": Vendor.OSS,
    "oss-v1": Vendor.OSS,
    "cos": Vendor.COS,
    "cloudflare": Vendor.CLOUDFLARE,
    "akamai": Vendor.AKAMAI,
}


def read_vendor(url: Url, response_headers: Headers | None = None) -> Vendor | None:
    """Whose store this is, for a URL that is known to be a storage hop; None when nothing tells.

    The store's own response headers are believed first, then the host, then the query's scheme
    (which says S3 of everything that imitates it), and last a CDN that only stands before it.
    """
    headers = response_headers if response_headers is not None else Headers()
    presigned = read_presigned(url)
    return (
        _by_headers(headers, _HEADERS)
        or _by_host(url.host)
        or (_SCHEMES.get(presigned.scheme) if presigned else None)
        or _by_headers(headers, _EDGE_HEADERS)
    )


def _by_headers(headers: Headers, table: tuple[tuple[str, str, Vendor], ...]) -> Vendor | None:
    for name, start, vendor in table:
        value = headers.get(name)
        if value is not None and value.lower().startswith(start):
            return vendor
    return None


def _by_host(host: str) -> Vendor | None:
    if len(host) > _LONGEST_HOST:
        return None
    host = host.lower()
    for suffix, vendor in _HOSTS:
        if host == suffix or host.endswith("." + suffix):
            return vendor
    for suffix, label, vendor in _LABELS:
        if host.endswith(suffix):
            labels = host.removesuffix(suffix).split(".")
            if any(own == label or own.startswith(label + "-") for own in labels):
                return vendor
    return None


_REQUEST_IDS = (
    "x-amz-request-id",
    "x-amz-id-2",
    "x-amz-cf-id",
    "x-amzn-requestid",
    "x-ms-request-id",
    "x-ms-correlation-request-id",
    "x-guploader-uploadid",
    "x-goog-request-id",
    "x-oss-request-id",
    "x-cos-request-id",
    "x-trans-id",
    "x-openstack-request-id",
    "cf-ray",
    "x-akamai-request-id",
    "x-jf-traceid",
    "x-github-request-id",
    "x-request-id",
)


def request_ids(headers: Headers) -> tuple[tuple[str, str], ...]:
    """The ids that a store's or registry's support asks for: (lower-case header name, value)."""
    return tuple(
        (name, value[:_LONGEST_WORD])
        for name in _REQUEST_IDS
        if (value := headers.get(name)) is not None and value
    )
