"""Conditions of users' rules, in CEL (the Common Expression Language, cel.dev), evaluated by celpy.

A condition is checked when it is read: it uses names of ``view`` and the operators and functions
below, nothing else. No loops are among them, so that evaluating one costs no more than its length,
and every type is known, so that it can't go wrong later but by its arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import re2
from celpy import Environment, Runner, celtypes
from celpy.adapter import json_to_cel
from celpy.celparser import CELParseError
from celpy.evaluation import CELEvalError
from lark import Tree

from regtrace.diagnose.facts import Facts
from regtrace.diagnose.user_rules.view import NAMES, Name, seen
from regtrace.diagnose.yamltext import did_you_mean
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.exchange import Exchange, Request
from regtrace.wire.leg import Leg

#: Characters of a condition.
MOST = 2_000
#: Backslashes of a condition: celpy's pattern for texts tries each of them in two ways.
_MOST_BACKSLASHES = 12
#: Levels of its syntax tree; each bracket opens some ten.
_DEEPEST = 200

#: Part of a syntax tree that calls → which of its children is the name, and what it may be.
_CALLED = {
    "ident_arg": (0, {"size"}),
    "member_dot_arg": (1, {"startsWith", "endsWith", "contains", "matches"}),
}
_CALLS = "size(x), x.startsWith(y), x.endsWith(y), x.contains(y), x.matches(y)"
_REFUSED = {
    "map_lit": "maps ({…})",
    "member_object": "objects (x{…})",
    "dot_ident": "a dot in front",
    "dot_ident_arg": "a dot in front",
}
_NAMES = {name.name: name for name in NAMES}
#: Parts of a syntax tree that have a value of their own.
_VALUES = frozenset(
    "expr conditionalor conditionaland relation addition multiplication unary member".split()
)
_LOGIC = frozenset({"conditionaland", "conditionalor"})


class ConditionError(ValueError):
    """A condition that can't be read, or not be evaluated. The message says what is wrong."""


class Condition:
    def __init__(self, text: str) -> None:
        """Read and try it. Raises ConditionError."""
        tree = _parsed(text)
        reading = _Reading()
        reading.take(tree)
        self._names = tuple(reading.names.values())
        self._program = _program(tree)
        _try(tree, self._context(*_sample()))

    def holds(self, leg: Leg, facts: Facts) -> bool:
        """Whether it is true of this leg. Raises ConditionError where arithmetic fails."""
        return bool(_value(self._program, self._context(leg, facts)))

    def _context(self, leg: Leg, facts: Facts) -> dict[str, Any]:
        return {name: _cel(tree) for name, tree in seen(self._names, leg, facts).items()}


class _Texts(celtypes.MapType):
    """Texts by name: one that is not there is empty."""

    def __missing__(self, key: object) -> celtypes.StringType:
        return celtypes.StringType("")


