"""Reads a JSON report back into the model, so that every other form can be made of it later.

Its text comes from strangers: it is held against the schema (``report-1.json``) before anything is
made of it, and what is wrong is told with its place, such as ``findings[3].slug``. Fields that the
schema does not know are left out; a report of an older version may lack those that came later.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

from regtrace.report import model
from regtrace.report.visible import visible

MOST = 512 * 1024 * 1024
"""Bytes of a report."""

_DEEPEST = 40
"""Maps and lists within each other."""

_LONGEST_KEY = 100
"""Characters of the name of a field."""

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "object": dict,
    "array": list,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


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
    _check(document, _schema(), "")
    ids = [leg["id"] for leg in document["legs"]]
    if len(set(ids)) < len(ids):
        raise Misread("legs: two of them have the same id")
    made: model.Report = _made(model.Report, document)
    return made


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


@cache
def _schema() -> Mapping[str, Any]:
    text = (files("regtrace.report") / "report-1.json").read_text("utf-8")
    schema: Mapping[str, Any] = json.loads(text)
    return schema


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


def _check(value: Any, schema: Mapping[str, Any], path: str) -> None:
    """As JSON Schema says, of which this knows what ``report-1.json`` uses."""
    if "$ref" in schema:
        _check(value, _schema()["$defs"][schema["$ref"].rpartition("/")[2]], path)
    if "anyOf" in schema:
        # Something or null, and no third.
        if value is not None:
            _check(value, schema["anyOf"][0], path)
        return
    _check_kind(value, schema, path)
    if isinstance(value, str):
        _check_text(value, schema, path)
    elif isinstance(value, dict):
        _check_map(value, schema, path)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _check(item, schema["items"], _below(path, number))
    elif isinstance(value, (int, float)):
        _check_number(value, schema, path)


def _check_kind(value: Any, schema: Mapping[str, Any], path: str) -> None:
    if "const" in schema and (value != schema["const"] or isinstance(value, bool)):
        _wrong(path, f"must be {schema['const']}")
    if "enum" in schema and value not in schema["enum"]:
        _wrong(path, f"must be one of {', '.join(map(str, schema['enum']))}")
    if "type" in schema:
        names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        known = any(isinstance(value, _TYPES[name]) for name in names)
        if not known or (isinstance(value, bool) and "boolean" not in names):
            _wrong(path, f"must be of type {' or '.join(names)}")


def _check_number(value: float, schema: Mapping[str, Any], path: str) -> None:
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if not least <= value <= most:
        _wrong(path, f"must be from {least} to {most}")


def _check_text(value: str, schema: Mapping[str, Any], path: str) -> None:
    if len(value) < schema.get("minLength", 0):
        _wrong(path, "must not be empty")
    if "pattern" in schema and not re.fullmatch(schema["pattern"], value):
        _wrong(path, f"must look like {schema['pattern']}")


def _check_map(value: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> None:
    for name in schema.get("required", ()):
        if name not in value and name not in _came_later():
            _wrong(_below(path, name), "is missing")
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name, inner in value.items():
        if name in known:
            _check(inner, known[name], _below(path, name))
        elif isinstance(others, dict):
            _check(inner, others, _below(path, name))


@cache
def _came_later() -> frozenset[str]:
    """Fields that the model has a value for when nothing is said."""
    kinds = (value for value in vars(model).values() if is_dataclass(value))
    return frozenset(
        field.name for kind in kinds for field in fields(kind) if field.default is not MISSING
    )


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
