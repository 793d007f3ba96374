"""Given this scope list, these are the scopes; given what was granted, this is lacking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.scope import MAX_SCOPE_TEXT, Scope, lacking, parse_scopes


def scope(name: str, *actions: str, type: str = "repository", class_: str = "") -> Scope:  # noqa: A002
    return Scope(type, class_, name, frozenset(actions))


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        ("repository:library/x:pull,push", [scope("library/x", "pull", "push")]),
        ("repository:x:push,pull", [scope("x", "pull", "push")]),
        ("repository:host.example:5000/x:pull", [scope("host.example:5000/x", "pull")]),
        ("repository(plugin):x/y:pull", [scope("x/y", "pull", class_="plugin")]),
        ("registry:catalog:*", [scope("catalog", "*", type="registry")]),
        ("aws", [Scope("aws")]),
        ("*", [Scope("*")]),
        (
            "repository:x:pull,push  repository:y:pull",
            [scope("x", "pull", "push"), scope("y", "pull")],
        ),
        ("repository:x:", [scope("x")]),
        ("repository:x", [scope("x")]),
        ("repository::pull", [scope("", "pull")]),
        ("repository:x:pull,,push,", [scope("x", "pull", "push")]),
        ("", []),
        (": ()", []),
        ("  \n", []),
        ("x " * MAX_SCOPE_TEXT, []),
    ],
)
def test_parse(text: str, scopes: list[Scope]) -> None:
    assert parse_scopes(text) == tuple(scopes)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("repository:x:push,pull", "repository:x:pull,push"),
        ("repository(plugin):x:pull", "repository(plugin):x:pull"),
        ("repository:x", "repository:x:"),
        ("aws", "aws"),
        ("*", "*"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert [str(found) for found in parse_scopes(text)] == [canonical]


@pytest.mark.parametrize(
    ("asked", "granted", "missing"),
    [
        ("repository:x:pull,push", "repository:x:push,pull", ""),
        ("repository:x:pull,push", "repository:x:pull", "repository:x:push"),
        ("repository:x:pull,push", "", "repository:x:pull,push"),
        ("repository:x:pull,push", "repository:y:pull,push", "repository:x:pull,push"),
        # More than asked, as Harbor grants; wildcards.
        ("repository:x:pull", "repository:x:pull,scanner-pull", ""),
        ("repository:x:pull,delete", "repository:x:*", ""),
        ("registry:catalog:*", "registry:catalog:*", ""),
        ("registry:catalog:*", "registry:catalog:pull", "registry:catalog:*"),
        # A mount asks for two; a server that reads one scope only grants the last.
        (
            "repository:x:pull,push repository:from:pull",
            "repository:from:pull",
            "repository:x:pull,push",
        ),
        # Granted in pieces.
        ("repository:x:pull,push", "repository:x:pull repository:x:push", ""),
        ("repository:x:pull repository:x:push", "", "repository:x:pull,push"),
        # Servers may leave out the class.
        ("repository(plugin):x:pull", "repository:x:pull", ""),
        # Bare words name no action.
        ("aws", "", ""),
    ],
)
def test_lacking(asked: str, granted: str, missing: str) -> None:
    found = lacking(parse_scopes(asked), parse_scopes(granted))
    assert " ".join(map(str, found)) == missing


@given(st.text() | st.text(alphabet="a:(), *"))
def test_any_text_is_survived_and_the_canonical_text_is_stable(text: str) -> None:
    for found in parse_scopes(text):
        assert parse_scopes(str(found)) == (found,)


SCOPES = st.lists(
    st.builds(scope, st.sampled_from(["x", "y", "h:5000/z"]), st.sampled_from(["pull", "push"]))
)


@given(asked=SCOPES, granted=SCOPES)
def test_what_is_lacking_was_asked_and_would_have_helped(
    asked: list[Scope], granted: list[Scope]
) -> None:
    missing = lacking(asked, granted)
    assert lacking(asked, [*granted, *missing]) == ()
    assert lacking(missing, asked) == ()
    assert lacking(asked, asked) == ()
