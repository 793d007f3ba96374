"""Pulls that end at a manifest which their client can't use, although it came with a 200."""

from __future__ import annotations

import pytest

from regtrace.follow.life import Ending
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.notation import read_notation

ARM = "image M1 = cfg L1\nindex I1 = M1:linux/arm64/v8 M1:unknown/unknown\n"
OLD = "  < Content-Type: application/vnd.docker.distribution.manifest.v1+prettyjws\n"


def ending(story: str) -> Ending:
    (operation,) = tell([decode(exchange) for exchange in read_notation(story)])
    return operation.ending


def test_an_index_without_the_clients_platform_is_one() -> None:
    pull = "client docker/24.0.7\nGET /v2/ -> 401\ntoken pull team/app -> 200\n"
    assert ending(ARM + pull + "GET manifest 1 I1 -> 200") is Ending.FAILED


@pytest.mark.parametrize(
    "story",
    [
        ARM + "client docker/24.0.7\nGET manifest 1 I1 -> 200\nGET manifest @M1 -> 200",
        ARM.replace("linux/arm64/v8", "linux/amd64/v2")
        + "client docker/24.0.7\nGET manifest 1 I1 -> 200",
        ARM.replace("linux/arm64/v8", "linux/386")
        + "client docker/24.0.7\nGET manifest 1 I1 -> 200",
        ARM.replace(":linux/arm64/v8", "") + "client docker/24.0.7\nGET manifest 1 I1 -> 200",
        ARM + "client podman/5.29.2\nGET manifest 1 I1 -> 200",
        ARM + "client docker/24.0.7\nGET manifest 1 I1 -> 304",
    ],
    ids=[
        "another platform was meant",
        "a variant",
        "also runs there",
        "no platform said",
        "a client that names none",
        "it has it already",
    ],
)
def test_an_index_that_may_be_enough_is_none(story: str) -> None:
    assert ending(story) is Ending.OK


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("containerd/2.1.0", Ending.FAILED),
        ("containerd/1.7.20", Ending.OK),
        ("docker/28.0.1", Ending.FAILED),
        ("docker/20.10.24", Ending.OK),
        ("podman/5.29.2", Ending.OK),
        ("-", Ending.OK),
    ],
)
def test_schema_1_is_one_for_clients_that_have_given_it_up(client: str, expected: Ending) -> None:
    assert ending(f"client {client}\nHEAD manifest 1 -> 200\n{OLD}") is expected


def test_a_wrong_content_type_is_one_for_who_goes_by_it() -> None:
    story = "client {}\nGET manifest 1 [cfg L1] -> 200\n  < Content-Type: application/json\n"
    assert ending(story.format("containerd/2.1.0")) is Ending.FAILED
    assert ending(story.format("podman/5.29.2")) is Ending.OK
    assert ending(story.format("containerd/2.1.0") + "GET blob L1 -> 200") is Ending.OK
