"""Whose store answered, and the request ids that its support asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signed_urls import CLOUDFRONT, ENDS, S3_V2, S3_V4, SAS, signed, url

from regtrace.wire.exchange import Headers
from regtrace.wire.storage import Vendor, read_vendor, request_ids
from regtrace.wire.url import Url


@pytest.mark.parametrize(
    ("vendor", "headers"),
    [
        (Vendor.S3, {"x-amz-request-id": "4442587FB7D0A2F9", "x-amz-id-2": "made/up="}),
        (Vendor.S3, {"Server": "AmazonS3"}),
        (Vendor.CLOUDFRONT, {"Server": "CloudFront", "X-Amz-Cf-Id": "made-up"}),
        (Vendor.CLOUDFRONT, {"Server": "AmazonS3", "X-Amz-Cf-Id": "m", "x-amz-id-2": "m"}),
        (Vendor.MINIO, {"Server": "MinIO", "x-amz-request-id": "17F0", "x-amz-id-2": "dd90"}),
        (Vendor.MINIO, {"X-Minio-Error-Code": "NoSuchKey", "Server": "nginx"}),
        (Vendor.CEPH, {"x-amz-request-id": "tx000005e0da4ce2b48b643-006b049971-1024-default"}),
        (Vendor.GCS, {"X-GUploader-UploadID": "made-up", "Server": "UploadServer"}),
        (Vendor.GCS, {"x-goog-generation": "1795463100"}),
        (Vendor.AZURE, {"Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0"}),
        (Vendor.AZURE, {"x-ms-request-id": "6e5a1f0c", "x-ms-error-code": "BlobNotFound"}),
        (Vendor.SWIFT, {"X-Trans-Id": "tx00ff", "X-Openstack-Request-Id": "tx00ff"}),
        (Vendor.OSS, {"Server": "AliyunOSS", "x-oss-request-id": "5C3D"}),
        (Vendor.COS, {"Server": "tencent-cos", "x-cos-request-id": "NWU"}),
        (Vendor.CLOUDFLARE, {"Server": "cloudflare", "CF-RAY": "8d00-FRA"}),
        (Vendor.AKAMAI, {"Server": "AkamaiGHost"}),
        (Vendor.FASTLY, {"X-Served-By": "cache-fra-etou8220", "X-Timer": "S1795463100"}),
        (None, {"Server": "nginx", "X-Served-By": "backend-3"}),
        (None, {}),
    ],
)
def test_the_headers_of_every_store(vendor: Vendor | None, headers: dict[str, str]) -> None:
    assert read_vendor(url("https://store.test/object"), Headers(headers.items())) == vendor


@pytest.mark.parametrize(
    ("host", "vendor"),
    [
        ("bucket.s3.eu-west-1.amazonaws.com", Vendor.S3),
        ("bucket.s3.amazonaws.com", Vendor.S3),
        ("bucket.s3-eu-west-1.amazonaws.com", Vendor.S3),
        ("bucket.s3.dualstack.eu-west-1.amazonaws.com", Vendor.S3),
        ("bucket.s3-fips.us-gov-west-1.amazonaws.com", Vendor.S3),
        ("bucket.s3-accelerate.amazonaws.com", Vendor.S3),
        ("bucket.s3.cn-north-1.amazonaws.com.cn", Vendor.S3),
        ("s3.eu-west-1.amazonaws.com", Vendor.S3),
        ("s3.amazonaws.com", Vendor.S3),
        ("s3.dualstack.eu-west-1.amazonaws.com", Vendor.S3),
        ("prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com", Vendor.S3),
        ("prod-eu-west-1-starport-layer-bucket.s3-r-w.eu-west-1.amazonaws.com", Vendor.S3),
        ("prod-registry-k8s-io-eu-west-1.s3.dualstack.eu-west-1.amazonaws.com", Vendor.S3),
        ("quayio-production-s3.s3.us-east-1.amazonaws.com", Vendor.S3),
        ("jfrog-prod-euw1.s3.amazonaws.com", Vendor.S3),
        ("d5l0dvt14r5h8.cloudfront.net", Vendor.CLOUDFRONT),
        ("production.cloudfront.docker.com", Vendor.CLOUDFRONT),
        ("production.cloudflare.docker.com", Vendor.CLOUDFLARE),
        ("docker-images-prod.0123456789abcdef.r2.cloudflarestorage.com", Vendor.R2),
        ("0123456789abcdef.r2.cloudflarestorage.com", Vendor.R2),
        ("pkg-containers.githubusercontent.com", Vendor.AZURE),
        ("account.blob.core.windows.net", Vendor.AZURE),
        ("account.blob.core.chinacloudapi.cn", Vendor.AZURE),
        ("account.blob.core.usgovcloudapi.net", Vendor.AZURE),
        ("name.westeurope.data.azurecr.io", Vendor.AZURE),
        ("westeurope.data.mcr.microsoft.com", Vendor.AZURE),
        ("storage.googleapis.com", Vendor.GCS),
        ("bucket.storage.googleapis.com", Vendor.GCS),
        ("cdn.registry.gitlab-static.net", Vendor.GCS),
        ("europe-docker.pkg.dev", Vendor.ARTIFACT_REGISTRY),
        ("eu.gcr.io", Vendor.ARTIFACT_REGISTRY),
        ("bucket.oss-cn-hangzhou.aliyuncs.com", Vendor.OSS),
        ("bucket.oss-cn-hangzhou-internal.aliyuncs.com", Vendor.OSS),
        ("bucket-125000.cos.ap-guangzhou.myqcloud.com", Vendor.COS),
        ("BUCKET.S3.AMAZONAWS.COM", Vendor.S3),
        ("registry.cn-hangzhou.aliyuncs.com", None),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", None),
        ("notcloudfront.net", None),
        ("cdn01.quay.io", None),
        ("minio.example.test", None),
        ("s3." * 1000 + "amazonaws.com", None),
    ],
)
def test_the_hosts_of_every_service(host: str, vendor: Vendor | None) -> None:
    assert read_vendor(Url("https", host, 443, "/object")) == vendor


@pytest.mark.parametrize(
    ("query", "vendor"),
    [
        (S3_V4, Vendor.S3),
        (S3_V2, Vendor.S3),
        (CLOUDFRONT, Vendor.CLOUDFRONT),
        (SAS, Vendor.AZURE),
        (f"temp_url_sig=0&temp_url_expires={ENDS}", Vendor.SWIFT),
        (f"{S3_V4}&cf_sign=made-up&cf_expiry={ENDS}", Vendor.CLOUDFLARE),
        (f"{S3_V4}&akamai_signature=exp={ENDS}~hmac=0", Vendor.AKAMAI),
    ],
)
def test_the_query_tells_when_nothing_else_does(query: str, vendor: Vendor) -> None:
    assert read_vendor(signed(query, "cdn01.quay.io"), Headers([("Server", "nginx")])) == vendor


def test_headers_are_believed_before_the_host_and_the_host_before_the_query() -> None:
    ceph = Headers([("x-amz-request-id", "tx00000ff-default")])
    assert read_vendor(signed(S3_V4, "bucket.s3.amazonaws.com"), ceph) == Vendor.CEPH
    assert read_vendor(signed(S3_V4, "a.r2.cloudflarestorage.com")) == Vendor.R2


def test_a_cdn_does_not_hide_the_store_behind_it() -> None:
    edge = {"Server": "cloudflare", "CF-RAY": "8d00-FRA"}
    r2 = signed(S3_V4, "a.r2.cloudflarestorage.com")
    minio = Headers({**edge, "X-Minio-Error-Code": "AccessDenied"}.items())
    assert read_vendor(r2, Headers(edge.items())) == Vendor.R2
    assert read_vendor(signed(S3_V4), Headers(edge.items())) == Vendor.S3
    assert read_vendor(signed(S3_V4), minio) == Vendor.MINIO


def test_the_ids_that_support_asks_for() -> None:
    headers = Headers(
        [
            ("Date", "Mon, 23 Nov 2026 19:45:00 GMT"),
            ("X-Amz-Id-2", "made/up="),
            ("X-Amz-Request-Id", "4442587FB7D0A2F9"),
            ("CF-RAY", "8d00-FRA"),
            ("X-Request-Id", ""),
            ("X-Trans-Id", "t" * 10_000),
        ]
    )
    ids = dict(request_ids(headers))
    assert list(ids) == ["x-amz-request-id", "x-amz-id-2", "x-trans-id", "cf-ray"]
    assert ids["x-amz-request-id"] == "4442587FB7D0A2F9"
    assert len(ids["x-trans-id"]) < 1000


@given(st.text(), st.text(), st.text())
def test_any_answer_is_somebodys_or_nobodys(host: str, path: str, header: str) -> None:
    headers = Headers([("Server", header), ("x-amz-request-id", header)])
    assert isinstance(read_vendor(Url("https", host, 443, path), headers), Vendor | None)
    assert isinstance(request_ids(headers), tuple)
