"""What the registry itself answers."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule

RULES: tuple[Rule, ...] = ()
