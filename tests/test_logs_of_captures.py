"""Every saved capture, judged with the log that its registry wrote in that very run: the verdict is
the exact one, or stays what it was; it is never another cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from lab.reading import read
from regtrace import cli

CAPTURES = sorted((Path(__file__).resolve().parent.parent / "captures").glob("*.mitm"))

#: Capture → what only the log tells: the rule, how surely, and words of the line.
EXACT = {
    "buildah-push-s3-no-bucket": ("storage-no-such-bucket", "likely", "NoSuchBucket"),
    "docker-pull-s3-403": ("s3-access-denied", "certain", "AccessDenied"),
    "podman-pull-s3-wrong-secret": ("s3-signature-mismatch", "certain", "SignatureDoesNotMatch"),
    "podman-pull-s3-wrong-secret-text": (
        "s3-signature-mismatch",
        "certain",
        "SignatureDoesNotMatch",
    ),
    "skopeo-pull-s3-unknown-key": ("s3-invalid-access-key", "certain", "InvalidAccessKeyId"),
    "podman-push-token-issuer": ("token-issuer-mismatch", "certain", "untrusted issuer"),
    "docker-push-token-untrusted-key": (
        "token-signed-by-untrusted-key",
        "certain",
        "unable to verify certificate chain",
    ),
}
_SURE = ["possible", "likely", "certain"]


def reported(capture: Path, folder: Path, *arguments: str) -> dict[str, Any]:
    path = folder / f"report{len(arguments)}.json"
    done = CliRunner().invoke(cli.main, ["report", str(capture), "-o", str(path), *arguments])
    assert done.exit_code in {0, 1}, done.output
    return read(path)


def logs(capture: Path) -> list[str]:
    named = (capture.with_suffix(f".{kind}.log") for kind in ("registry", "nginx"))
    return [word for log in named if log.exists() for word in ("--registry-log", str(log))]


def roots(report: dict[str, Any]) -> dict[str, Any]:
    return {
        finding["slug"]: finding
        for finding in report["findings"]
        if finding["explained_by"] is None
    }


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_with_its_log_the_verdict_is_exact_or_the_same(capture: Path, tmp_path: Path) -> None:
    before, after = reported(capture, tmp_path), reported(capture, tmp_path, *logs(capture))
    assert [op["outcome"] for op in after["operations"]] == [
        op["outcome"] for op in before["operations"]
    ]
    expected = yaml.safe_load(capture.with_suffix(".yaml").read_text())["expect"]["findings"]
    assert {entry["slug"] for entry in expected if entry.get("root")} <= set(roots(before))
    if capture.stem not in EXACT:
        assert set(roots(after)) == set(roots(before))
        for slug, finding in roots(after).items():
            ahead = _SURE.index(finding["confidence"]) - _SURE.index(
                roots(before)[slug]["confidence"]
            )
            assert ahead >= 0
        return
    slug, sure, words = EXACT[capture.stem]
    (root,) = roots(after).values()
    assert (root["slug"], root["confidence"]) == (slug, sure)
    rows = [row for row in root["evidence"] if row["where"] == "registry-log"]
    (said,) = [row for row in rows if words in row["value"]][:1]
    lines = capture.with_suffix(".registry.log").read_text().splitlines()
    assert said["file"] == f"{capture.stem}.registry.log"
    assert words in lines[said["line"] - 1]
    assert root["slug"] not in roots(before) or roots(before)[slug]["confidence"] != sure


def test_without_the_log_both_say_that_it_would_tell(tmp_path: Path) -> None:
    capture = CAPTURES[0].with_name("skopeo-pull-s3-unknown-key.mitm")
    (before,) = roots(reported(capture, tmp_path)).values()
    assert before["slug"] == "storage-backend-error"
    assert any("--registry-log" in step for step in before["fix"])


def test_what_a_registry_wrote_is_not_taken_for_another_run(tmp_path: Path) -> None:
    """The log of another day says nothing, and that is said."""
    capture = CAPTURES[0].with_name("skopeo-pull-s3-unknown-key.mitm")
    other = capture.with_name("podman-pull-s3-wrong-secret.registry.log")
    report = reported(capture, tmp_path, "--registry-log", str(other))
    assert set(roots(report)) == {"storage-backend-error"}
    assert any("other times" in spot["why"] for spot in report["not_seen"])


def test_nginx_says_which_upstream_it_did_not_reach(tmp_path: Path) -> None:
    capture = CAPTURES[0].with_name("skopeo-push-ipv6-upstream.mitm")
    root = roots(reported(capture, tmp_path, *logs(capture)))["gateway-error-page"]
    assert "nothing listens where it passes requests on to (so its own log)" in root["cause"]
    (row,) = [row for row in root["evidence"] if row["where"] == "front-log"]
    assert "[::1]:5000" in row["value"]


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_what_the_client_printed_is_joined_to_a_leg_that_failed(
    capture: Path, tmp_path: Path
) -> None:
    printed = ["--client-log", str(capture.with_suffix(".client.txt"))]
    report = reported(capture, tmp_path, *printed)
    legs = {leg["id"]: leg for leg in report["legs"]}
    failed = any(op["outcome"] == "failed" for op in report["operations"])
    for message in report["client_messages"]:
        if message["leg"] is not None:
            leg = legs[message["leg"]]
            assert leg["operation"] == message["operation"]
            blamed = any(leg["id"] in finding["legs"] for finding in report["findings"])
            assert (leg["status"] or 599) >= 400 or leg["error"] or blamed
    if not failed:
        assert [m for m in report["client_messages"] if "level=fatal" in m["said"]] == []
