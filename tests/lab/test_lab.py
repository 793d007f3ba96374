"""What of the laboratory can be tested without its parts: scenario files, images, comparison."""

from __future__ import annotations

import copy
import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from . import image, scenario
from .expect import check_report, check_same
from .token_server import access

_REPORT: dict[str, Any] = {
    "verdict": {"outcome": "failed"},
    "operations": [
        {
            "kind": "push",
            "repository": "team/app",
            "reference": None,
            "outcome": "failed",
            "started": 1.0,
            "transfers": [{"kind": "blob", "outcome": "failed"}],
        }
    ],
    "legs": [{"id": "leg-1", "kind": "blob-head"}, {"id": "leg-2", "kind": "storage"}],
    "findings": [
        {
            "slug": "storage-403-on-head",
            "owner": "storage",
            "severity": "error",
            "confidence": "certain",
            "explained_by": None,
            "count": 1,
            "legs": ["leg-1", "leg-2"],
        }
    ],
}
_EXPECT = scenario.load("docker-push-s3-403").expect


@pytest.mark.parametrize("name", scenario.names())
def test_every_scenario_can_be_read(name: str) -> None:
    read = scenario.load(name)

    assert read.steps
    assert read.expect.keys() == {"verdict", "operations", "findings", "warnings"}
    assert (read.expect["verdict"] == "failed") == bool(read.expect["findings"])


def test_a_scenario_with_an_unknown_word_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (scenario.FOLDER / "docker-push-s3-403.yaml").read_text()
    (tmp_path / "bad.yaml").write_text(text.replace("s3-deny", "s3-dney").replace("steps", "stpes"))
    monkeypatch.setattr(scenario, "FOLDER", tmp_path)

    with pytest.raises(scenario.ScenarioError) as refused:
        scenario.load("bad")

    assert "unknown fault s3-dney-get-object" in str(refused.value)
    assert "unknown word stpes" in str(refused.value)


def test_the_same_seed_makes_the_same_image(tmp_path: Path) -> None:
    for name, seed in (("a", "one"), ("b", "one"), ("c", "other")):
        image.make(tmp_path / name, "registry.test:5050/team/app:1", seed, layers=2, size=100)

    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_an_index_names_an_image_of_other_bytes_for_each_platform(tmp_path: Path) -> None:
    image.make_index(tmp_path / "index.tar", "seed", 1, 100, ["amd64", "arm64"])

    with tarfile.open(tmp_path / "index.tar") as archive:
        files = {name: _content(archive, name) for name in archive.getnames()}
    blobs = {name: content for name, content in files.items() if name.startswith("blobs/")}
    assert all(name.endswith(hashlib.sha256(blob).hexdigest()) for name, blob in blobs.items())
    (root,) = json.loads(files["index.json"])["manifests"]
    index = json.loads(blobs[_blob(root)])
    manifests = [json.loads(blobs[_blob(each)]) for each in index["manifests"]]
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64"]
    amd64, arm64 = (manifest["layers"] for manifest in manifests)
    assert amd64 != arm64


def test_the_token_server_grants_no_more_than_it_may() -> None:
    asked = ["repository:team/app:pull,push repository:host:5000/base:pull"]

    assert [each["actions"] for each in access(asked, None)] == [["pull", "push"], ["pull"]]
    assert [each["actions"] for each in access(asked, ["pull"])] == [["pull"], ["pull"]]


def test_the_expected_report_has_no_problems() -> None:
    assert check_report(_REPORT, _EXPECT) == []


def test_a_missing_and_an_unexpected_finding_are_both_problems() -> None:
    report = copy.deepcopy(_REPORT)
    report["findings"][0]["owner"] = "registry"

    assert check_report(report, _EXPECT) == [
        "no finding storage-403-on-head (storage, error, certain, root)",
        "finding storage-403-on-head (registry, error, certain, root) is not expected",
    ]


def test_an_unexpected_warning_is_a_problem_and_a_note_is_not() -> None:
    report = copy.deepcopy(_REPORT)
    extra = {**report["findings"][0], "slug": "realm-internal-host", "explained_by": "finding-1"}
    report["findings"] += [{**extra, "severity": "warning"}, {**extra, "severity": "note"}]

    assert check_report(report, _EXPECT) == [
        "finding realm-internal-host (storage, warning, certain, explained) is not expected"
    ]


def test_another_outcome_is_a_problem() -> None:
    report = copy.deepcopy(_REPORT)
    report["verdict"]["outcome"] = report["operations"][0]["outcome"] = "ok"

    verdict, operations = check_report(report, _EXPECT)

    assert verdict == "the verdict is ok, not failed"
    assert operations.startswith("the operations are [('push', 'team/app', None, 'ok')]")


def test_operations_may_begin_in_any_order() -> None:
    report = copy.deepcopy(_REPORT)
    other = {**report["operations"][0], "kind": "other", "repository": None, "started": 2.0}
    report["operations"].append(other)
    expect = copy.deepcopy(_EXPECT)
    expect["operations"].insert(0, {**other, "transfers": {"failed": 1}})

    assert check_report(report, expect) == []


def test_other_transfers_than_expected_are_a_problem() -> None:
    report = copy.deepcopy(_REPORT)
    report["operations"][0]["transfers"].append({"kind": "blob", "outcome": "uploaded"})

    (problem,) = check_report(report, _EXPECT)

    assert problem.endswith("are {'failed': 1, 'uploaded': 1}, not {'failed': 1}")


def test_a_finding_that_names_another_leg_than_expected_is_a_problem() -> None:
    expect = copy.deepcopy(_EXPECT)
    expect["findings"][0]["legs"] = ["blob-head"]

    (problem,) = check_report(_REPORT, expect)

    assert problem.endswith("names ['blob-head', 'storage'], not ['blob-head']")


def test_two_reports_that_number_their_legs_differently_tell_the_same() -> None:
    other = copy.deepcopy(_REPORT)
    other["legs"][0]["id"], other["legs"][1]["id"] = "leg-2", "leg-1"
    other["operations"][0]["started"] = 2.0

    assert check_same(_REPORT, other) == []


def test_two_reports_that_differ_in_a_transfer_do_not_tell_the_same() -> None:
    other = copy.deepcopy(_REPORT)
    other["operations"][0]["transfers"][0]["outcome"] = "uploaded"

    only_first, only_second = check_same(_REPORT, other)

    assert "only the first report has operation" in only_first
    assert "uploaded" in only_second


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    assert member is not None
    return member.read()


def _blob(descriptor: dict[str, Any]) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/')}"
