"""The report as JSON, schema ``regtrace/report/1`` (``report-1.json`` beside this file).

Pure ASCII: whatever a stranger wrote, no control or bidi character stands raw in the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from regtrace.report.model import Report


def render(report: Report) -> str:
    """The model field by field, in the order of the schema; maps sorted by key.

    A float that is no number (NaN, infinity) becomes null, as JSON has no word for it.
    """
    document = {"schema": report.schema, **_plain(report)}
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, indent=2)
    return text.replace("\x7f", "\\u007f") + "\n"  # DEL is ASCII, so json leaves it raw


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
