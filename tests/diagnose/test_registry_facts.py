"""What is read out of a registry's refusals: names, limits, disks, digests."""

from __future__ import annotations

import json

import pytest

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.facts.blobs import Standing, missing_of
from regtrace.diagnose.facts.content import expected, from_cache
from regtrace.diagnose.facts.disk import DiskFault, disk_fault
from regtrace.diagnose.facts.last_words import digests_in
from regtrace.diagnose.facts.limits import (
    Quota,
    allowed_per_minute,
    is_throttled,
    read_allowance,
    read_quota,
    retry_after,
)
from regtrace.diagnose.facts.manifests import ManifestFault, manifest_fault, type_refusal
from regtrace.diagnose.facts.names import NameFault, name_fault, tag_fault
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.leg import Leg
from regtrace.wire.notation import read_names, read_notation


def last(story: str) -> Leg:
    return decode(read_notation(story)[-1])


def refused(body: str, ask: str = "POST uploads", status: int = 500) -> Leg:
    return last(f"{ask} -> {status}\n  << {body}\n")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("team/app", None),
        ("team/my_app.x/a__b", NameFault.DASHES),
        ("team/my--app", NameFault.DASHES),
        ("app", NameFault.TOO_FEW_PARTS),
        ("Team/app", NameFault.UPPER_CASE),
        ("_team/app", NameFault.BEGINS),
        ("team/-app", NameFault.BEGINS),
        ("team/app-", NameFault.ENDS),
        ("team/app.", NameFault.ENDS),
        ("team/a..b", NameFault.SEPARATORS),
        ("team/a___b", NameFault.SEPARATORS),
        ("team/a-_b", NameFault.SEPARATORS),
        ("team//app", NameFault.EMPTY_PART),
        ("team/app/", NameFault.EMPTY_PART),
        ("team/a b", NameFault.CHARACTERS),
        ("team/ä", NameFault.CHARACTERS),
        ("a" * 256, NameFault.TOO_LONG),
        ("", NameFault.EMPTY_PART),
    ],
)
def test_names(name: str, fault: NameFault | None) -> None:
    assert name_fault(name) is fault


@pytest.mark.parametrize(
    ("tag", "fault"),
    [
        ("v1.0-RC_1", None),
        ("_x", None),
        ("-x", NameFault.BEGINS),
        (".x", NameFault.BEGINS),
        ("feature+x", NameFault.CHARACTERS),
        ("a" * 129, NameFault.TOO_LONG),
    ],
)
def test_tags(tag: str, fault: NameFault | None) -> None:
    assert tag_fault(tag) is fault


@pytest.mark.parametrize(
    ("detail", "fault"),
    [
        ('{"DriverName":"filesystem","Enclosed":{"Op":"mkdir","Path":"/v","Err":28}}', "full"),
        ('{"Op":"open","Path":"/v","Err":122}', "quota"),
        ('{"Op":"open","Path":"/v","Err":13}', "denied"),
        ('{"Op":"open","Path":"/v","Err":30}', "read-only"),
        ('{"Op":"read","Path":"/v","Err":5}', "damaged"),
        ('{"Op":"open","Path":"/v","Err":24}', "files"),
        ('{"Op":"open","Path":"/v","Err":116}', "stale"),
        ('{"Op":"write","Path":"/v","Err":27}', "too-large"),
        ('"filesystem: mkdir /var/lib/registry: permission denied"', "denied"),
        ('"write /data/x: no space left on device"', "full"),
        ('"open /data/x: too many open files"', "files"),
        ('"googleapi: Error 403: permission denied"', None),
        ('{"Err":28}', None),
        ('{"Op":"open","Err":"28"}', None),
        ('{"Op":"open","Err":4242}', None),
        ("null", None),
    ],
)
def test_disks(detail: str, fault: str | None) -> None:
    leg = refused(
        f'{{"errors":[{{"code":"UNKNOWN","message":"unknown error","detail":{detail}}}]}}'
    )
    assert disk_fault(leg) is (DiskFault(fault) if fault else None)


@pytest.mark.parametrize(
    ("message", "quota"),
    [
        (
            (
                "adding 29.0 MiB of storage resource, which when updated to current usage of 152.4"
                " MiB will exceed the configured upper limit of 10 GiB."
            ),
            Quota("152.4 MiB", "10 GiB", "29.0 MiB"),
        ),
        (
            (
                "subtracting 0 B of storage resource, which when updated to current usage of 5 B"
                " will exceed the configured upper limit of 1 B."
            ),
            Quota("5 B", "1 B"),
        ),
        (
            (
                "Quota exceeded when processing the request of adding 1.3 MiB, which when added to"
                " current usage of 235.9 MiB will exceed the configured upper limit of 100.0 MiB."
            ),
            Quota("235.9 MiB", "100.0 MiB"),
        ),
        ("Quota has been exceeded on namespace", Quota()),
        ("registry contains 1 repositories, limit is 1", Quota(limit="1 repository")),
        ("requested access to the resource is denied", None),
        ("the limit is 5", None),
    ],
)
def test_quotas(message: str, quota: Quota | None) -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": message}]})
    assert read_quota(refused(body, status=403)) == quota


def test_a_rate_is_no_quota() -> None:
    leg = last('POST uploads -> 429 TOOMANYREQUESTS "quota exceeded, allowed: 60/minute"')
    assert read_quota(leg) is None
    assert is_throttled(leg)
    assert allowed_per_minute(leg) == 60


