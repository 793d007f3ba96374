"""The second engine, as far as it goes without one; tests/lab/test_setup.py starts it for real."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from pathlib import Path

import pytest
from machines import machine

from regtrace.setup import authority, second_engine
from regtrace.setup.refused import Refused

_PROXY = "http://127.0.0.1:8080"


def test_it_shares_nothing_with_the_system_s_engine(tmp_path: Path) -> None:
    words = second_engine.command(tmp_path / "it", "vfs")

    for option in ("--host", "--data-root", "--exec-root", "--pidfile", "--config-file"):
        (value,) = [word for word in words if word.startswith(f"{option}=")]
        assert str(tmp_path / "it") in value
    assert words[0] == "unshare"
    assert "--storage-driver=vfs" in words


def test_it_takes_over_only_what_changes_a_push(tmp_path: Path) -> None:
    (tmp_path / "etc/docker").mkdir(parents=True)
    (tmp_path / "etc/docker/daemon.json").write_text(
        json.dumps(
            {
                "hosts": ["fd://"],
                "data-root": "/srv",
                "proxies": {"https-proxy": "http://corp:1"},
                "registry-mirrors": ["https://mirror.test"],
                "max-concurrent-uploads": 1,
            }
        )
    )

    assert second_engine._settings(machine(tmp_path)) == {
        "registry-mirrors": ["https://mirror.test"],
        "max-concurrent-uploads": 1,
    }


@pytest.mark.parametrize(
    ("platform", "programs", "is_root", "says"),
    [
        ("darwin", ["dockerd", "unshare"], True, "Linux only"),
        ("linux", ["unshare"], True, "dockerd is not installed"),
        ("linux", ["dockerd", "unshare"], False, "which only root may: run this with sudo"),
    ],
)
def test_where_it_can_t_run_it_says_why(
    platform: str, programs: list[str], is_root: bool, says: str, tmp_path: Path
) -> None:
    here = machine(tmp_path, platform=platform, programs=programs, is_root=is_root)

    with pytest.raises(Refused, match=says):
        second_engine.require(here, Path("/short"))


def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    here = machine(tmp_path, programs=["dockerd", "unshare"])

    with pytest.raises(Refused, match="too long a path"):
        second_engine.require(here, Path("/" + "x" * 90))


def test_a_folder_of_others_is_neither_used_nor_removed(tmp_path: Path) -> None:
    here = machine(tmp_path / "root", programs=["dockerd", "unshare"])
    made = authority.create(tmp_path / "ca")
    folder = Path("/tmp") / f"regtrace-test-{tmp_path.name}"
    folder.mkdir()
    (folder / "theirs").write_text("")
    try:
        with pytest.raises(Refused, match="is not regtrace's"):
            second_engine.start(here, folder, _PROXY, made)
        assert second_engine.find(folder) is None
        assert (folder / "theirs").exists()
    finally:
        (folder / "theirs").unlink()
        folder.rmdir()


def test_what_a_crash_left_is_found_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "it"
    (folder / "data" / "vfs").mkdir(parents=True)
    (folder / "regtrace-dockerd.json").write_text(json.dumps({"proxy": _PROXY}))

    engine = second_engine.find(folder)

    assert engine is not None
    assert not engine.runs
    second_engine.stop(engine)
    assert not folder.exists()


def test_what_a_dying_engine_still_writes_is_removed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "it"
    late = folder / "exec"
    late.mkdir(parents=True)
    (folder / "regtrace-dockerd.json").write_text(json.dumps({"proxy": _PROXY}))
    rmtree, calls = shutil.rmtree, []

    def overtaken(path: Path) -> None:
        calls.append(path)
        if len(calls) == 1:
            (late / "containerd.log").touch()
            late.rmdir()  # fails: there is something in it now
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", overtaken)
    engine = second_engine.find(folder)
    assert engine is not None
    second_engine.stop(engine)
    assert not folder.exists()
    assert len(calls) == 2


def test_a_damaged_mark_is_refused(tmp_path: Path) -> None:
    (tmp_path / "regtrace-dockerd.json").write_text("{")

    with pytest.raises(Refused, match="damaged"):
        second_engine.find(tmp_path)


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"a": true}', {"a": True}),
        (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{", None),
        (b"garbage\r\n\r\n", None),
        (b"", None),
    ],
)
def test_an_engine_is_asked_over_its_socket(answer: bytes, read: object, tmp_path: Path) -> None:
    address = tmp_path / "s"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(address))
    listening.listen()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert second_engine.ask(address, "/version") == read
    finally:
        thread.join()
        listening.close()


def test_an_engine_that_is_not_there_answers_nothing(tmp_path: Path) -> None:
    assert second_engine.ask(tmp_path / "none", "/version") is None
