"""gitlab.rb, read without running it: literal values of its settings, everything else is computed.

The file is a program. What is read are statements of the forms ``registry['a'] = LITERAL``,
``registry['a']['b'] = LITERAL`` and ``registry_external_url LITERAL``; strings, numbers, true,
false, nil, arrays and hashes of them are literals. A value that has to be worked out (ENV,
File.read, an interpolation), and whatever stands inside an ``if``, is kept as computed: it is set,
to something that can't be known here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from regtrace.evidence.config.secrets import is_secret
from regtrace.wire.settings import Setting, Settings

_STATEMENT = re.compile(
    r"(?P<name>[a-z_]\w*)(?P<keys>(?:\[(?:'[^'\n]*'|\"[^\"\n]*\"|:\w+)\])+)"
    r"[ \t]*(?:\|\|=|=(?![=~>]))"
)
_CALL = re.compile(r"(?P<name>\w*external_url)[ \t(]+(?=['\"\w])")
_KEY = re.compile(r"\[(?:'([^'\n]*)'|\"([^\"\n]*)\"|:(\w+))\]")
_OPENS = re.compile(
    r"(?:if|unless|case|begin|while|until|def|class|module|for)\b"
    r"|.*\bdo(?:\s*\|[^|]*\|)?\s*$"
)
_HEREDOC = re.compile(r"<<[~-]?['\"]?([A-Z_a-z]\w*)['\"]?")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_NUMBER = re.compile(r"-?[0-9][0-9_]*(?:\.[0-9]+)?(?![\w.])")
_WORD = re.compile(r"(?:true|false|nil)\b")
_SYMBOL = re.compile(r":(\w+)")
_BARE_KEY = re.compile(r"(\w+):(?!:)")
_END_OF_LINE = re.compile(r"[ \t]*[;)]?[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPES = {"n": "\n", "t": "\t", "e": "\x1b", "0": "\0"}
_DEEPEST = 20
#: Texts without an end that are looked for to the end of the file.
_MOST_UNCLOSED = 20


class _Computed(Exception):
    """No literal stands here."""


@dataclass(frozen=True, slots=True)
class _Value:
    text: str
    line: int


_Tree = _Value | dict[str, "_Tree"] | None


#: Settings as they stand so far: a later statement replaces all below what it sets.
_State = dict[str, "_State | Setting"]


def read_ruby(text: str, name: str) -> Settings:
    """Settings by dotted name: ``registry.storage.s3.region``, ``external_url``."""
    return Settings(_Reader(text, name).read())


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self._state: _State = {}
        self._unclosed = 0
        self._starts = [0, *(at + 1 for at, letter in enumerate(text) if letter == "\n")]

    def read(self) -> dict[str, Setting]:
        at = depth = 0
        while at < len(self.text):
            end = self.text.find("\n", at)
            end = len(self.text) if end < 0 else end
            line = self.text[at:end].strip()
            begin = at + len(self.text[at:end]) - len(self.text[at:end].lstrip())
            if line == "=begin":
                closing = self.text.find("\n=end", at)
                at = len(self.text) if closing < 0 else closing + 5
            elif not line or line.startswith("#"):
                at = end + 1
            elif line == "__END__":
                break
            elif re.match(r"end\b", line):
                depth, at = max(depth - 1, 0), end + 1
            elif statement := _STATEMENT.match(self.text, begin) or _CALL.match(self.text, begin):
                at = self._statement(statement, hidden=depth > 0)
            else:
                depth += _OPENS.match(line) is not None
                at = self._after_heredoc(line, end)
        return dict(_flat("", self._state))

    def _statement(self, statement: re.Match[str], *, hidden: bool) -> int:
        """Keeps what it sets; where the next statement may begin."""
        keys = statement.groupdict().get("keys") or ""
        path = [statement["name"], *(a or b or c for a, b, c in _KEY.findall(keys))]
        written = statement["name"] + keys
        try:
            value, after = self._literal(statement.end(), 0)
            rest = _END_OF_LINE.match(self.text, after)
            if rest is None or hidden:
                raise _Computed
            self._set(path, self._kept(".".join(path), written, value))
            return rest.end()
        except _Computed:
            line = self._line(statement.start())
            self._set(path, Setting(written, "", self.source, line, computed=True))
            end = self.text.find("\n", statement.end())
            end = len(self.text) if end < 0 else end
            return self._after_heredoc(self.text[statement.end() : end], end)

    def _set(self, path: list[str], value: _State | Setting) -> None:
        state = self._state
        for key in path[:-1]:
            inner = state.get(key)
            if not isinstance(inner, dict):
                inner = state[key] = {}
            state = inner
        state[path[-1]] = value

    def _kept(self, path: str, written: str, value: _Tree) -> _State | Setting:
        if isinstance(value, _Value):
            secret = is_secret(path, value.text)
            return Setting(written, value.text, self.source, value.line, secret)
        return {
            key: self._kept(f"{path}.{key}", f"{written}['{key}']", inner)
            for key, inner in (value or {}).items()
        }

    def _literal(self, at: int, depth: int) -> tuple[_Tree, int]:
        at = self._past_blanks(at)
        letter = self.text[at : at + 1]
        line = self._line(at)
        if depth > _DEEPEST:
            raise _Computed
        if letter in {"'", '"'}:
            text, at = self._string(at)
            return _Value(text, line), at
        if letter == "{":
            return self._hash(at + 1, depth)
        if letter == "[":
            return self._array(at + 1, depth)
        if self.text.startswith(("%w(", "%w[", "%w{"), at):
            return self._words(at)
        if match := _NUMBER.match(self.text, at):
            return _Value(match[0].replace("_", ""), line), match.end()
        if match := _WORD.match(self.text, at):
            return (None if match[0] == "nil" else _Value(match[0], line)), match.end()
        if match := _SYMBOL.match(self.text, at):
            return _Value(match[1], line), match.end()
        raise _Computed

    def _string(self, at: int) -> tuple[str, int]:
        pieces: list[str] = []
        quote, at = self.text[at], at + 1
        while at < len(self.text):
            letter = self.text[at]
            if letter == quote:
                return "".join(pieces), at + 1
            if letter == "\\":
                following = self.text[at + 1 : at + 2]
                known = quote == '"' or following in {"'", "\\"}
                pieces.append(_ESCAPES.get(following, following) if quote == '"' else following)
                if not known:
                    pieces[-1] = "\\" + following
                at += 2
                continue
            if quote == '"' and self.text.startswith("#{", at):
                raise _Computed
            pieces.append(letter)
            at += 1
        raise _Computed

    def _hash(self, at: int, depth: int) -> tuple[_Tree, int]:
        tree: dict[str, _Tree] = {}
        while True:
            at = self._past_blanks(at)
            if self.text.startswith("}", at):
                return tree, at + 1
            key, at = self._key(at)
            value, at = self._literal(at, depth + 1)
            tree[key] = value
            at = self._past_comma(at, "}")

    def _key(self, at: int) -> tuple[str, int]:
        bare = _BARE_KEY.match(self.text, at)
        if bare:
            return bare[1], bare.end()
        symbol = _SYMBOL.match(self.text, at)
        if symbol:
            key, at = symbol[1], symbol.end()
        elif self.text[at : at + 1] in {"'", '"'}:
            key, at = self._string(at)
            if self.text.startswith(":", at):
                return key, at + 1
        else:
            raise _Computed
        at = self._past_blanks(at)
        if not self.text.startswith("=>", at):
            raise _Computed
        return key, at + 2

    def _array(self, at: int, depth: int) -> tuple[_Tree, int]:
        tree: dict[str, _Tree] = {}
        while True:
            at = self._past_blanks(at)
            if self.text.startswith("]", at):
                return tree, at + 1
            tree[str(len(tree))], at = self._literal(at, depth + 1)
            at = self._past_comma(at, "]")

    def _words(self, at: int) -> tuple[_Tree, int]:
        closing = {"(": ")", "[": "]", "{": "}"}[self.text[at + 2]]
        end = self.text.find(closing, at)
        if end < 0:
            raise _Computed
        line = self._line(at)
        words = self.text[at + 3 : end].split()
        return {str(n): _Value(word, line) for n, word in enumerate(words)}, end + 1

    def _past_comma(self, at: int, closing: str) -> int:
        at = self._past_blanks(at)
        if self.text.startswith(",", at):
            return at + 1
        if self.text.startswith(closing, at):
            return at
        raise _Computed

    def _past_blanks(self, at: int) -> int:
        match = _BLANK.match(self.text, at)
        return match.end() if match else at

    def _after_heredoc(self, line: str, end: int) -> int:
        """Past the text that a ``<<EOS`` in this line begins."""
        begun = _HEREDOC.search(line)
        if begun is None or self._unclosed > _MOST_UNCLOSED:
            return end + 1
        closing = re.compile(rf"^[ \t]*{begun[1]}\s*$", re.MULTILINE).search(self.text, end)
        self._unclosed += closing is None
        return closing.end() + 1 if closing else end + 1

    def _line(self, at: int) -> int:
        return bisect_right(self._starts, at)


def _flat(path: str, state: _State | Setting) -> Iterator[tuple[str, Setting]]:
    if isinstance(state, Setting):
        yield path, state
    else:
        for key, inner in state.items():
            yield from _flat(f"{path}.{key}" if path else key, inner)


def settings_in(settings: Settings, *prefixes: str) -> Iterator[tuple[str, Setting]]:
    """What stands below these names, the prefix taken off."""
    for prefix in prefixes:
        for key, each in settings:
            if key.startswith(f"{prefix}."):
                yield key[len(prefix) + 1 :], each
