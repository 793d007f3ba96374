"""A comparison as JSON, schema ``regtrace/diff/1`` (``diff-1.json`` beside this file)."""

from __future__ import annotations

from regtrace.report.compare.model import Diff
from regtrace.report.json import parts


def render(diff: Diff) -> str:
    """The model field by field, in the order of the schema; a row is a line."""
    return "".join(parts(diff))
