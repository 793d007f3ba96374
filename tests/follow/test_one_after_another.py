"""Commands of one client in one repository, one soon after another: each is told by itself."""

from __future__ import annotations

from itertools import product

import pytest
from retelling import check

PUSH = """
    client containerd/1.6.20 from 10.0.0.7
    HEAD blob L1 c=1 -> 401
    token push,pull team/app POST -> 404
    token push,pull team/app -> 200
    HEAD blob L1 c=1 -> 404
    POST uploads c=1 -> 202
    PUT u1 L1 body=L1 c=1 -> 201
    HEAD manifest 1 c=1 -> 404
    PUT manifest 1 [L1] c=1 -> 201
"""
PUSHED = """
    push team/app 1: ok
      L1 uploaded
      manifest 1 uploaded
"""
PULL = """
    client containerd/1.6.20 from 10.0.0.7
    HEAD manifest 1 c=2 -> 401
    token pull team/app POST -> 404
    token pull team/app -> 200
    HEAD manifest 1 [L1] c=2 -> 200
    GET manifest 1 [L1] c=2 -> 200
    GET blob L1 c=2 -> 200
"""
PULLED = """
    pull team/app 1: ok
      manifest 1 downloaded
      L1 downloaded
"""
PULL_OF_NOTHING = """
    client containerd/1.6.20 from 10.0.0.7
    HEAD manifest nope c=3 -> 401
    token pull team/app POST -> 404
    token pull team/app -> 200
    HEAD manifest nope c=3 -> 404
"""
NOTHING_PULLED = """
    pull team/app nope: failed
      manifest nope failed
"""
PUSH_DENIED = """
    client containerd/1.6.20 from 10.0.0.7
    HEAD blob L1 c=4 -> 401
    token push,pull team/app POST -> 404
    token push,pull team/app -> 401
"""
DENIED_PUSH = """
    push team/app: failed
      L1 incomplete
"""
PULL_DENIED = """
    client containerd/1.6.20 from 10.0.0.7
    HEAD manifest 1 c=5 -> 401
    token pull team/app POST -> 404
    token pull team/app -> 401
"""
DENIED_PULL = """
    pull team/app 1: failed
      manifest 1 incomplete
"""
COMMANDS = {
    "push": (PUSH, PUSHED),
    "pull": (PULL, PULLED),
    "pull of nothing": (PULL_OF_NOTHING, NOTHING_PULLED),
    "push denied": (PUSH_DENIED, DENIED_PUSH),
    "pull denied": (PULL_DENIED, DENIED_PULL),
}


PAIRS = [
    (first, second, pause)
    for first, second, pause in product(COMMANDS, COMMANDS, ["0.1s", "2s", "20s"])
    # At once and once more for what was not there: a mirror may be asked then.
    if (first, second, pause) != ("pull of nothing", "pull of nothing", "0.1s")
]


@pytest.mark.parametrize(("first", "second", "pause"), PAIRS)
def test_of_containerd(first: str, second: str, pause: str) -> None:
    """With connections and tokens of its own for each command, as ctr, helm and oras have it."""
    (one, told), (other, told_then) = COMMANDS[first], COMMANDS[second]
    if first == second:
        other = other.replace("c=", "c=1")
    story = one + other.replace("    HEAD", f"    +{pause} HEAD", 1)
    check(story, told + told_then.lstrip("\n"))


def test_five_commands_of_containerd() -> None:
    steps = ["pull", "push denied", "pull denied", "push", "pull of nothing"]
    stories = [COMMANDS[step][0].replace("    HEAD", "    +3s HEAD", 1) for step in steps]
    check("".join(stories), "".join(COMMANDS[step][1].rstrip() for step in steps))


def test_a_copy_within_one_repository() -> None:
    """skopeo reads as one client and writes as another, which fetches a token for each layer."""
    check(
        """
        client skopeo/1.9.3
        GET /v2/ c=1 -> 401
        token pull team/app -> 200
        GET manifest a [cfg L1 L2] c=2 -> 200
        GET /v2/ c=3 -> 401
        token push,pull team/app -> 200
        HEAD blob L1 c=4 -> 200
        token push,pull team/app -> 200
        HEAD blob L2 c=5 -> 200
        HEAD blob cfg c=6 -> 200
        PUT manifest b [cfg L1 L2] c=7 -> 201
        """,
        """
        pull team/app a: ok
          manifest a downloaded
        push team/app b: ok
          L1 existed
          L2 existed
          cfg existed
          manifest b uploaded
        """,
    )


def test_docker_manifest_create_then_push() -> None:
    opened = "GET /v2/ -> 401\ntoken push,pull team/app -> 200\n"
    check(
        f"""
        client "Docker-Client/20.10.24 (linux)"
        image M1 = cfg L1
        index I1 = M1
        {opened} GET manifest 1 M1 -> 200
        {opened} GET blob cfg -> 200
        {opened} +3s PUT manifest @M1 -> 201
        {opened} PUT manifest m I1 -> 201
        """,
        """
        pull team/app 1: ok
          manifest 1 downloaded
          cfg downloaded
        push team/app m: ok
          manifest M1 uploaded
          manifest m uploaded
        """,
    )
