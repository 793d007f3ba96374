"""What clients print: every rule that the table names exists, and what users saw is known."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from regtrace.diagnose.rules import CATALOGUE
from regtrace.evidence.messages import MESSAGES, senses

CAPTURES = Path(__file__).parents[2] / "captures"
FAILED = [
    (path, found)
    for path in sorted(CAPTURES.glob("*.yaml"))
    if (side := yaml.safe_load(path.read_text()))["expect"]["verdict"] == "failed"
    for found in [[f["slug"] for f in side["expect"]["findings"] if f.get("root")]]
]
#: Captures whose client says nothing of use: what it prints would fit any fault.
MUTE = {
    "skopeo-push-interrupted",  # it was killed
}


def candidates(text: str) -> list[str]:
    found = (each.slug for sense in senses(text) for each in sense.message.candidates)
    return list(dict.fromkeys(found))


def test_every_rule_that_is_named_exists() -> None:
    known = {rule.slug for rule in CATALOGUE}
    named = {candidate.slug for message in MESSAGES for candidate in message.candidates}
    assert named <= known
    assert len(named) > 60


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.sense[:40])
def test_an_entry_names_each_rule_once_and_says_what_decides(message: object) -> None:
    slugs = [candidate.slug for candidate in message.candidates]  # type: ignore[attr-defined]
    assert slugs
    assert len(set(slugs)) == len(slugs)
    assert message.decides  # type: ignore[attr-defined]


@pytest.mark.parametrize(("sidecar", "slugs"), FAILED, ids=lambda v: getattr(v, "stem", ""))
def test_the_true_cause_is_among_those_of_what_the_client_printed(
    sidecar: Path, slugs: list[str]
) -> None:
    if sidecar.stem in MUTE or slugs == ["unrecognised-failure"]:
        pytest.skip("the client says nothing of use, or no rule knows the fault")
    printed = sidecar.with_suffix(".client.txt").read_text()
    found = [slug for line in printed.splitlines() for slug in candidates(line)]
    assert set(slugs) & set(found), found


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("error parsing HTTP 403 response body: unexpected end of JSON", "storage-403-on-head"),
        ("no basic auth credentials", "basic-auth-not-sent"),
        ("message: insufficient_scope: authorization failed", "token-grants-less-than-asked"),
        ("http: server gave HTTP response to HTTPS client", "server-speaks-http-on-tls-port"),
        ("unable to decode token response: invalid character '<'", "token-bad-credentials"),
        ("filesystem layer verification failed for digest sha256:ab", "blob-digest-mismatch"),
        ("dial tcp: lookup registry.test: no such host", "dns-failure"),
        ("GET https://r.test/v1/_ping: EOF", "v1-fallback"),
    ],
)  # fmt: skip
def test_the_likeliest_comes_first(text: str, first: str) -> None:
    assert candidates(text)[0] == first


def test_what_went_well_means_nothing() -> None:
    for name in (
        "docker-push-ok",
        "podman-push-ok",
        "skopeo-pull-ok",
        "ctr-pull-ok",
        "docker-login-ok",
    ):
        for line in (CAPTURES / f"{name}.client.txt").read_text().splitlines():
            assert candidates(line) == []


def test_hostile_messages_cost_no_more_than_honest_ones() -> None:
    began = time.process_time()
    for piece in (
        "unexpected status ",
        "https://",
        "error parsing HTTP 403",
        "a",
        "exceeded ",
        "<",
        "\n",
    ):
        list(senses(piece * 50_000))
    assert time.process_time() - began < 3
