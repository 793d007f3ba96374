"""Why a storage refused, from whichever answer says it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.lateness import read_lateness
from regtrace.diagnose.facts.storage_errors import Reason, StorageRefusal
from regtrace.diagnose.rule import Confidence, Owner
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation
from regtrace.wire.storage import Vendor

PULL = """
client containerd/1.7.2
HEAD manifest 1 -> 401
token pull team/app -> 200
GET manifest 1 -> 200
"""


def facts_of(story: str) -> Facts:
    (operation,) = tell([decode(exchange) for exchange in read_notation(story)])
    return Facts(operation)


def refusals(story: str) -> tuple[StorageRefusal, ...]:
    return facts_of(story).storage_refusals


def refusal(story: str) -> StorageRefusal:
    (only,) = refusals(story)
    return only


def passed_on(detail: Any, status: int = 500) -> tuple[StorageRefusal, ...]:
    """A registry's own error with this detail."""
    body = json.dumps({"errors": [{"code": "UNKNOWN", "message": "unknown", "detail": detail}]})
    return refusals(f"{PULL}GET blob L1 -> {status}\n << {body}")


@pytest.mark.parametrize(
    ("detail", "vendor", "reason"),
    [
        ("s3aws: AccessDenied: Access Denied\n\tstatus code: 403", Vendor.S3, Reason.DENIED),
        ("s3aws: NoSuchBucket: no such bucket", Vendor.S3, Reason.NO_BUCKET),
        ("s3aws: Path not found: /docker/registry/v2/x", Vendor.S3, Reason.NO_OBJECT),
        ({"driver": "s3aws", "detail": "SlowDown: wait"}, Vendor.S3, Reason.THROTTLED),
        ({"DriverName": "s3aws", "Enclosed": {"RequestFailure": {}}}, Vendor.S3, None),
        ({"DriverName": "s3aws", "Path": "/docker/registry/v2/x"}, Vendor.S3, Reason.NO_OBJECT),
        (
            {"DriverName": "azure", "Enclosed": {"Code": "AuthenticationFailed"}},
            Vendor.AZURE,
            Reason.SIGNATURE,
        ),
        (
            "gcs: googleapi: Error 403: r@p does not have storage.objects.create access",
            Vendor.GCS,
            Reason.DENIED,
        ),
        (
            "s3aws: AccessDenied: not authorized to perform: kms:GenerateDataKey",
            Vendor.S3,
            Reason.ENCRYPTION_KEY,
        ),
        ("upload failed: RequestTimeTooSkewed: too large", None, Reason.SKEWED),
    ],
)
def test_what_the_registry_passes_on(
    detail: Any, vendor: Vendor | None, reason: Reason | None
) -> None:
    (said,) = passed_on(detail)
    assert said.nested
    assert (said.vendor, said.reason) == (vendor, reason)


@pytest.mark.parametrize(
    "detail",
    [
        None,
        "unexpected EOF",
        "InvalidToken: of the registry's own",
        "filesystem: no space left on device",
        {"DriverName": "filesystem", "Enclosed": {"Op": "mkdir", "Err": 28}},
        {"DriverName": 7},
    ],
)
def test_what_is_no_storages_refusal(detail: Any) -> None:
    assert passed_on(detail) == ()
    assert passed_on("s3aws: AccessDenied: no", status=404) == ()


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda e: st.lists(e) | st.dictionaries(st.text(), e)
    )
)
def test_any_detail_is_read(detail: Any) -> None:
    assert len(passed_on(detail)) <= 1


def test_a_get_says_why_its_head_was_refused() -> None:
    head, got = refusals(
        f"{PULL}HEAD blob L1 -> 307 s3\nHEAD s3 L1 -> 403\n"
        "GET blob L1 -> 307 s3\nGET s3 L1 -> 403 InvalidAccessKeyId"
    )[::-1]
    assert (head.leg.method, got.leg.method) == ("HEAD", "GET")
    assert head.reason is got.reason is Reason.ACCESS_KEY
    assert head.told_by is got.leg
    assert head.sure is Confidence.CERTAIN


