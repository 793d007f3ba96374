"""The object store that the registry redirects to."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.storage.storage_403_on_head import storage_403_on_head

RULES: tuple[Rule, ...] = (storage_403_on_head,)
