"""The catalogue: every rule, by number. A rule that is not in this list does not exist."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules import unrecognised_failure
from regtrace.diagnose.rules.client import client_broke_off
from regtrace.diagnose.rules.front import body_too_large
from regtrace.diagnose.rules.storage import storage_403_on_head
from regtrace.diagnose.rules.token import realm_unreachable
from regtrace.diagnose.rules.transport import client_does_not_trust_mitm_ca
from regtrace.diagnose.rules.upload import location_scheme_downgrade

CATALOGUE: tuple[Rule, ...] = (
    client_does_not_trust_mitm_ca.RULE,
    realm_unreachable.RULE,
    location_scheme_downgrade.RULE,
    storage_403_on_head.RULE,
    body_too_large.RULE,
    client_broke_off.RULE,
)

#: Asked last, when a failed operation has no root among the findings.
LAST_RESORT: Rule = unrecognised_failure.RULE

#: Changes whenever a rule does; reports name it.
VERSION = "2026.11"
