"""A bad operation beside a good one: the first leg at which they part is the one that a person
would name, and what changes from run to run is no divergence."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from captured import NAMES, report_on
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from rich.cells import cell_len
from sample_reports import failing_push, good_push, hostile, leg

from regtrace.report.compare.choose import Unlike, choose
from regtrace.report.compare.compare import compare
from regtrace.report.compare.json import render as as_json
from regtrace.report.compare.model import Diff, Difference, Row
from regtrace.report.compare.output import FORMATS
from regtrace.report.compare.text import render as as_text
from regtrace.report.model import Leg, Operation, Report

SCHEMA = Draft202012Validator(
    json.loads((files("regtrace.report.compare") / "diff-1.json").read_text("utf-8"))
)

TOKEN = {
    "kind": "jwt",
    "label": "token-1",
    "issuer": "auth.test",
    "audience": ["registry.test"],
    "not_before": 1_700_000_000.0,
    "expires": 1_700_000_300.2,
}
SIGNED = {
    "scheme": "s3-v4",
    "signed_at": 1_700_000_000.0,
    "expires_at": 1_700_001_200.0,
    "region": "us-east-1",
    "signed_headers": ["host"],
}
TARGET = "https://s3.test:9000/bucket/docker/registry/v2/blobs/sha256/ab/{}/data?X-Amz-Signature={}"


def told() -> Report:
    """The good push, in which each leg says what it says in a capture."""
    said: dict[str, dict[str, Any]] = {
        "l1": {
            "challenges": ['Bearer realm="https://auth.test/token",service="registry.test"'],
            "response_headers": ["Content-Length", "WWW-Authenticate"],
        },
        "l2": {
            "asked": ["repository:team/app:pull,push"],
            "granted": ["repository:team/app:pull,push"],
            "issued_token": TOKEN,
            "credentials": "basic",
        },
        "l5": {
            "location": "https://registry.test:5050/v2/team/app/blobs/uploads/"
            "74f2b221-2875-4266-8c17-c35b0f70fa64?_state=state-1(offset=0,started=1)",
            "credentials": "bearer",
            "request_headers": ["Authorization", "Content-Length"],
            "response_headers": ["Docker-Upload-UUID", "Location", "Range"],
        },
        "l8": {"location": TARGET.format("ab" * 32, "signature-1"), "credentials": "bearer"},
        "l9": {"vendor": "s3", "signature": SIGNED},
    }
    report = good_push()
    legs = {
        id_: replace(one, decoded={**one.decoded, **said.get(id_, {})})
        for id_, one in report.legs.items()
    }
    return replace(report, legs=legs)


def changed(report: Report, id_: str, **values: Any) -> Report:
    """With other values in this leg; those of ``decoded`` beside what is in it, None takes away."""
    old = report.legs[id_]
    if "decoded" in values:
        merged = {**old.decoded, **values["decoded"]}
        values["decoded"] = {key: value for key, value in merged.items() if value is not None}
    return replace(report, legs={**report.legs, id_: replace(old, **values)})


def ended(report: Report, outcome: str) -> Report:
    (operation,) = report.operations
    return replace(report, operations=(replace(operation, outcome=outcome),))


def without(report: Report, *ids: str) -> Report:
    """As if these legs had never been."""
    (operation,) = report.operations
    transfers = tuple(
        replace(one, legs=tuple(id_ for id_ in one.legs if id_ not in ids))
        for one in operation.transfers
    )
    kept = tuple(id_ for id_ in operation.legs if id_ not in ids)
    legs = {id_: one for id_, one in report.legs.items() if id_ not in ids}
    operation = replace(operation, legs=kept, transfers=tuple(one for one in transfers if one.legs))
    return replace(report, operations=(operation,), legs=legs)


def first(diff: Diff) -> Row:
    (row,) = [row for row in diff.rows if row.id == diff.first]
    return row


def mattering(row: Row) -> Difference:
    return next(one for one in row.differences if one.matters)


def test_the_storage_that_refuses_is_the_first_divergence() -> None:
    diff = compare(good_push(), failing_push())
    row = first(diff)
    assert (row.good and row.good.leg, row.bad and row.bad.leg) == ("l9", "l9")
    assert mattering(row) == Difference("status", "", "200", "403", matters=True)
    assert diff.verdict.outcome == "differs"
    assert "S3 HEAD 403 of blob ab12cd34ef56…: status 403 instead of 200" in diff.verdict.sentence
    (missing,) = [row for row in diff.rows if row.bad is None]
    assert (missing.kind, missing.follows) == ("manifest-put", row.id)
    assert [cause.slug for cause in diff.causes] == ["storage-403-on-head"]


def test_a_run_beside_itself_is_alike() -> None:
    diff = compare(told(), told())
    assert (diff.verdict.outcome, diff.first, diff.overall) == ("alike", None, ())
    assert not any(row.differences for row in diff.rows)


def test_what_is_new_in_every_run_is_no_difference() -> None:
    """Tokens, sessions, states, signatures, digests, clock times and a little more time."""
    later = told()
    for id_, one in later.legs.items():
        later = changed(later, id_, started=one.started + 999, ended=(one.ended or 0) + 999.3)
    moved = {key: TOKEN[key] + 999 for key in ("not_before", "expires")}
    later = changed(
        later,
        "l2",
        decoded={"token": "token-7", "issued_token": {**TOKEN, **moved, "label": "token-9"}},
    )
    location = later.legs["l5"].decoded["location"]
    other = location.replace("74f2b221", "0aa2b221").replace("state-1(offset=0", "state-9(offset=7")
    later = changed(later, "l5", decoded={"location": other, "session": "0aa2b221"})
    later = changed(
        later,
        "l8",
        decoded={"location": TARGET.format("cd" * 32, "signature-4").replace("/ab/", "/cd/")},
    )
    times = {"signed_at": SIGNED["signed_at"] + 999, "expires_at": SIGNED["expires_at"] + 999}
    later = changed(later, "l9", decoded={"signature": {**SIGNED, **times}})
    (operation,) = later.operations
    later = replace(
        later,
        operations=(
            replace(operation, started=operation.started + 999, ended=operation.ended + 999),
        ),
    )
    diff = compare(told(), later)
    assert [row.differences for row in diff.rows if row.differences] == []


Change = Callable[[Report], Report]


def decoded(id_: str, **said: Any) -> Change:
    return lambda report: changed(report, id_, decoded=said)


def token(**claims: Any) -> Change:
    return decoded("l2", issued_token={**TOKEN, **claims})


def signature(**said: Any) -> Change:
    return decoded("l9", signature={**SIGNED, **said})


CHANGES: Mapping[str, tuple[Change, str, tuple[str, str, str | None, str | None]]] = {
    "the realm": (
        decoded(
            "l1", challenges=['Bearer realm="https://other.test/token",service="registry.test"']
        ),
        "l1",
        (
            "challenge",
            "",
            'Bearer realm="https://auth.test/token",service="registry.test"',
            'Bearer realm="https://other.test/token",service="registry.test"',
        ),
    ),
    "no challenge": (
        decoded("l1", challenges=None, response_headers=["Content-Length"]),
        "l1",
        ("challenge", "", 'Bearer realm="https://auth.test/token",service="registry.test"', None),
    ),
    "scope granted": (
        decoded("l2", granted=["repository:team/app:pull"]),
        "l2",
        ("scope", "granted", "repository:team/app:pull,push", "repository:team/app:pull"),
    ),
    "audience": (
        token(audience=["other.test"]),
        "l2",
        ("claims", "audience", "registry.test", "other.test"),
    ),
    "issuer": (token(issuer="b.test"), "l2", ("claims", "issuer", "auth.test", "b.test")),
    "lifetime": (
        token(expires=1_700_000_005.2),
        "l2",
        ("claims", "lifetime", "5 min 00 s left", "5.00 s left"),
    ),
    "not valid yet": (
        token(not_before=1_700_000_200.2),
        "l2",
        ("claims", "clock", "0.20 s behind the request", "3 min 20 s ahead of the request"),
    ),
    "no token": (decoded("l2", issued_token=None), "l2", ("claims", "", "jwt", "no token")),
    "anonymous": (
        decoded("l2", credentials=None),
        "l2",
        ("credentials", "credentials", "basic", None),
    ),
    "Location lost": (
        decoded("l5", location=None, response_headers=["Docker-Upload-UUID", "Range"]),
        "l5",
        ("headers", "response", "Location", None),
    ),
    "Authorization lost": (
        decoded("l5", request_headers=["Content-Length"]),
        "l5",
        ("headers", "request", "Authorization", None),
    ),
    "another scheme": (
        decoded("l5", location="http://registry.test:5050/v2/team/app/blobs/uploads/u?_state=x"),
        "l5",
        (
            "redirect",
            "target",
            "https://<registry>/v2/<repository>/blobs/uploads/<id>?_state",
            "http://<registry>/v2/<repository>/blobs/uploads/u?_state",
        ),
    ),
    "another storage": (
        decoded(
            "l8", location=TARGET.format("ab" * 32, "signature-1").replace("s3.test", "s3.lan")
        ),
        "l8",
        (
            "redirect",
            "target",
            "https://s3.test:9000/bucket/docker/registry/v2/blobs/sha256/<digest>/data?X-Amz-Signature",
            "https://s3.lan:9000/bucket/docker/registry/v2/blobs/sha256/<digest>/data?X-Amz-Signature",
        ),
    ),
    "another region": (
        signature(region="eu-west-1"),
        "l9",
        ("signature", "region", "us-east-1", "eu-west-1"),
    ),
    "a clock that is behind": (
        signature(signed_at=1_699_999_000.0, expires_at=1_700_000_200.0),
        "l9",
        ("signature", "clock", "0.90 s behind the request", "16 min 41 s behind the request"),
    ),
    "somebody else answered": (
        decoded("l9", vendor="minio"),
        "l9",
        ("answerer", "vendor", "s3", "minio"),
    ),
    "broken": (
        lambda report: changed(report, "l6", status=None, error="reset by peer"),
        "l6",
        ("status", "", "202", None),
    ),
    "slow": (
        lambda report: changed(report, "l6", ended=report.legs["l6"].started + 4),
        "l6",
        ("slower", "", "0.04 s", "4.00 s (100 times as long)"),
    ),
}


@pytest.mark.parametrize(("change", "where", "said"), CHANGES.values(), ids=CHANGES.keys())
def test_each_kind_of_divergence_is_found_where_it_is(
    change: Change, where: str, said: tuple[str, str, str | None, str | None]
) -> None:
    diff = compare(told(), change(told()))
    row = first(diff)
    assert row.bad
    assert row.bad.leg == where
    found = mattering(row)
    assert (found.what, found.field, found.good, found.bad) == said
    assert diff.verdict.outcome == "differs"
    # The other way round it may matter less, but it is seen.
    back = compare(change(told()), told())
    (same,) = [one for one in back.rows if one.bad and one.bad.leg == where]
    assert same.differences or found.what == "slower"


def test_a_larger_body_may_take_longer_and_a_good_pace_is_no_excuse_for_a_long_wait() -> None:
    size = 50_000_000
    good = changed(told(), "l6", request_bytes=size, ended=told().legs["l6"].started + 1)
    started = good.legs["l6"].started
    larger = changed(good, "l6", request_bytes=10 * size, ended=started + 12)
    assert compare(good, larger).first is None
    slow = changed(good, "l6", ended=started + 12)
    assert mattering(first(compare(good, slow))).bad == "12.0 s at 4.17 MB/s (12 times as long)"


@pytest.mark.parametrize("seconds", [0.9, 1.03])
def test_a_second_is_the_weather(seconds: float) -> None:
    slow = changed(told(), "l6", ended=told().legs["l6"].started + seconds)
    assert compare(told(), slow).first is None


def test_a_leg_that_is_skipped_is_missing_where_the_bad_side_went_on() -> None:
    bad = ended(without(told(), "l2"), "failed")
    row = first(compare(told(), bad))
    assert (row.kind, row.bad) == ("token", None)
    assert mattering(row).what == "missing"
    rows = compare(told(), bad).rows
    assert [one.id for one in rows].index(row.id) == 1


def test_what_never_came_after_the_end_is_not_the_first_divergence() -> None:
    """Of two layers at once, the one that was cut off lacks its commit; the other was refused."""
    bad = changed(ended(without(told(), "l7", "l8", "l9", "l10"), "failed"), "l3", status=500)
    row = first(compare(told(), bad))
    assert row.bad
    assert row.bad.leg == "l3"


def test_a_retry_that_was_refused_is_additional() -> None:
    report = told()
    (operation,) = report.operations
    extra = leg(
        65,
        "upload-chunk",
        "PATCH",
        500,
        transfer="t1",
        retry_of="l6",
        started=report.legs["l6"].started + 0.01,
    )
    layer, *others = operation.transfers
    layer = replace(layer, legs=(*layer.legs[:2], "l65", *layer.legs[2:]))
    legs = (*operation.legs[:5], "l65", *operation.legs[5:])
    operation = replace(operation, transfers=(layer, *others), legs=legs)
    bad = replace(report, operations=(operation,), legs={**report.legs, "l65": extra})
    row = first(compare(told(), bad))
    assert row.good is None
    assert mattering(row).bad == "PATCH 500"


def test_a_layer_that_was_there_already_is_no_divergence() -> None:
    """The second push of the same image: HEAD says 200, and nothing is uploaded."""
    again = without(changed(told(), "l4", status=200), "l5", "l6", "l7", "l8", "l9")
    for one, other in ((told(), again), (again, told())):
        diff = compare(one, other)
        assert diff.verdict.outcome == "alike"
        assert "changes from run to run" in diff.verdict.sentence


def test_the_same_404_after_the_commit_is_a_divergence() -> None:
    bad = without(changed(told(), "l8", status=404, decoded={"location": None}), "l9")
    row = first(compare(told(), bad))
    assert row.bad
    assert row.bad.leg == "l8"


def test_another_client_sends_other_fields_and_says_nothing_by_it() -> None:
    bad = changed(told(), "l5", decoded={"request_headers": ["Content-Length"]})
    (operation,) = bad.operations
    podman = replace(operation.client, product="podman")
    bad = replace(bad, operations=(replace(operation, client=podman),))
    assert compare(told(), bad).first is None


def test_older_reports_without_header_names_are_compared_all_the_same() -> None:
    assert compare(told(), good_push()).first is not None
    old = told()
    for id_ in old.legs:
        old = changed(old, id_, decoded={"request_headers": None, "response_headers": None})
    assert not any(
        one.what == "headers" for row in compare(old, told()).rows for one in row.differences
    )


def test_labels_of_names_are_compared_only_where_they_mean_the_same() -> None:
    at = "https://host-{}/token"
    good = changed(told(), "l8", decoded={"location": at.format(1)})
    bad = changed(told(), "l8", decoded={"location": at.format(2)})
    assert compare(good, bad).first is None
    assert compare(good, bad, labels_shared=True).first is not None


def test_two_that_failed_alike_are_told_to_have_failed() -> None:
    diff = compare(failing_push(), failing_push())
    assert diff.verdict.outcome == "alike"
    assert diff.verdict.sentence.endswith("did not go well either: it is failed.")


# --- which operations


def several(*operations: Operation) -> Report:
    return replace(good_push(), operations=operations)


def test_the_failed_one_and_the_most_like_it_are_chosen() -> None:
    (fine,), (broken,) = good_push().operations, failing_push().operations
    good = several(
        replace(fine, id="pull-1", kind="pull"),
        replace(fine, id="push-1", repository="team/other"),
        replace(fine, id="push-2", outcome="failed"),
        replace(fine, id="push-3"),
    )
    bad = several(replace(broken, id="push-8", outcome="ok"), replace(broken, id="push-9"))
    assert [one.id for one in choose(good, bad)] == ["push-3", "push-9"]
    assert [one.id for one in choose(good, bad, "push-1", "push-8")] == ["push-1", "push-8"]


def test_what_failed_before_it_was_known_what_it_is_has_a_like() -> None:
    (broken,) = failing_push().operations
    bad = several(replace(broken, kind="other", repository=None))
    assert choose(good_push(), bad)[0].id == "push-1"


@pytest.mark.parametrize(
    ("good", "bad", "ids", "said"),
    [
        (good_push(), several(), (), "BAD holds no operation"),
        (several(), failing_push(), (), "GOOD holds no push to compare"),
        (
            good_push(),
            failing_push(),
            ("push-7", None),
            "no operation push-7 (--good); it holds push-1 (ok)",
        ),
        (good_push(), failing_push(), (None, "x\x1b"), r"no operation x\x1b (--bad)"),
    ],
)
def test_nothing_to_compare_is_said(good: Report, bad: Report, ids: Any, said: str) -> None:
    with pytest.raises(Unlike) as wrong:
        choose(good, bad, *ids)
    assert said in str(wrong.value)


# --- the forms

HOSTILE = hostile(
    failing_push(),
    spare=(
        "schema",
        "outcome",
        "kind",
        "level",
        "id",
        "legs",
        "severity",
        "confidence",
        "found",
        "root_findings",
    ),
)
DIFFS = {
    "differs": compare(good_push(), failing_push()),
    "alike": compare(told(), told()),
    "hostile": compare(good_push(), HOSTILE),
    "hostile on both sides": compare(HOSTILE, HOSTILE),
}


@pytest.mark.parametrize("diff", DIFFS.values(), ids=DIFFS.keys())
def test_json_keeps_to_its_schema_and_is_ascii(diff: Diff) -> None:
    text = as_json(diff)
    SCHEMA.validate(json.loads(text))
    assert all(character == "\n" or " " <= character <= "~" for character in text)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("diff", DIFFS.values(), ids=DIFFS.keys())
def test_text_keeps_to_the_width_and_hostile_text_does_nothing(diff: Diff, width: int) -> None:
    text = as_text(diff, width=width, color=False)
    assert all(line.isprintable() for line in text.split("\n"))
    assert all(cell_len(line) <= width for line in text.splitlines())
    assert text.startswith(("DIFFERS  ", "ALIKE  "))
    colored = as_text(diff, width=width, color=True)
    assert "\x1b[31mred" not in colored
    assert "\x1b]8" not in colored


def test_the_page_is_whole_and_strangers_text_is_text() -> None:
    page = FORMATS["html"](DIFFS["hostile"])
    assert page.startswith("<!doctype html>\n<!-- regtrace/diff/1 -->")
    assert "default-src 'none'" in page
    assert all(character == "\n" or character.isprintable() for character in page)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(-1e12, 1e12) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
SAID = sorted({key for one in told().legs.values() for key in one.decoded} | {"error", "manifest"})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(SAID), JSON), st.dictionaries(st.sampled_from(SAID), JSON))
def test_whatever_a_strangers_report_says_of_a_leg_is_compared(
    good: dict[str, Any], bad: dict[str, Any]
) -> None:
    diff = compare(changed(told(), "l2", decoded=good), changed(told(), "l2", decoded=bad))
    SCHEMA.validate(json.loads(as_json(diff)))
    as_text(diff, width=80, color=False)


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "a." * 100_000, "state-1(" * 30_000, "0f" * 100_000]
)
def test_a_long_hostile_text_takes_no_square(text: str) -> None:
    begun = time.process_time()
    diff = compare(told(), changed(told(), "l8", decoded={"location": f"https://x.test/{text}"}))
    assert time.process_time() - begun < 5
    assert len(diff.verdict.sentence) < 1_000


# --- over all captures


@pytest.mark.parametrize("name", NAMES)
def test_every_capture_beside_itself_is_alike(name: str) -> None:
    report = report_on(name)
    for operation in report.operations:
        diff = compare(report, report, good_id=operation.id, bad_id=operation.id)
        assert diff.verdict.outcome == "alike"
        assert not any(row.differences for row in diff.rows)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("-ok")])
def test_two_good_runs_of_one_client_never_part_at_a_status(name: str) -> None:
    """What is normal is no divergence: the push again, and with two tags."""
    again = name.replace("-ok", "-again")
    if again in NAMES:
        diff = compare(report_on(name), report_on(again))
        assert diff.verdict.outcome == "alike"


@pytest.mark.parametrize("name", NAMES)
def test_every_capture_can_be_laid_beside_a_good_one(name: str) -> None:
    report = report_on(name)
    client, verb = name.split("-")[:2]
    like = next(
        (one for one in (f"{client}-{verb}-ok", f"docker-{verb}-ok") if one in NAMES),
        "docker-push-ok",
    )
    try:
        diff = compare(report_on(like), report)
    except Unlike:
        return
    SCHEMA.validate(json.loads(as_json(diff)))
    as_text(diff, width=80, color=False)
    if diff.bad.outcome == "failed":
        assert diff.verdict.outcome == "differs"
        assert diff.first is not None


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("docker-push-ok", "docker-push-s3-403", "Ceph HEAD 403 of blob c1b0e21e84e3…: status 403"),
        ("docker-push-ok", "docker-push-range-stripped", "the response lacks Range"),
        ("docker-push-ok", "docker-push-token-expires", "token lifetime 1.45 s left"),
        ("docker-push-ok", "docker-push-wrong-scheme", "location http://<registry>/"),
        ("podman-push-ok", "podman-push-token-issuer", "token issuer https://auth.test:443"),
        ("podman-push-ok", "podman-push-challenge-stripped", "GET 401: challenge none"),
        ("skopeo-push-ok", "skopeo-push-location-stripped", "the response lacks Location"),
        ("docker-pull-ok", "docker-pull-s3-403", "HEAD 500"),
    ],
)
def test_the_first_divergence_of_real_runs_is_the_fault_that_was_made(
    good: str, bad: str, said: str
) -> None:
    assert said in compare(report_on(good), report_on(bad)).verdict.sentence


def test_legs_of_the_model_are_read_once() -> None:
    """A row of a long report is redacted when it is read; to read it thrice would cost as much."""
    read: list[str] = []

    class Rows(dict[str, Leg]):
        def __getitem__(self, id_: str) -> Leg:
            read.append(id_)
            return super().__getitem__(id_)

    report = replace(told(), legs=Rows(told().legs))
    compare(report, told())
    assert sorted(read) == sorted(told().legs)
