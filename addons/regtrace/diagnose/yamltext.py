"""YAML that somebody wrote by hand, as a tree that knows its lines: bounded, and never executed.

Whoever reads a file of settings asks each :class:`Part` for what it expects there; what is not
there, or too much, is a :class:`Mistake` that says where and what would be right.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

import yaml

from regtrace.wire.url import parse_url

#: Characters of a file; a site's expectations have some thousand.
MOST = 128 * 1024
#: Levels of a file; ours have four.
_DEEPEST = 20
#: Characters of one value that a message repeats.
_SHOWN = 60

_KINDS = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "timestamp": "a date",
    "map": "a mapping (name: value)",
    "seq": "a list",
}


class Mistake(ValueError):
    """What is wrong in a file, where, and what would be right."""


class Part:
    """One value of a file."""

    def __init__(self, node: yaml.Node, source: str, name: str) -> None:
        self._node = node
        self._source = source
        self.name = name
        """Its key, for messages."""

    @property
    def line(self) -> int:
        return int(self._node.start_mark.line) + 1

    def mistake(self, what: str) -> Mistake:
        return Mistake(f"{self._source}, line {self.line}: {what}")

    def pairs(self) -> list[tuple[Part, Part]]:
        """The keys and values of a mapping; no key comes twice."""
        if self._is_nothing():
            return []
        if not isinstance(self._node, yaml.MappingNode) or self._kind() != "map":
            raise self._not("a mapping (name: value)")
        pairs: dict[str, tuple[Part, Part]] = {}
        for key, value in self._node.value:
            named = Part(key, self._source, "a name")
            name = named.written()
            if name in pairs:
                first = pairs[name][0].line
                raise named.mistake(f"{shown(name)} stands in line {first} too; keep one of them")
            pairs[name] = (named, Part(value, self._source, name))
        return list(pairs.values())

    def fields(self, known: Collection[str], required: Iterable[str] = ()) -> dict[str, Part]:
        """A mapping with no other keys than these."""
        fields: dict[str, Part] = {}
        for key, value in self.pairs():
            if value.name not in known:
                raise key.mistake(f"unknown {shown(value.name)}; {advice(value.name, known)}")
            fields[value.name] = value
        lacking = [name for name in required if name not in fields]
        if lacking:
            raise self.mistake(f"{' and '.join(lacking)} must be said of {self.name}")
        return fields

    def items(self) -> list[Part]:
        """The values of a list."""
        if self._is_nothing():
            return []
        if not isinstance(self._node, yaml.SequenceNode) or self._kind() != "seq":
            raise self._not("a list")
        return [Part(item, self._source, self.name) for item in self._node.value]

    def one_or_more(self) -> list[Part]:
        """The values of a list, or the one that stands alone; never none."""
        alone = isinstance(self._node, yaml.ScalarNode) and not self._is_nothing()
        parts = [self] if alone else self.items()
        if not parts:
            raise self.mistake(f"{self.name}: expected at least one")
        return parts

    def text(self) -> str:
        kind = self._kind()
        if kind in {"int", "float", "bool", "timestamp"}:
            found = f"{shown(self.written())} is read as {_KINDS[kind]}"
            raise self.mistake(f"{self.name}: {found}; put it in quotes")
        if kind != "str" or not self.written().strip():
            raise self._not("text")
        return self.written().strip()

    def authority(self) -> str:
        """``host[:port]`` as it is compared between legs; without a port, 443 is meant."""
        text = self.written()
        url = parse_url(f"https://{text}")
        if "://" in text:
            raise self.mistake(f"{shown(text)} is a URL; write host:port alone")
        if url is None or set(text) & set("/@?# "):
            raise self.mistake(f"{shown(text)} is no host; write it like registry.example:5050")
        return url.authority

    def written(self) -> str:
        """What stands there, whatever YAML takes it for."""
        if not isinstance(self._node, yaml.ScalarNode):
            raise self._not("a single value")
        return str(self._node.value)

    def one_of(self, choices: Collection[str]) -> str:
        word = self.written()
        if word not in choices:
            raise self.mistake(f"{self.name}: {shown(word)} is unknown; {advice(word, choices)}")
        return word

    def _kind(self) -> str:
        return str(self._node.tag).rpartition(":")[2]

    def _is_nothing(self) -> bool:
        """A name with nothing behind it, as when all of it is a comment."""
        return self._kind() == "null"

    def _not(self, expected: str) -> Mistake:
        found = _KINDS.get(self._kind(), "something else")
        return self.mistake(f"{self.name}: expected {expected}, found {found}")


def read_yaml(text: str, source: str, name: str) -> Part | None:
    """What the file holds, called ``name``; None when it is empty. Raises Mistake."""
    if len(text) > MOST:
        raise Mistake(f"{source}: has more than {MOST} characters, so it is no file for regtrace")
    try:
        _check_shape(text, source)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        why = ": ".join(said for said in (fault.context, fault.problem) if said)
        raise Mistake(f"{source}{where}: no valid YAML: {why}") from None
    except yaml.reader.ReaderError as fault:
        line = text.count("\n", 0, fault.position) + 1
        raise Mistake(f"{source}, line {line}: no valid YAML: a control character") from None
    return Part(node, source, name) if node else None


def _check_shape(text: str, source: str) -> None:
    """Aliases make a small file endless (a "billion laughs"), and depth exhausts the stack."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            alias = f"the alias *{shown(event.anchor or '')} is not read"
            raise Mistake(f"{source}, line {line}: {alias}; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise Mistake(f"{source}, line {line}: more than {_DEEPEST} levels deep")


def advice(word: str, known: Collection[str]) -> str:
    """What somebody may have meant who wrote this word, or all that there is."""
    return did_you_mean(word, known) or f"there are {', '.join(known)}"


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The nearest word as a question; empty when none is near."""
    near = difflib.get_close_matches(word[:_SHOWN], known, 1)
    return f"did you mean {near[0]}?" if near else ""


def shown(word: str) -> str:
    """A word of the file in a message: short, on one line."""
    line = " ".join(word.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
