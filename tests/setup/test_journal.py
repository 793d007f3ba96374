"""The journal: what was changed comes back byte for byte, and what others changed is left alone."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from regtrace.setup.journal import Edit, Journal
from regtrace.setup.refused import Refused


class Commands:
    """Records commands instead of running them."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self.run: list[tuple[str, ...]] = []
        self.fails = fails

    def __call__(self, command: Sequence[str]) -> None:
        self.run.append(tuple(command))
        if self.fails:
            raise self.fails


def _journal(tmp_path: Path, commands: Commands | None = None) -> Journal:
    return Journal(tmp_path / "regtrace", commands or Commands())


def _tree(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): (
            path.read_bytes() if path.is_file() else None,
            stat.S_IMODE(path.stat().st_mode),
        )
        for path in sorted(folder.rglob("*"))
    }


def test_what_was_written_comes_back_with_mode_and_without_new_folders(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "daemon.json").write_bytes(b'{"debug": true}')
    (etc / "daemon.json").chmod(0o640)
    before = _tree(tmp_path)
    journal = _journal(tmp_path)

    journal.write("a", [Edit(etc / "daemon.json", b"{}"), Edit(etc / "x" / "y" / "ca.crt", b"ca")])
    assert (etc / "x" / "y" / "ca.crt").read_bytes() == b"ca"
    assert stat.S_IMODE((etc / "daemon.json").stat().st_mode) == 0o640
    restored, problems = journal.take_back()

    assert (len(restored), problems) == (2, ())
    assert _tree(tmp_path) == before


def test_only_its_owner_reads_the_journal(tmp_path: Path) -> None:
    _journal(tmp_path).write("a", [Edit(tmp_path / "file", b"1")])

    file = tmp_path / "regtrace" / "journal.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_second_time_nothing_happens(tmp_path: Path) -> None:
    commands = Commands()
    journal = _journal(tmp_path, commands)
    edit = Edit(tmp_path / "file", b"1")

    assert len(journal.write("a", [edit], do=["apply"])) == 1
    assert journal.write("a", [edit], do=["apply"]) == ()

    assert commands.run == [("apply",)]


def test_what_stood_there_at_first_comes_back_after_two_writes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    journal = _journal(tmp_path)

    journal.write("a", [Edit(tmp_path / "file", b"1")])
    journal.write("a", [Edit(tmp_path / "file", b"2")])
    journal.take_back("a")

    assert (tmp_path / "file").read_bytes() == b"old"
    assert journal.changes() == ()


def test_a_file_that_others_changed_is_neither_restored_nor_written(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    journal.write("a", [Edit(tmp_path / "file", b"1"), Edit(tmp_path / "other", b"1")])
    (tmp_path / "file").write_bytes(b"mine")

    with pytest.raises(Refused, match="was changed since"):
        journal.write("a", [Edit(tmp_path / "file", b"2")])
    restored, (problem,) = journal.take_back("a")

    assert [each.path for each in restored] == [str(tmp_path / "other")]
    assert problem.startswith(f"{tmp_path / 'file'}: was changed since")
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert len(journal.changes()) == 1


def test_a_file_that_others_removed_is_no_problem(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    journal.write("a", [Edit(tmp_path / "new" / "file", b"1")])
    (tmp_path / "new" / "file").unlink()

    assert journal.take_back("a")[1] == ()
    assert not (tmp_path / "new").exists()


def test_a_folder_in_which_others_put_something_stays(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    journal.write("a", [Edit(tmp_path / "new" / "file", b"1")])
    (tmp_path / "new" / "theirs").write_text("")

    journal.take_back("a")

    assert [path.name for path in (tmp_path / "new").iterdir()] == ["theirs"]


def test_a_file_larger_than_any_settings_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(2**20 + 1))

    with pytest.raises(Refused, match="too large"):
        _journal(tmp_path).write("a", [Edit(tmp_path / "file", b"1")])


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with pytest.raises(Refused, match="is a link"):
        _journal(tmp_path).write("a", [Edit(tmp_path / "link", b"1")])

    assert (tmp_path / "target").read_bytes() == b"theirs"


@pytest.mark.parametrize("how", [Refused("it failed"), KeyboardInterrupt(), SystemExit(143)])
def test_when_the_command_fails_or_is_interrupted_the_files_are_as_before(
    how: BaseException, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    before = _tree(tmp_path)
    journal = _journal(tmp_path, Commands(how))

    with pytest.raises(type(how)):
        journal.write("a", [Edit(tmp_path / "file", b"1"), Edit(tmp_path / "n", b"")], ["apply"])

    assert _tree(tmp_path) == before


def test_when_a_second_write_fails_the_first_stays(tmp_path: Path) -> None:
    commands = Commands()
    journal = _journal(tmp_path, commands)
    journal.write("a", [Edit(tmp_path / "file", b"1")])
    commands.fails = Refused("it failed")

    with pytest.raises(Refused):
        journal.write("a", [Edit(tmp_path / "file", b"2")], ["apply"])

    assert (tmp_path / "file").read_bytes() == b"1"
    assert journal.take_back()[1] == ()
    assert not (tmp_path / "file").exists()


def test_one_purpose_is_taken_back_and_the_other_stays(tmp_path: Path) -> None:
    commands = Commands()
    journal = _journal(tmp_path, commands)
    journal.write("trust a", [Edit(tmp_path / "a", b"1")], undo=["refresh"])
    journal.write("trust ab", [Edit(tmp_path / "ab", b"1")], undo=["refresh"])

    journal.take_back("trust a")

    assert [each.purpose for each in journal.changes()] == ["trust ab"]
    assert commands.run == [("refresh",)]


def test_a_file_that_was_changed_for_something_else_is_refused(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    journal.write("trust a", [Edit(tmp_path / "file", b"a")])

    with pytest.raises(Refused, match=r"\(trust a\); take that back first"):
        journal.write("trust b", [Edit(tmp_path / "file", b"ab")])

    assert (tmp_path / "file").read_bytes() == b"a"


def test_after_a_kill_at_any_moment_it_can_be_taken_back(tmp_path: Path) -> None:
    """The process is killed inside the command that follows the write."""
    (tmp_path / "file").write_bytes(b"old")
    program = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from regtrace.setup.journal import Edit, Journal
        def run(command): os.kill(os.getpid(), signal.SIGKILL)
        folder = Path({str(tmp_path)!r})
        edits = [Edit(folder / "file", b"1"), Edit(folder / "new" / "file", b"1")]
        Journal(folder / "regtrace", run).write("a", edits, ["x"])
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "file").read_bytes() == b"1"

    assert _journal(tmp_path).take_back()[1] == ()

    assert _tree(tmp_path).keys() == {"file"}
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "other"}', '{"schema": 1'])
def test_a_journal_that_can_not_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "journal.json").write_text(text)

    with pytest.raises(Refused, match="is no journal"):
        Journal(tmp_path, Commands()).changes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    os.chown(tmp_path / "file", 65534, 65534)
    journal = _journal(tmp_path)

    journal.write("a", [Edit(tmp_path / "file", b"1")])
    assert (tmp_path / "file").stat().st_uid == 65534
    journal.take_back()

    assert (tmp_path / "file").stat().st_uid == 65534
