"""``regtrace run``, ``gateway`` and ``doctor`` with real clients, a real daemon, tokens and an S3
that checks what it signed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .test_scenarios import _LAB, lab

pytestmark = pytest.mark.lab
__all__ = ["lab"]  # the fixture

_TRUE = "registry.test:5050"


@pytest.fixture(scope="module")
def trials(lab: None) -> dict[str, dict[str, Any]]:
    """All of them, by name; one visit to the laboratory."""
    inside = [sys.executable, str(Path(__file__).parent), "inside", "follow"]
    ran = subprocess.run([*_LAB, "enter", *inside], capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    return {each["name"]: each for each in told}


def _slugs(report: dict[str, Any]) -> list[str]:
    return [each["slug"] for each in report["findings"] if each["explained_by"] is None]


@pytest.mark.parametrize(
    "name", ["docker-push", "docker-pull", "skopeo-push", "podman-push", "buildah-push"]
)
def test_what_goes_well_goes_well_behind_regtrace(
    name: str, trials: dict[str, dict[str, Any]]
) -> None:
    trial = trials[name]

    assert trial["status"] == 0, trial["stdout"] + trial["stderr"]
    for report in (trial["live"], trial["read"]):
        assert report["verdict"]["outcome"] == "ok"
        assert _slugs(report) == []
        assert {each["registry"] for each in report["operations"]} == {_TRUE}
    assert trial["mode"] == "0o600"


def test_a_pulled_image_has_the_name_that_was_asked_for(trials: dict[str, dict[str, Any]]) -> None:
    assert trials["pulled"]["images"] == [f"{_TRUE}/team/docker:1"]


def test_nothing_is_left_behind(trials: dict[str, dict[str, Any]]) -> None:
    assert trials["left"]["folders"] == []
    assert not [image for image in trials["left"]["images"] if image.startswith("127.")]


@pytest.mark.parametrize("name", ["docker-push-s3-403", "gateway-push-s3-403"])
def test_the_storage_that_refuses_is_told_as_without_the_gateway(
    name: str, trials: dict[str, dict[str, Any]]
) -> None:
    trial = trials[name]

    assert trial["status"] == 1
    said = trial["stdout"] + trial["stderr"]
    assert 'error parsing HTTP 403 response body: unexpected end of JSON input: ""' in said
    for report in (trial["live"], trial["read"]):
        assert _slugs(report) == ["storage-403-on-head"]
        (finding,) = report["findings"]
        assert (finding["confidence"], finding["owner"]) == ("certain", "storage")
        assert "s3.test:9000" in finding["cause"]
        urls = {leg["url"].split("/")[2] for leg in report["legs"]}
        assert urls == {_TRUE, "auth.test:5443", "s3.test:9000"}
        rewritten = {row["what"] for row in report["not_seen"]}
        assert "response.header.Location as the client had it" in rewritten


def test_a_client_s_failure_stays_its_own(trials: dict[str, dict[str, Any]]) -> None:
    trial = trials["skopeo-pull-s3-403"]

    assert trial["status"] == 1
    assert trial["live"]["verdict"]["outcome"] == "failed"
    assert _slugs(trial["live"]) == _slugs(trial["read"])


def test_no_secret_is_printed(trials: dict[str, dict[str, Any]]) -> None:
    assert "made-up-password" not in json.dumps(trials)


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("daemon-without-proxy", "proxy setting"),
        ("proxy-down", "proxy"),
        ("untrusted", "trust"),
        ("sealed", "interception"),
        ("proxy-trusts-nobody", "proxy's way"),
    ],
)
def test_the_doctor_names_the_broken_link(
    name: str, link: str, trials: dict[str, dict[str, Any]]
) -> None:
    trial = trials[name]

    assert trial["status"] == 1, trial["stderr"]
    broken = [each["name"] for each in trial["path"] if each["state"] == "broken"]
    assert broken == [link]


@pytest.mark.parametrize("name", ["whole", "registry"])
def test_the_doctor_finds_nothing_where_all_is_well(
    name: str, trials: dict[str, dict[str, Any]]
) -> None:
    trial = trials[name]

    assert trial["status"] == 0, trial
    assert {each["state"] for each in (*trial["path"], *trial["registry"])} == {"ok"}
    assert not trial["report"] or trial["report"]["findings"] == []
