"""Signatures in storage URLs: whose key, since when, until when. All keys are made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signed_urls import (
    CLOUDFRONT,
    ENDS,
    POLICY,
    S3_V2,
    S3_V4,
    S3_V4_READ,
    SAS,
    SIGNED,
    cloudfront_policy,
    signed,
)

from regtrace.wire.presigned import Presigned, read_presigned
from regtrace.wire.url import Url


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(S3_V4, S3_V4_READ, id="s3-v4"),
        pytest.param(
            S3_V4.replace("X-Amz-Algorithm", "x-id=GetObject&x-amz-algorithm").replace(
                "SignedHeaders=host", "SignedHeaders=Host%3BRange"
            )
            + "&X-Amz-Security-Token=made-up",
            Presigned(
                scheme="s3-v4",
                key_id="AKIAMADEUPMADEUP",
                signed_at=SIGNED,
                expires_at=ENDS,
                region="eu-west-1",
                service="s3",
                signed_headers=("host", "range"),
                session_token=True,
            ),
            id="s3-v4-temporary-credentials",
        ),
        pytest.param(
            S3_V2,
            Presigned(scheme="s3-v2", key_id="AKIAMADEUPMADEUP", expires_at=ENDS),
            id="s3-v2",
        ),
        pytest.param(
            CLOUDFRONT,
            Presigned(scheme="cloudfront", key_id="APKAMADEUP", expires_at=ENDS),
            id="cloudfront-canned",
        ),
        pytest.param(
            f"Policy={cloudfront_policy(POLICY)}&Signature=made-up&Key-Pair-Id=APKAMADEUP",
            Presigned(scheme="cloudfront", key_id="APKAMADEUP", signed_at=SIGNED, expires_at=ENDS),
            id="cloudfront-policy",
        ),
        pytest.param(
            f"namespace=team&username=builder&repo_name=app&{CLOUDFRONT}",
            Presigned(scheme="cloudfront", key_id="APKAMADEUP", expires_at=ENDS),
            id="quay-cloudfront",
        ),
        pytest.param(
            f"GoogleAccessId=registry%40project.iam.gserviceaccount.com&Expires={ENDS}"
            "&Signature=made%2Bup",
            Presigned(
                scheme="gcs-v2", key_id="registry@project.iam.gserviceaccount.com", expires_at=ENDS
            ),
            id="gcs-v2",
        ),
        pytest.param(
            "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=registry%40project.iam."
            "gserviceaccount.com%2F20261123%2Fauto%2Fstorage%2Fgoog4_request"
            "&X-Goog-Date=20261123T194500Z&X-Goog-Expires=1200&X-Goog-SignedHeaders=host"
            "&X-Goog-Signature=00ff",
            Presigned(
                scheme="gcs-v4",
                key_id="registry@project.iam.gserviceaccount.com",
                signed_at=SIGNED,
                expires_at=ENDS,
                region="auto",
                service="storage",
                signed_headers=("host",),
            ),
            id="gcs-v4",
        ),
        pytest.param(
            f"Expires={ENDS}&KeyName=gitlab-made-up&Signature=made-up",
            Presigned(scheme="google-cdn", key_id="gitlab-made-up", expires_at=ENDS),
            id="google-cloud-cdn",
        ),
        pytest.param(
            SAS,
            Presigned(scheme="azure-sas", signed_at=SIGNED, expires_at=ENDS, permissions="r"),
            id="azure-account-key",
        ),
        pytest.param(
            f"{SAS}&skoid=6e5a1f0c-made-up&sktid=t&skt=2026-11-23&ske=2026-11-24&sks=b&skv=2024",
            Presigned(
                scheme="azure-sas",
                key_id="6e5a1f0c-made-up",
                signed_at=SIGNED,
                expires_at=ENDS,
                permissions="r",
            ),
            id="azure-user-delegation",
        ),
        pytest.param(
            f"temp_url_sig=00ff&temp_url_expires={ENDS}",
            Presigned(scheme="swift", expires_at=ENDS),
            id="swift",
        ),
        pytest.param(
            "temp_url_sig=00ff&temp_url_expires=2026-11-23T20%3A05%3A00Z",
            Presigned(scheme="swift", expires_at=ENDS),
            id="swift-iso",
        ),
        pytest.param(
            f"OSSAccessKeyId=LTAIMADEUP&Expires={ENDS}&Signature=made-up&security-token=made-up",
            Presigned(scheme="oss-v1", key_id="LTAIMADEUP", expires_at=ENDS, session_token=True),
            id="oss-v1",
        ),
        pytest.param(
            "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=LTAIMADEUP%2F20261123"
            "%2Fcn-hangzhou%2Foss%2Faliyun_v4_request&x-oss-date=20261123T194500Z"
            "&x-oss-expires=1200&x-oss-additional-headers=host&x-oss-signature=00ff",
            Presigned(
                scheme="oss-v4",
                key_id="LTAIMADEUP",
                signed_at=SIGNED,
                expires_at=ENDS,
                region="cn-hangzhou",
                service="oss",
                signed_headers=("host",),
            ),
            id="oss-v4",
        ),
        pytest.param(
            f"q-sign-algorithm=sha1&q-ak=AKIDMADEUP&q-sign-time={SIGNED}%3B{ENDS}"
            f"&q-key-time={SIGNED}%3B{ENDS}&q-header-list=host&q-url-param-list=&q-signature=00ff",
            Presigned(
                scheme="cos",
                key_id="AKIDMADEUP",
                signed_at=SIGNED,
                expires_at=ENDS,
                signed_headers=("host",),
            ),
            id="cos",
        ),
        pytest.param(
            f"verify={ENDS}-madeUp%2Bsignature%3D",
            Presigned(scheme="cloudflare", expires_at=ENDS),
            id="docker-hub-cloudflare",
        ),
        pytest.param(
            f"{S3_V4}&cf_sign=made-up&cf_expiry={SIGNED + 60}&region=us-east-1&namespace=team",
            Presigned(
                scheme="cloudflare",
                key_id="AKIAMADEUPMADEUP",
                signed_at=SIGNED,
                expires_at=SIGNED + 60,
                region="eu-west-1",
                service="s3",
                signed_headers=("host",),
            ),
            id="quay-cloudflare",
        ),
        pytest.param(
            f"{S3_V4}&region=us-east-1&namespace=team"
            f"&akamai_signature=exp%3D{SIGNED + 900}~hmac%3D00ff",
            Presigned(
                scheme="akamai",
                key_id="AKIAMADEUPMADEUP",
                signed_at=SIGNED,
                expires_at=SIGNED + 900,
                region="eu-west-1",
                service="s3",
                signed_headers=("host",),
            ),
            id="quay-akamai",
        ),
        pytest.param(
            "X-Artifactory-username=builder&X-Artifactory-repositoryKey=docker-local"
            f"&X-Artifactory-packageType=docker&x-jf-traceId=00ff&{S3_V4}",
            S3_V4_READ,
            id="artifactory-s3",
        ),
        pytest.param(
            f"X-Artifactory-username=builder&{CLOUDFRONT}",
            Presigned(scheme="cloudfront", key_id="APKAMADEUP", expires_at=ENDS),
            id="artifactory-cloudfront",
        ),
    ],
)
def test_every_signature_scheme(query: str, expected: Presigned) -> None:
    assert read_presigned(signed(query)) == expected
    assert read_presigned(signed(query.replace("X-Amz", "x-amz"))) == expected


@pytest.mark.parametrize(
    "query",
    [
        "",
        "digest=sha256%3Aabc&_state=made-up",
        f"Expires={ENDS}&Signature=made-up",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "verify=true",
        "verify=1-2",
        "sig=made-up",
        "service=registry&scope=repository:app:pull",
    ],
)
def test_what_is_not_signed(query: str) -> None:
    assert read_presigned(signed(query)) is None


def test_a_key_id_of_minio_may_contain_a_slash() -> None:
    found = read_presigned(signed(S3_V4.replace("AKIAMADEUPMADEUP", "team%2Fkey")))
    assert found is not None
    assert (found.key_id, found.region) == ("team/key", "eu-west-1")


def test_a_damaged_credential_and_date_leave_the_rest_unknown() -> None:
    found = read_presigned(signed("X-Amz-Credential=x&X-Amz-Signature=y&X-Amz-Expires=1200"))
    assert found == Presigned(scheme="s3-v4", key_id="x")


def test_a_key_id_does_not_show_in_a_repr() -> None:
    assert "AKIA" not in repr(S3_V4_READ)


@pytest.mark.parametrize("policy", ["", "%%%", "e30_", cloudfront_policy({"Statement": [7]}), "é"])
def test_an_unreadable_policy_has_no_times(policy: str) -> None:
    found = read_presigned(signed(f"Policy={policy}&Signature=s&Key-Pair-Id=K"))
    assert found == Presigned(scheme="cloudfront", key_id="K")


KEYS = st.sampled_from(
    [part.partition("=")[0] for text in (S3_V4, S3_V2, CLOUDFRONT, SAS) for part in text.split("&")]
    + ["Policy", "verify", "cf_sign", "cf_expiry", "akamai_signature", "q-ak", "q-signature"]
    + ["temp_url_sig", "temp_url_expires", "x-oss-signature", "x-oss-credential", "x-oss-expires"]
)


@given(st.text(), st.lists(st.tuples(KEYS | st.text(), st.text())))
def test_any_query_is_read_or_none(host: str, query: list[tuple[str, str]]) -> None:
    hostile = Url("https", host, 443, "/", tuple(query))
    assert isinstance(read_presigned(hostile), Presigned | None)
