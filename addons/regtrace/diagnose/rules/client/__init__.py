"""What the client itself did."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.client.client_broke_off import client_broke_off

RULES: tuple[Rule, ...] = (client_broke_off,)
