"""What stands before the registry: limits, time-outs, pages in its place."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.front.body_too_large import body_too_large

RULES: tuple[Rule, ...] = (body_too_large,)