def _cel(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _Texts({celtypes.StringType(key): _cel(item) for key, item in value.items()})
    return json_to_cel(value)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment()


def _program(tree: Tree[Any]) -> Runner:
    return _environment().program(tree, {"matches": _matches})


def _matches(text: celtypes.StringType, pattern: celtypes.StringType) -> celtypes.BoolType:
    """celpy's own lets re2 write to standard error. re2 takes linear time."""
    return celtypes.BoolType(_pattern(str(pattern)).search(str(text)) is not None)


@lru_cache(maxsize=256)
def _pattern(text: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(text, options)


def _value(program: Runner, context: dict[str, Any]) -> Any:
    try:
        return program.evaluate(context)
    except CELEvalError as fault:
        raise ConditionError(_in_words(fault)) from None
    except re2.error as fault:
        raise ConditionError(f"its pattern is wrong: {_reason(fault)}") from None
    except RecursionError:
        raise ConditionError("it is too deep") from None


def _try(tree: Tree[Any], context: dict[str, Any]) -> None:
    """Evaluate every part of it: types never change, so what fits now can't fail to fit later."""
    values: dict[int, Any] = {}
    for part in tree.iter_subtrees():
        if part.data in _VALUES:
            value = values[id(part)] = _value(_program(part), context)
            if isinstance(value, Exception):
                raise ConditionError(_in_words(value))
        sides = part.children if part.data in _LOGIC and len(part.children) > 1 else ()
        if any(not isinstance(values[id(side)], celtypes.BoolType) for side in sides):
            raise ConditionError("a side of && or || is neither true nor false")
    if not isinstance(values[id(tree)], celtypes.BoolType):
        raise ConditionError("it is neither true nor false; compare it with something")


@lru_cache(maxsize=1)
def _sample() -> tuple[Leg, Facts]:
    request = Request(method="GET", scheme="https", host="registry.test", port=443, target="/v2/")
    leg = decode(Exchange(id="sample", request=request))
    (operation,) = tell([leg])
    return leg, Facts(operation)


_TYPES = {
    "StringType": "a text",
    "IntType": "a number",
    "DoubleType": "a number",
    "UintType": "a number",
    "BoolType": "true or false",
    "ListType": "a list",
    "_Texts": "texts by name",
    "MapType": "texts by name",
    "NoneType": "null",
}
_FOUND = re.compile(r"class '[\w.]*?(\w+)'")


def _in_words(fault: Exception) -> str:
    """What celpy means: which types it can't bring together, or its own words."""
    said = " ".join(str(each) for each in fault.args)
    found = _FOUND.findall(said.partition("applied to")[2])
    types = [_TYPES[name] for name in found if name in _TYPES]
    if types:
        return f"it brings together what does not fit: {' and '.join(types[:2])}"
    return f"it can't be worked out: {fault.args[0] if fault.args else fault}"


def _reason(fault: Exception) -> str:
    said = fault.args[0] if fault.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _parsed(text: str) -> Tree[Any]:
    if len(text) > MOST:
        raise ConditionError(f"it has more than {MOST} characters")
    if text.count("\\") > _MOST_BACKSLASHES:
        raise ConditionError(f"it has more than {_MOST_BACKSLASHES} backslashes; write [.] for \\.")
    try:
        tree = _environment().compile(text)
    except CELParseError as fault:
        where = _excerpt(text, fault.line or 1, fault.column or 1)
        raise ConditionError(f"it can't be read at {where}; {_advice_on(text)}") from None
    if any(depth > _DEEPEST for depth in _depths(tree)):
        raise ConditionError("it is too deep: it has too many brackets in brackets")
    return tree


def _excerpt(text: str, line: int, column: int) -> str:
    rest = text.splitlines()[line - 1][max(column - 1, 0) :].strip() if text else ""
    return repr(rest[:20]) if rest else "its end"


def _advice_on(text: str) -> str:
    words = set(text.replace("(", " ").split())
    if words & {"and", "or", "not", "AND", "OR", "NOT"}:
        return "write && for and, || for or, ! for not"
    if "=" in words:
        return "write == to compare"
    return 'write it like: leg.status == 403 && leg.kind == "storage"'


def _depths(tree: Tree[Any]) -> Iterator[int]:
    waiting: list[tuple[Any, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield depth
        waiting += [(child, depth + 1) for child in getattr(node, "children", ())]


class _Reading:
    """One walk through a condition: which names it uses, and that it uses nothing else."""

    def __init__(self) -> None:
        self.names: dict[str, Name] = {}

    def take(self, node: Any) -> None:
        what = getattr(node, "data", None)
        if what in _REFUSED:
            raise ConditionError(f"{_REFUSED[what]} can't be used in it")
        path = _path(node)
        if path:
            self._use(path)
            return
        if what == "member_dot":
            raise ConditionError(f".{node.children[1]} can't be asked of that")
        if what in _CALLED:
            place, known = _CALLED[what]
            if node.children[place] not in known:
                raise ConditionError(f"it can't use {node.children[place]}(); there are {_CALLS}")
        for child in getattr(node, "children", ()):
            self.take(child)

    def _use(self, path: str) -> None:
        if path in _NAMES:
            self.names[path] = _NAMES[path]
            return
        within = next((name for name in _NAMES if name.startswith(f"{path}.")), None)
        if within:
            raise ConditionError(f"{path} alone says nothing; say what of it, such as {within}")
        hint = did_you_mean(path, _NAMES) or "regtrace rules test --help lists the names"
        raise ConditionError(f"nothing is called {path}; {hint}")


def _path(node: Any) -> str:
    """``leg.error.code`` for the node that is just that; empty for every other."""
    what = getattr(node, "data", None)
    if what == "ident":
        return str(node.children[0])
    if what == "member_dot":
        before = _path(node.children[0])
        return f"{before}.{node.children[1]}" if before else ""
    if what in {"member", "primary"} and len(node.children) == 1:
        return _path(node.children[0])
    return ""
