"""Reads what a site brings along: its expectations and suppressions, and rules of its own.

All that ``diagnose`` must not do is done here: opening files, and running the Python files among
the rules, which are code of the user's own.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from regtrace.diagnose.engine import Diagnosis, Examiner, examine
from regtrace.diagnose.expectations import NOTHING_EXPECTED, Expectations, parse_expectations
from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules import CATALOGUE, LAST_RESORT
from regtrace.diagnose.user_rules.read import NUMBER, NUMBERS, parse_rule
from regtrace.diagnose.yamltext import MOST, Mistake
from regtrace.follow.story import Operation
from regtrace.wire.testimony import Testimonies
from regtrace.wire.trusted_keys import MAX_KEYS

#: Files of a directory of rules.
_MOST_FILES = 500
_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Site:
    """The rules and expectations that a report is made with."""

    rules: tuple[Rule, ...] = CATALOGUE
    expectations: Expectations = NOTHING_EXPECTED

    def examine(self, operation: Operation) -> Diagnosis:
        return examine(operation, self.rules, self.expectations)

    def hearing(self, said: Testimonies) -> Examiner:
        """The same, with what logs say of the legs."""
        return lambda operation: examine(operation, self.rules, self.expectations, said)


def read_site(config: str, rules: str) -> Site:
    """The site that these two paths describe; an empty one means nothing of that kind.

    Raises Mistake.
    """
    everything = (*CATALOGUE, *read_rules(rules)) if rules else CATALOGUE
    return Site(everything, _expectations(config, everything) if config else NOTHING_EXPECTED)


def read_rules(directory: str) -> tuple[Rule, ...]:
    """The rules in the files of this directory, ``.yaml``, ``.yml`` and ``.py``. Raises Mistake."""
    folder = Path(directory).expanduser()
    try:
        files = sorted(path for path in folder.iterdir() if _holds_rules(path))
    except OSError as fault:
        raise Mistake(f"{directory}: {_reason(fault)}; name a directory of rules") from None
    if not files:
        raise Mistake(f"{directory}: holds no rule: no file ends in .yaml, .yml or .py")
    if len(files) > _MOST_FILES:
        raise Mistake(f"{directory}: has more than {_MOST_FILES} files; is it the right one?")
    found = [(rule, path) for path in files for rule in _rules_in(path)]
    _check_names(found)
    return tuple(rule for rule, _ in found)


def _holds_rules(path: Path) -> bool:
    return path.suffix in {*_YAML, ".py"} and not path.name.startswith((".", "_"))


def _rules_in(path: Path) -> Iterable[Rule]:
    if path.suffix in _YAML:
        return [parse_rule(_read(path), str(path))]
    return _run(path)


def _run(path: Path) -> list[Rule]:
    """Every rule that this Python file defines."""
    try:
        names = runpy.run_path(str(path), run_name=path.stem)
    except (Exception, SystemExit) as fault:
        said = f"{type(fault).__name__}: {fault}"
        raise Mistake(f"{path}, line {_line(fault, path)}: it stopped with {said}") from None
    rules = {id(value): value for value in names.values() if isinstance(value, Rule)}
    if not rules:
        raise Mistake(f"{path}: defines no rule; write RULE = Rule(…), or use the decorator @rule")
    return list(rules.values())


def _line(fault: BaseException, path: Path) -> int:
    """Where in the file itself it happened."""
    if isinstance(fault, SyntaxError) and fault.filename == str(path):
        return fault.lineno or 1
    line, trace = 1, fault.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _check_names(found: Iterable[tuple[Rule, Path]]) -> None:
    """No number or slug twice, and no number that is not for users."""
    places = {
        name: "regtrace's own catalogue"
        for rule in (*CATALOGUE, LAST_RESORT)
        for name in (rule.number, rule.slug)
    }
    for rule, path in found:
        if not NUMBER.fullmatch(rule.number):
            raise Mistake(f"{path}: number: {rule.number} must be {NUMBERS}")
        for name in (rule.number, rule.slug):
            if name in places:
                raise Mistake(f"{path}: {name} is in {places[name]} already; take another one")
            places[name] = str(path)


def _expectations(config: str, rules: tuple[Rule, ...]) -> Expectations:
    path = Path(config).expanduser()

    def read_key_file(name: str) -> bytes:
        """Its path is as seen from the configuration's own directory."""
        with (path.parent / Path(name).expanduser()).open("rb") as stream:
            return stream.read(MAX_KEYS + 1)

    return parse_expectations(_read(path), config, rules, read_key_file)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(4 * MOST + 1)  # UTF-8 has four bytes a character at most
    except OSError as fault:
        raise Mistake(f"{path}: can't be read: {_reason(fault)}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise Mistake(f"{path}, line {line}: is not in UTF-8") from None


def _reason(fault: OSError) -> str:
    return (fault.strerror or "can't be read").lower()
