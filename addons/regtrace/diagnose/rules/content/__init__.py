"""Digests, lengths and types of what passed."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule

RULES: tuple[Rule, ...] = ()
