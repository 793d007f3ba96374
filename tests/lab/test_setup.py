"""regtrace ca and regtrace dockerd with real parts: who trusts what, before, during and after."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import box
from .test_scenarios import _LAB, _WANTED, _why_not

pytestmark = pytest.mark.lab

_UNTRUSTED = "x509: certificate signed by unknown authority"
_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from lab import setups
setups.main(sys.argv[2])
"""


@pytest.fixture(scope="module")
def opened() -> Iterator[None]:
    """The box, empty: these stories bring their own parts."""
    reason = _why_not()
    if reason and _WANTED:
        pytest.fail(f"REGTRACE_LAB={_WANTED}, but {reason}")
    if reason:
        pytest.skip(reason)
    was_up = box.is_up()
    with box.locked():
        box.create()
        yield
        if not was_up:
            box.destroy()


def _seen(story: str) -> dict[str, Any]:
    tests = str(Path(__file__).parent.parent)
    words = [*_LAB, "enter", sys.executable, "-c", _PROGRAM, tests, story]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


@pytest.fixture(scope="module")
def trust(opened: None) -> dict[str, Any]:
    return _seen("trust")


@pytest.mark.parametrize("client", ["docker", "skopeo", "podman", "ctr"])
def test_a_client_pushes_through_the_proxy_only_while_it_trusts_the_authority(
    client: str, trust: dict[str, Any]
) -> None:
    for when in ("untrusted", "untrusted_again"):
        status, said = trust[when][client]
        assert status != 0
        assert _UNTRUSTED in said
    status, said = trust["trusted"][client]
    assert status == 0, said
    through_the_proxy = [
        operation["outcome"]
        for operation in trust["report"]["operations"]
        if operation["kind"] == "push" and operation["repository"] == f"team/{client}"
    ]
    assert through_the_proxy == ["ok"]


def test_afterwards_every_file_is_as_before(trust: dict[str, Any]) -> None:
    assert trust["removed"]["problems"] == []
    assert len(trust["removed"]["restored"]) == 3
    assert trust["same"]
    assert not trust["journal"]


def test_the_handshake_through_the_proxy_proves_it(trust: dict[str, Any]) -> None:
    (installed,) = trust["installed"]["trust"]
    (status,) = trust["status"]["trust"]

    assert installed["handshake"]["trusted"]
    assert status["handshake"]["trusted"]
    assert {file["state"] for file in status["files"]} == {"as written"}


def test_installing_again_changes_nothing(trust: dict[str, Any]) -> None:
    (again,) = trust["again"]["trust"]

    assert not any(file["changed"] for place in again["places"] for file in place["files"])


def test_openssl_and_go_refuse_the_authority_for_another_host(opened: None) -> None:
    seen = _seen("constraint")

    status, said = seen["openssl_named"]
    assert status == 0, said
    status, said = seen["openssl_other"]
    assert status != 0
    assert "permitted subtree violation" in said
    status, said = seen["pushed"]
    assert status != 0
    assert "not authorized to sign for this name" in said


def test_debians_store_takes_it_in_and_is_the_same_afterwards(opened: None) -> None:
    seen = _seen("store")

    assert seen["trusted"]
    assert seen["other"] == []
    # As each hook is told: it came, and it went.
    assert seen["told"] == ["+", "-"]


def test_a_second_engine_pushes_through_the_proxy_and_leaves_nothing(opened: None) -> None:
    seen = _seen("second")

    status, said = seen["pushed"]
    assert status == 0, said
    assert seen["seen"]
    assert seen["status"]["second"]["runs"]
    assert seen["status"]["second"]["images"] == ["registry.test:5050/team/second:1"]
    assert not seen["mounts_leak"]
    assert seen["stopped"] == [False, []]
    assert seen["crashed"]
    assert seen["after_crash"] == [False, []]
    assert seen["after_sigterm"] == [143, False, []]
    assert seen["same"]


def test_the_systems_engine_comes_back_by_itself_even_when_all_of_regtrace_is_killed(
    opened: None,
) -> None:
    seen = _seen("system")

    assert seen["done"]["done"]
    assert seen["behind"] == "HTTPS_PROXY=http://proxy.test:8080"
    status, said = seen["pushed"]
    assert status == 0, said
    assert seen["seen"]
    assert seen["rolled_back"] == ["", True]
    assert not seen["status"]["system"]
    assert seen["changed"]
    assert seen["after_kill"] == [True, []]
    assert seen["undone"] == {"restored": [], "problems": []}
    assert seen["environment"] == ""
    assert seen["left"] == []