def test_rates() -> None:
    leg = last(
        "GET manifest 1 -> 200\n  < ratelimit-limit: 100;w=21600\n"
        "  < ratelimit-remaining: 10;w=21600\n  < Retry-After: 30\n"
    )
    allowance = read_allowance(leg)
    assert allowance is not None
    assert (allowance.limit, allowance.remaining, allowance.window) == (100, 10, 21600)
    assert allowance.nearly_used_up
    assert retry_after(leg) == 30
    assert not is_throttled(leg)


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "  < ratelimit-limit: 0\n  < ratelimit-remaining: 0\n",
        "  < ratelimit-limit: many\n  < ratelimit-remaining: 3\n",
        "  < ratelimit-remaining: 3\n",
    ],
)
def test_no_rates(headers: str) -> None:
    assert read_allowance(last(f"GET manifest 1 -> 200\n{headers}")) is None


def test_a_throttled_storage_is_not_the_registrys() -> None:
    assert not is_throttled(last("GET blob L1 -> 307 s3\nGET s3 L1 -> 429"))


@pytest.mark.parametrize(
    ("header", "cached"),
    [
        ("Age: 30", "Age"),
        ("Age: 0", None),
        ("Age: many", None),
        ("X-Cache: HIT", "X-Cache"),
        ("X-Cache: Hit from cloudfront", "X-Cache"),
        ("X-Cache: TCP_HIT from proxy", "X-Cache"),
        ("X-Cache: Miss from cloudfront", None),
        ("CF-Cache-Status: DYNAMIC", None),
        ("CF-Cache-Status: HIT", "CF-Cache-Status"),
    ],
)
def test_caches(header: str, cached: str | None) -> None:
    assert from_cache(last(f"GET manifest 1 -> 200\n  < {header}\n")) == cached


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("", None),
        ("  >>\n", ManifestFault.EMPTY),
        ("  >> {\n", ManifestFault.NOT_JSON),
        ("  >> ?\n", None),
        ("  > Content-Type: application/vnd.oci.image.index.v1+json\n", ManifestFault.TWO_TYPES),
        ('  >> {"schemaVersion": 2, "layers": []}\n', ManifestFault.NO_TYPE),
    ],
)
def test_manifests(change: str, fault: ManifestFault | None) -> None:
    assert manifest_fault(last(f"PUT manifest 1 [cfg L1] -> 400\n{change}")) is fault


@pytest.mark.parametrize(
    ("answer", "is_for_its_type"),
    [
        ("415 MANIFEST_INVALID", True),
        ('400 MANIFEST_INVALID "unsupported manifest media type"', True),
        ("405 UNSUPPORTED", True),
        ("400 MANIFEST_INVALID", False),
        ('400 MANIFEST_BLOB_UNKNOWN "media type"', False),
        ('403 DENIED "media type"', False),
        ("503 nginx", False),
    ],
)
def test_types(answer: str, is_for_its_type: bool) -> None:
    leg = last(f"client docker/24.0.7\nPUT manifest 1 [cfg L1] -> {answer}")
    assert (type_refusal(leg) is not None) is is_for_its_type


def test_digests_are_found_wherever_they_stand() -> None:
    one, two = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
    detail = {"digest": two, "again": [one]}
    error = {"code": "MANIFEST_BLOB_UNKNOWN", "message": f"blob {one} unknown", "detail": detail}
    body = json.dumps({"errors": [error]})
    assert set(digests_in(refused(body))) == {one, two}
    assert digests_in(refused("sha256:short")) == ()


STORY = """
client crane/0.19.1
GET /v2/                     -> 401
token push,pull team/app     -> 200
HEAD blob L1                 -> 200
POST uploads                 -> 202
PATCH u1 L2                  -> 202
PUT u1 L2                    -> 201
POST uploads mount=L3 from=base/app -> 201
PUT manifest 1 [cfg L1 L2 L3] -> 400 MANIFEST_BLOB_UNKNOWN
"""


def told(story: str) -> Facts:
    (operation,) = tell([decode(exchange) for exchange in read_notation(story)])
    return Facts(operation)


def test_what_was_left_undone_is_missing_when_nothing_is_named() -> None:
    facts = told(STORY)
    (missing,) = missing_of(facts, facts.legs[-1])
    assert missing.standing is Standing.UNTOUCHED
    assert missing.digest == read_names(STORY)["cfg"]


def test_each_missing_blob_has_its_history() -> None:
    names = read_names(STORY)
    missing = [names[name] for name in ("cfg", "L1", "L2", "L3")]
    errors = [{"code": "MANIFEST_BLOB_UNKNOWN", "detail": digest} for digest in missing]
    facts = told(f"{STORY}  << {json.dumps({'errors': errors})}")
    assert [each.standing for each in missing_of(facts, facts.legs[-1])] == [
        Standing.UNTOUCHED,
        Standing.SKIPPED,
        Standing.STORED,
        Standing.MOUNTED,
    ]


def test_a_blobs_size_is_what_its_manifest_says() -> None:
    facts = told(
        "client crane/0.19.1\nblob L1 5kB\nGET manifest 1 [cfg L1] -> 200\nGET blob L1 -> 200\n"
        "  < Content-Length: 17\n"
    )
    assert expected(facts, facts.legs[-1]) == 5000
