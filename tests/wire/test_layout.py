"""Which blob a storage path names, and which paths only a store has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.layout import (
    bucket_and_key,
    digest_in_path,
    is_region,
    is_storage_layout,
    region_of_host,
)
from regtrace.wire.url import Url, parse_url

HEX = "c1b0e21e84e3936fbbbed6040a3d61df01018339c6b6b1dc2e670259da38fee7"
SHA512 = HEX * 2
DIGEST = f"sha256:{HEX}"
TREE = "/docker/registry/v2"
BLOB = f"{TREE}/blobs/sha256/c1/{HEX}/data"


@pytest.mark.parametrize(
    ("path", "digest"),
    [
        (BLOB, DIGEST),
        (f"/registry-v2{BLOB}", DIGEST),
        (f"/gitlab{BLOB}", DIGEST),
        (f"/bucket/base/dir{BLOB}", DIGEST),
        (f"{TREE}/blobs/sha512/c1/{SHA512}/data", f"sha512:{SHA512}"),
        (f"{TREE}/repositories/team/app/_layers/sha256/{HEX}/link", DIGEST),
        (f"{TREE}/repositories/team/app/_manifests/revisions/sha256/{HEX}/link", DIGEST),
        (f"{TREE}/repositories/team/app/_manifests/tags/v1/index/sha256/{HEX}/link", DIGEST),
        (f"/sha256/c1/{HEX}", DIGEST),
        (f"/datastorage/registry/sha256/c1/{HEX}", DIGEST),
        (f"/ghcr1/blobs/{DIGEST}", DIGEST),
        (f"/ghcrblobs12/blobs/{DIGEST}", DIGEST),
        (f"/containers/images/{DIGEST}", DIGEST),
        (f"/team/app/blobs/sha256/{HEX}", DIGEST),
        (f"/docker-local/team/app/v1/sha256__{HEX}", DIGEST),
        (f"{TREE}/blobs/sha256/ff/{HEX}/data", None),
        (f"/sha256/ff/{HEX}", None),
        (f"{TREE}/blobs/sha256/c1/{HEX[:63]}/data", None),
        (f"{BLOB}/more", None),
        (f"{BLOB}\n", None),
        (f"{TREE}/repositories/team/app/_manifests/tags/v1/current/link", None),
        (f"{TREE}/repositories/team/app/_uploads/6e5a/data", None),
        (f"/aol-tenant/filestore/c1/{HEX[:40]}", None),
        ("/3f2a-12345678-0000-1111-2222-333344445555/6e5a1f0c", None),
        ("/artifacts-downloads/namespaces/p/repositories/r/downloads/AF2a", None),
        ("/datastorage/registry/images/6e5a1f0c/layer", None),
        ("/", None),
    ],
)
def test_the_digest_in_a_storage_path(path: str, digest: str | None) -> None:
    assert digest_in_path(path) == digest


@pytest.mark.parametrize(
    "path",
    [
        BLOB,
        f"/bucket{BLOB}",
        f"{TREE}/repositories/team/app/_layers/sha256/{HEX}/link",
        f"{TREE}/repositories/team/app/_manifests/tags/v1/current/link",
        f"{TREE}/repositories/team/app/_uploads/6e5a/data",
        f"{TREE}/repositories/team/app/_uploads/6e5a/startedat",
        f"{TREE}/repositories/team/app/_uploads/6e5a/hashstates/sha256/1024",
        f"/datastorage/registry/sha256/c1/{HEX}",
    ],
)
def test_a_path_that_only_a_store_has(path: str) -> None:
    assert is_storage_layout(path)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/",
        f"/v2/docker/registry/v2/blobs/{DIGEST}",
        f"/v2/docker/registry/v2/manifests/{DIGEST}",
        "/v2/docker/registry/v2/repositories/blobs/uploads/6e5a",
        f"/v2/team/app/blobs/{DIGEST}",
        f"/ghcr1/blobs/{DIGEST}",
        f"{TREE}/blobs/sha256/ff/{HEX}/data",
    ],
)
def test_a_path_that_may_be_a_route(path: str) -> None:
    assert not is_storage_layout(path)


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("https://images.s3.eu-west-1.amazonaws.com/a/b", "images", "a/b"),
        ("https://images.s3.dualstack.eu-west-1.amazonaws.com/a/b", "images", "a/b"),
        ("https://s3.eu-west-1.amazonaws.com/images/a/b", "images", "a/b"),
        ("https://images.s3.cn-north-1.amazonaws.com.cn/a/b", "images", "a/b"),
        ("https://images.s3.amazonaws.com.example.com/data/b", "data", "b"),
        ("https://images.oss-cn-hangzhou.aliyuncs.com/a/b", "images", "a/b"),
        ("https://images-125.cos.ap-beijing.myqcloud.com/a/b", "images-125", "a/b"),
        ("http://minio.test:9000/images/a/b", "images", "a/b"),
        ("http://minio.test:9000/images", "images", None),
        ("http://minio.test:9000/", None, None),
    ],
)
def test_the_bucket_and_the_key(text: str, bucket: str | None, key: str | None) -> None:
    url = parse_url(text)
    assert url is not None
    assert bucket_and_key(url) == (bucket, key)


@given(st.text(), st.text())
def test_any_path_is_read_or_none(host: str, path: str) -> None:
    assert isinstance(digest_in_path(path), str | None)
    assert is_storage_layout(path) in {True, False}
    assert len(bucket_and_key(Url("https", host, 443, path))) == 2


@pytest.mark.parametrize(
    "unit",
    [
        "/docker/registry/v2/repositories/",
        "/sha256/aa/",
        "/_manifests/tags/",
        "a",
        "/blobs/sha256:",
    ],
)
def test_a_long_path_costs_no_time(unit: str) -> None:
    path = unit * 100_000
    assert digest_in_path(path) is None
    assert not is_storage_layout(path)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("bucket.s3.eu-central-1.amazonaws.com", "eu-central-1"),
        ("s3.us-west-2.amazonaws.com", "us-west-2"),
        ("bucket.s3-us-west-2.amazonaws.com", "us-west-2"),
        ("bucket.s3.dualstack.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("bucket.s3-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("s3-fips.dualstack.us-gov-east-1.amazonaws.com", "us-gov-east-1"),
        ("prod-starport-layer-bucket.s3-r-w.eu-west-1.amazonaws.com", "eu-west-1"),
        ("bucket.s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("bucket.s3.amazonaws.com", None),
        ("bucket.s3-accelerate.amazonaws.com", None),
        ("bucket.s3.eu-central-1.amazonaws.com.example.com", None),
    ],
)
def test_the_region_in_a_host(host: str, region: str | None) -> None:
    assert region_of_host(host) == region
    assert region is None or is_region(region)
