"""The report as JSON, schema ``regtrace/report/1`` (``report-1.json`` beside this file).

Pure ASCII: whatever a stranger wrote, no control or bidi character stands raw in the file. Each
operation, leg and finding is one line, written as soon as it is made: of a long capture, the text
as a whole would be the largest thing in memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from regtrace.report.compare.model import Diff
from regtrace.report.model import Report

#: Fields of the report that may have a row for each exchange.
_ROWS = frozenset({"operations", "legs", "findings", "not_seen", "causes", "overall", "rows"})

#: Most values of a row; to ask whether they are maps costs more than all else that is done there.
_NEVER_MAPS = (str, int, float, tuple, type(None))


def render(report: Report) -> str:
    """The model field by field, in the order of the schema; maps sorted by key.

    A float that is no number (NaN, infinity) becomes null, as JSON has no word for it.
    """
    return "".join(parts(report))


def parts(report: Report | Diff) -> Iterator[str]:
    """The same, piece by piece. No piece ends inside of a value."""
    yield f'{{\n  "schema": {encoded(report.schema)}'
    for name in report.__slots__:
        if name == "schema":
            continue
        value = getattr(report, name)
        yield f',\n  "{name}": '
        if name in _ROWS and value:
            rows = value.values() if isinstance(value, Mapping) else value
            for number, row in enumerate(rows):
                yield f"{',' if number else '['}\n    {encoded(row)}"
            yield "\n  ]"
        else:
            yield "[]" if name in _ROWS else encoded(value)
    yield "\n}\n"


def encoded(value: Any) -> str:
    """JSON on one line; parts of the model may stand in the value."""
    try:
        text = _ENCODER.encode(value)
    except ValueError:
        text = _ENCODER.encode(plain(value))
    return text.replace("\x7f", "\\u007f")  # DEL is ASCII, so json leaves it raw


def _shallow(value: Any) -> dict[str, Any]:
    """A part of the model as a map, whose values are still parts of the model."""
    named = {name: getattr(value, name) for name in value.__slots__}
    for name, inner in named.items():
        if not isinstance(inner, _NEVER_MAPS) and isinstance(inner, Mapping):
            named[name] = dict(sorted(inner.items()))
    return named


def indented(value: Any) -> str:
    """A whole document over many lines."""
    text = json.dumps(plain(value), indent=1, allow_nan=False)
    return text.replace("\x7f", "\\u007f") + "\n"


def plain(value: Any) -> Any:
    """A part of the model as maps, lists and scalars, without numbers that are none."""
    if is_dataclass(value):
        return plain(_shallow(value))
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


_ENCODER = json.JSONEncoder(allow_nan=False, default=_shallow)
