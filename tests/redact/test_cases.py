"""Labels of a case: the same everywhere in it, different in every other, readable by its owner."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from regtrace.redact import cases
from regtrace.redact.cases import Unkept, Unusable, case_names, delete_case, find_case, open_case
from regtrace.redact.labels import Labels, keyed, sha256
from regtrace.redact.shapes import is_label, label_in


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(cases, "root", lambda: tmp_path / "regtrace" / "cases")
    return tmp_path / "regtrace" / "cases"


def test_a_value_has_one_label_in_its_case_and_another_in_another() -> None:
    first, again, other = (Labels(open_case(name)) for name in ("acme", "acme", "other"))
    assert first.of("token", "s3cret-one") == again.of("token", "s3cret-one")
    assert first.of("token", "s3cret-one") != first.of("token", "s3cret-two")
    assert first.of("token", "s3cret-one") != other.of("token", "s3cret-one")
    assert first.of("user", "alice") == again.of("user", "alice") == "user-1"
    assert again.of("user", "bob") == "user-2"


def test_a_secret_keeps_the_kind_that_it_was_first_taken_for() -> None:
    first, again = Labels(open_case("acme")), Labels(open_case("acme"))
    label = first.of("value", "s3cret")
    assert label.startswith("value-")
    assert again.of("token", "s3cret") == label


def test_without_a_case_labels_carry_nothing() -> None:
    labels = Labels()
    assert [labels.of("token", text) for text in ("a", "b", "a")] == [
        "token-1",
        "token-2",
        "token-1",
    ]


def test_keyed_labels_have_forty_bits_and_a_digit() -> None:
    made = {keyed(b"k" * 32, sha256(str(number))) for number in range(2000)}
    assert len(made) == 2000
    assert all(len(label) == 8 and not label.isalpha() for label in made)
    assert all(is_label(f"token-{label}") for label in made)


@pytest.mark.parametrize("password", ["password-mountain", "token-1a", "user-x", "token-7f3k2mabc"])
def test_what_only_resembles_a_label_is_none(password: str) -> None:
    assert not is_label(password)
    assert label_in(password) is None


def test_key_and_list_are_for_their_owner_alone_and_hold_no_secret(state: Path) -> None:
    case = open_case("acme")
    labels = Labels(case)
    label = labels.of("password", "s3cret-password")
    labels.of("user", "alice")
    case.seen(label, "request.header.Authorization")
    assert stat.S_IMODE((state / "acme").stat().st_mode) == 0o700
    for path in (state / "acme").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"s3cret-password" not in path.read_bytes()
    again = find_case("acme")
    entry = again.entry(label)
    assert entry is not None
    assert (entry.value, entry.place) == (None, "request.header.Authorization")
    assert [each.value for each in again.entries if each.label == "user-1"] == ["alice"]


def test_two_at_once_give_one_label_to_one_name() -> None:
    def label_all(_: int) -> list[str]:
        labels = Labels(open_case("acme"))
        return [labels.of("host", f"h{number}.test") for number in range(40)]

    with ThreadPoolExecutor(4) as threads:
        said = list(threads.map(label_all, range(4)))
    assert all(each == said[0] for each in said)
    assert len(set(said[0])) == 40


def test_a_torn_line_is_passed_over(state: Path) -> None:
    Labels(open_case("acme")).of("user", "alice")
    with (state / "acme" / "labels.jsonl").open("ab") as stream:
        stream.write(b'{"label": "user-7", "val\n[]\n{"label": "user-x", "value": "y"}\n')
    assert Labels(open_case("acme")).of("user", "bob") == "user-2"


def test_cases_are_listed_and_deleted() -> None:
    open_case("one")
    open_case("two")
    assert sorted(case_names()) == ["one", "two"]
    delete_case("one")
    assert case_names() == ["two"]
    with pytest.raises(Unusable, match="there is no case one"):
        find_case("one")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "x" * 81, "a b"])
def test_a_name_is_a_name(name: str) -> None:
    with pytest.raises(Unusable, match="the name of a case"):
        open_case(name)


def test_a_damaged_key_is_said(state: Path) -> None:
    open_case("acme")
    (state / "acme" / "key").write_bytes(b"short")
    with pytest.raises(Unusable, match="its key is damaged"):
        open_case("acme")


def test_a_case_that_nobody_keeps() -> None:
    first, second = Unkept(), Unkept()
    assert Labels(first).of("token", "s3cret") == Labels(first).of("token", "s3cret")
    assert Labels(first).of("token", "s3cret") != Labels(second).of("token", "s3cret")
    assert Labels(first).of("user", "alice") == "user-1"
