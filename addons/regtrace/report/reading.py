"""Reads a JSON report back into the model, so that every other form can be made of it later.

Its text comes from strangers: it is held against the schema (``report-1.json``) before anything is
made of it, and what is wrong is told with its place, such as ``findings[3].slug``. Fields that the
schema does not know are left out; a report of an older version may lack those that came later.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

import fastjsonschema
from fastjsonschema import JsonSchemaValueException

from regtrace.report import model
from regtrace.report.visible import visible

MOST = 512 * 1024 * 1024
"""Bytes of a report."""

_DEEPEST = 40
"""Maps and lists within each other."""

_LONGEST_KEY = 100
"""Characters of the name of a field."""


_Validator = Callable[[Any], Any]


class Misread(Exception):
    """Text that is no report. The message says what is wrong, and where."""


def read_report(text: str) -> model.Report:
    """The report that this JSON says. Raises Misread."""
    try:
        document = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as fault:
        where = f" in line {fault.lineno}" if isinstance(fault, json.JSONDecodeError) else ""
        raise Misread(f"is no JSON that can be read{where}") from None
    said = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(said, str) or not said.startswith(model.SCHEMA.rpartition("/")[0] + "/"):
        raise Misread("is no report of regtrace; name what regtrace report -o NAME.json wrote")
    if said != model.SCHEMA:
        raise Misread(
            f"has the schema {visible(said, limit=60)}; this regtrace reads {model.SCHEMA}"
        )
    _check_bounds(document, "", _DEEPEST)
    _check(document)
    ids = [leg["id"] for leg in document["legs"]]
    if len(set(ids)) < len(ids):
        raise Misread("legs: two of them have the same id")
    made: model.Report = _made(model.Report, document)
    return made


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


# --- against the schema


def _check_bounds(value: Any, path: str, left: int) -> None:
    """What no schema says: how deep it goes, and texts and numbers that only JSON can write."""
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            _wrong(path, "holds half of a character")
    elif isinstance(value, (int, float)):
        if not -1e300 < value < 1e300:
            _wrong(path, "is too large a number")
    elif isinstance(value, (dict, list)):
        if not left:
            _wrong(path, "is nested too deeply")
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in entries:
            if isinstance(key, str):
                if len(key) > _LONGEST_KEY:
                    _wrong(path, "has a field with too long a name")
                _check_bounds(key, path, left)
            _check_bounds(inner, _below(path, key), left - 1)


def _check(document: Any) -> None:
    """As the schema says."""
    _hold_against("", document, _validator())


def _hold_against(path: str, value: Any, validate: _Validator) -> None:
    try:
        validate(value)
    except JsonSchemaValueException as fault:
        # A name begins with the variable that holds the value.
        _explain(_joined(path, str(fault.name).partition("data")[2]), fault)


@cache
def _validator() -> _Validator:
    """A program made of the schema; to read the schema anew for each value takes 25 times as long.

    Of the schema, what came later than a report may be missing in it.
    """
    text = (files("regtrace.report") / "report-1.json").read_text("utf-8")
    made: _Validator = fastjsonschema.compile(json.loads(text, object_hook=_lenient))
    return made


def _lenient(part: dict[str, Any]) -> dict[str, Any]:
    """A map of the schema; a list of required fields is one wherever it stands."""
    if isinstance(part.get("required"), list):
        part["required"] = [name for name in part["required"] if name not in _came_later()]
    return part


def _explain(path: str, fault: JsonSchemaValueException) -> NoReturn:
    """What is wrong, in our own words: the library's quote the value, which is a stranger's."""
    rule, schema = fault.rule, fault.definition
    if rule == "anyOf":
        # Something or null, and no third: it is no null, so what is wrong with it as something?
        _hold_against(path, fault.value, fastjsonschema.compile(schema["anyOf"][0]))
    if rule == "required":
        missing = next(name for name in schema["required"] if name not in fault.value)
        _wrong(_below(path, missing), "is missing")
    _wrong(path, _RULES[str(rule)](schema))


def _one_of(schema: Mapping[str, Any]) -> str:
    return f"must be one of {', '.join(map(str, schema['enum']))}"


def _of_type(schema: Mapping[str, Any]) -> str:
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return f"must be of type {' or '.join(names)}"


def _within(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    return f"must be from {least} to {most}"


_RULES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "const": lambda schema: f"must be {schema['const']}",
    "enum": _one_of,
    "type": _of_type,
    "minimum": _within,
    "maximum": _within,
    "minLength": lambda schema: "must not be empty",
    "pattern": lambda schema: f"must look like {schema['pattern']}",
}


@cache
def _came_later() -> frozenset[str]:
    """Fields that the model has a value for when nothing is said."""
    kinds = (value for value in vars(model).values() if is_dataclass(value))
    return frozenset(
        field.name for kind in kinds for field in fields(kind) if field.default is not MISSING
    )


def _joined(path: str, rest: str) -> str:
    return path + rest if path else rest.removeprefix(".")


def _below(path: str, step: str | int) -> str:
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


def _wrong(path: str, what: str) -> NoReturn:
    raise Misread(f"{visible(path or 'the report', limit=200)}: {what}")


# --- into the model


def _made(kind: Any, value: Any) -> Any:
    """This value, of which the schema is sure, as the model's type."""
    if value is None:
        return None
    if isinstance(kind, type) and is_dataclass(kind):
        types = _types(kind)
        return kind(
            **{name: _made(types[name], inner) for name, inner in value.items() if name in types}
        )
    if get_origin(kind) is tuple:
        return tuple(_made(get_args(kind)[0], item) for item in value)
    if get_origin(kind) is Mapping:
        of = get_args(kind)[1]
        if isinstance(value, list):  # legs
            return {item["id"]: _made(of, item) for item in value}
        return {key: _made(of, inner) for key, inner in value.items()}
    known = [one for one in get_args(kind) if is_dataclass(one)]
    return _made(known[0], value) if known else value


@cache
def _types(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)
