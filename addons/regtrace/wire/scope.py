"""What a token may do: scopes, as challenges name them and tokens grant them.

``type[(class)]:name:action[,action]`` (distribution docs/content/spec/auth/scope.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Characters of a scope list that are looked at. It travels in a header or a URL, which servers
#: cap at 8 to 64 KiB, so what is longer was never one.
MAX_SCOPE_TEXT = 65_536


@dataclass(frozen=True, slots=True)
class Scope:
    """One resource and the actions on it. Clients order actions differently: they are a set."""

    type: str
    class_: str = ""
    """As in ``repository(plugin)``; empty nearly always."""
    name: str = ""
    """May hold a colon, for a port. Empty in the bare words ``aws`` (ECR Public), ``*`` (Gitea)."""
    actions: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """The canonical text, actions sorted."""
        kind = f"{self.type}({self.class_})" if self.class_ else self.type
        if not self.name and not self.actions:
            return kind
        return f"{kind}:{self.name}:{','.join(sorted(self.actions))}"


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """Every scope of a list that is separated by blanks, in its order."""
    if len(text) > MAX_SCOPE_TEXT:
        return ()
    scopes = map(_parse_scope, text.split())
    return tuple(scope for scope in scopes if str(scope))


def _parse_scope(word: str) -> Scope:
    kind, _, rest = word.partition(":")
    # The last colon ends the name, which may hold one itself: repository:host:5000/x:pull.
    name, colon, actions = rest.rpartition(":")
    if not colon:
        name, actions = rest, ""
    class_ = ""
    if kind.endswith(")") and "(" in kind:
        kind, _, class_ = kind[:-1].partition("(")
    return Scope(kind, class_, name, frozenset(action for action in actions.split(",") if action))


def lacking(asked: Iterable[Scope], granted: Iterable[Scope]) -> tuple[Scope, ...]:
    """What was asked and not granted, per resource and action, in the order asked.

    ``*`` grants every action and the class is not compared, as in distribution's own check
    (registry/auth/token accesscontroller.go, accessSet.contains).
    """
    given: dict[tuple[str, str], set[str]] = {}
    for scope in granted:
        given.setdefault((scope.type, scope.name), set()).update(scope.actions)
    missing: dict[tuple[str, str, str], set[str]] = {}
    for scope in asked:
        actions = given.get((scope.type, scope.name), set())
        if "*" not in actions and (rest := scope.actions - actions):
            missing.setdefault((scope.type, scope.class_, scope.name), set()).update(rest)
    return tuple(Scope(*resource, frozenset(rest)) for resource, rest in missing.items())
