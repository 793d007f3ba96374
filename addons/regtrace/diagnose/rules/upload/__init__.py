"""Where an upload is sent on to."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.upload.location_scheme_downgrade import location_scheme_downgrade

RULES: tuple[Rule, ...] = (location_scheme_downgrade,)
