"""Writing: whole or not at all, for its owner alone, and over nothing that others wrote."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_reports import failing_push, good_push

from regtrace.redact.gate import Gate
from regtrace.report.compare.output import ENDINGS as OF_A_DIFF
from regtrace.report.output import ENDINGS, Refused, check_path, write, write_all


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_what_was_open_to_all_is_private_once_it_is_written_anew(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"push{ending}"
    old = os.umask(0)
    try:
        write(good_push(), [str(path)], Gate())
        assert mode(path) == 0o600
        path.chmod(0o644)
        write(failing_push(), [str(path)], Gate())
    finally:
        os.umask(old)
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_force_replaces_what_others_wrote_and_nothing_else_does(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"push{ending}"
    path.write_text("my notes")
    with pytest.raises(Refused, match="is no report of regtrace"):
        write(good_push(), [str(path)], Gate())
    assert path.read_text() == "my notes"
    write(good_push(), [str(path)], Gate(), force=True)
    write(good_push(), [str(path)], Gate())


def test_force_follows_a_link_and_makes_no_directory_a_file(tmp_path: Path) -> None:
    target, link, folder = (tmp_path / name for name in ("notes.txt", "push.txt", "dir.txt"))
    target.write_text("my notes")
    link.symlink_to(target)
    folder.mkdir()
    write(good_push(), [str(link)], Gate(), force=True)
    assert link.is_symlink()
    assert target.read_text().startswith("OK")
    with pytest.raises(Refused, match="is a directory"):
        check_path(str(folder), force=True)


def test_what_somebody_wrote_there_in_the_meantime_stays(tmp_path: Path) -> None:
    """It was free when the command began; then it took a minute to read the capture."""
    path = tmp_path / "push.txt"
    check_path(str(path))
    path.write_text("my notes")
    with pytest.raises(Refused, match="is not replaced"):
        write(good_push(), [str(path)], Gate())
    assert path.read_text() == "my notes"


def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def pieces() -> Iterator[str]:
        yield "DIFFERS  the first half"
        raise KeyboardInterrupt

    whole = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    with pytest.raises(KeyboardInterrupt):
        write_all({whole[0]: ["OK"], whole[1]: pieces()}, force=False)
    assert not list(tmp_path.iterdir())


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "push.txt"
    write(good_push(), [str(path)], Gate())
    before = path.read_text()

    def pieces() -> Iterator[str]:
        yield "FAILED  "
        assert path.read_text() == before
        raise OSError(28, "No space left on device")

    with pytest.raises(Refused, match="No space left"):
        write_all({str(path): pieces()}, force=False)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_comparison_has_fewer_forms() -> None:
    with pytest.raises(Refused, match=r"use one of \.html, \.json, \.log, \.txt$"):
        check_path("x.sarif", endings=OF_A_DIFF)
