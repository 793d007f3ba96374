"""Tokens, realms and challenges."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.token.realm_unreachable import realm_unreachable

RULES: tuple[Rule, ...] = (realm_unreachable,)
