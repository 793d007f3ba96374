"""A YAML or JSON file as flat settings: ``storage.s3.region`` → value and line. Never executed.

Aliases and merge keys are followed, as compose files and Helm values need them, but the values that
come of it are counted: a small file can't become endless (a "billion laughs").
"""

from __future__ import annotations

from typing import Any

import yaml

from regtrace.evidence.config.secrets import is_secret
from regtrace.evidence.config.text import Unreadable
from regtrace.wire.settings import Setting, Settings

_DEEPEST = 25
_MOST_VALUES = 20_000
#: libyaml is twenty times faster; the depth is checked before anything nests on its stack.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str, name: str) -> Settings:
    """Every value of the file; what is null or empty has no text. Raises Unreadable."""
    return Settings(_Flat(name).read(text))


class _Flat:
    def __init__(self, name: str) -> None:
        self.name = name
        self.said: dict[str, Setting] = {}
        self.visited = 0

    def read(self, text: str) -> dict[str, Setting]:
        try:
            self._check_depth(text)
            node = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as fault:
            mark = fault.problem_mark or fault.context_mark
            where = f", line {mark.line + 1}" if mark else ""
            why = ": ".join(said for said in (fault.context, fault.problem) if said)
            raise Unreadable(f"{self.name}{where}: no valid YAML: {why}") from None
        except yaml.reader.ReaderError as fault:
            line = text.count("\n", 0, fault.position) + 1
            raise Unreadable(f"{self.name}, line {line}: holds a control character") from None
        if not isinstance(node, yaml.MappingNode):
            raise Unreadable(f"{self.name}: is no mapping (name: value)")
        self._walk("", node, 0)
        return self.said

    def _check_depth(self, text: str) -> None:
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise self._refusal(line, f"more than {_DEEPEST} levels deep")

    def _walk(self, path: str, node: yaml.Node, depth: int) -> None:
        line = int(node.start_mark.line) + 1
        self.visited += 1
        if depth > _DEEPEST or self.visited > _MOST_VALUES:
            raise self._refusal(line, f"more than {_MOST_VALUES} values, aliases counted each time")
        empty = isinstance(node, yaml.CollectionNode) and not node.value
        if empty or str(node.tag).endswith(":null"):
            # A driver without parameters is there all the same.
            self.said[path] = Setting(path, "", self.name, line)
        elif isinstance(node, yaml.MappingNode):
            for key, value in sorted(node.value, key=_merged_first):
                merges = _is_merge(key)
                name = "" if merges else str(getattr(key, "value", ""))[:200]
                self._walk(path if merges else f"{path}.{name}".lstrip("."), value, depth + 1)
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self._walk(f"{path}.{number}", value, depth + 1)
        elif isinstance(node, yaml.ScalarNode):
            text = str(node.value)
            self.said[path] = Setting(path, text, self.name, line, is_secret(path, text))

    def _refusal(self, line: int, why: str) -> Unreadable:
        return Unreadable(f"{self.name}, line {line}: {why}, so it is not read")


def _is_merge(key: yaml.Node) -> bool:
    return str(key.tag).endswith(":merge")


def _merged_first(pair: tuple[yaml.Node, yaml.Node]) -> bool:
    """What a mapping says itself replaces what it merges."""
    return not _is_merge(pair[0])
