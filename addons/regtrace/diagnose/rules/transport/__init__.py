"""Names, connections, TLS, and this proxy itself."""

from __future__ import annotations

from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules.transport.client_does_not_trust_mitm_ca import (
    client_does_not_trust_mitm_ca,
)

RULES: tuple[Rule, ...] = (client_does_not_trust_mitm_ca,)