def test_another_object_says_it_of_the_same_key() -> None:
    found = refusals(
        f"{PULL}HEAD blob L1 -> 307 s3\nHEAD s3 L1 -> 403\n"
        "GET blob cfg -> 307 s3\nGET s3 cfg -> 403 AccessDenied"
    )
    head = next(each for each in found if each.leg.method == "HEAD")
    assert (head.reason, head.sure) == (Reason.DENIED, Confidence.LIKELY)


def test_without_its_time_a_storage_that_denies_may_mean_a_url_that_is_over() -> None:
    told = f"{PULL}GET blob L1 -> 307 s3\nGET s3 L1 -> 403"
    assert refusal(told).sure is Confidence.CERTAIN
    timeless = refusal(f"{told}\n  < -Date")
    assert (timeless.reason, timeless.sure) == (Reason.DENIED, Confidence.LIKELY)


def test_what_is_said_of_one_url_is_not_said_of_another() -> None:
    found = refusals(
        f"{PULL}HEAD blob L1 -> 307 s3\nHEAD s3 L1 -> 403\n"
        "GET blob L1 -> 307 s3\n+1800s GET s3 L1 -> 403 AccessDenied"
    )
    assert {each.leg.method: each.reason for each in found} == {
        "HEAD": None,
        "GET": Reason.EXPIRED,
    }


def test_a_registry_that_asks_for_a_login_has_not_refused() -> None:
    """Some blobs lie behind another host of the registry's, with tokens of its own."""
    story = (
        "GET blob L1 -> 307 https://blobs.registry.test/L1\n"
        "GET https://blobs.registry.test/L1 -> 401\n"
        '  < WWW-Authenticate: Bearer realm="https://auth.test/token",service="s"'
    )
    assert refusals(PULL + story) == ()


def test_a_body_that_was_not_kept_leaves_the_headers() -> None:
    """A HAR file without bodies: the status stays, and Azure's code."""
    silent = refusal(f"{PULL}GET blob L1 -> 307 s3\nGET s3 L1 -> 403\n << ?")
    assert silent.reason is None
    azure = refusal(f"{PULL}GET blob L1 -> 307 azure\nGET azure L1 -> 403\n << ?")
    assert azure.reason is Reason.SIGNATURE


@pytest.mark.parametrize(
    ("hop", "owner", "words"),
    [
        # Kept for half an hour.
        ("307 s3\n+1800s GET s3 L1 -> 403", Owner.CLIENT, "30 minutes earlier"),
        # The registry signs with an old clock.
        ("307 s3 clock=-7200s\nGET s3 L1 -> 403", Owner.REGISTRY, "is behind the storage's"),
        # The storage's clock is ahead, and the proxy's agrees with the registry's.
        ("307 s3\nGET s3 L1 -> 403 clock=+7200s", Owner.STORAGE, "the storage's is ahead"),
        # The registry's own Date is past the end already.
        (
            "307 s3 clock=-7200s\n  < Date: Thu, 15 Jan 2026 12:00:01 GMT\nGET s3 L1 -> 403",
            Owner.FRONT_PROXY,
            "from a cache",
        ),
        ("307 s3 clock=+7200s\nGET s3 L1 -> 403", Owner.REGISTRY, "ahead of the storage's"),
        ("307 s3\nGET s3 L1 -> 403 clock=-7200s", Owner.STORAGE, "clock is 2 hours behind"),
    ],
)
def test_whose_fault_a_url_out_of_its_time_is(hop: str, owner: Owner, words: str) -> None:
    facts = facts_of(f"{PULL}GET blob L1 -> {hop}")
    (late,) = facts.storage_refusals
    assert late.reason in {Reason.EXPIRED, Reason.NOT_YET_VALID}
    why = read_lateness(facts, late)
    assert why.owner is owner
    assert words in why.sentence
