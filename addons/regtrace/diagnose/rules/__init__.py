"""The catalogue: every rule, by number. A rule that is in no family's list does not exist.

``CATALOGUE`` is asked about traffic, ``CHECKS`` about configuration files.
"""

from __future__ import annotations

from regtrace.diagnose.config.check import Check
from regtrace.diagnose.rule import Rule
from regtrace.diagnose.rules import (
    client,
    config,
    content,
    front,
    registry,
    storage,
    token,
    transport,
    upload,
)
from regtrace.diagnose.rules.unrecognised_failure import unrecognised_failure

#: First digit of the number → what its family is about.
FAMILIES = {
    "0": "Configuration: what files say before anybody pushes",
    "1": "Transport: names, connections, TLS, this proxy itself",
    "2": "Tokens and challenges",
    "3": "Upload addressing",
    "4": "Storage",
    "5": "Content: digests, lengths, types",
    "6": "Front proxies: limits, time-outs, pages in the registry's place",
    "7": "What the registry itself answers",
    "8": "The client",
    "9": "Users' own rules",
}

#: Families by how early on the way a fault of theirs is: the more upstream cause comes first.
UPSTREAM_FIRST = "124367589"

CATALOGUE: tuple[Rule, ...] = tuple(
    sorted(
        (
            *transport.RULES,
            *token.RULES,
            *upload.RULES,
            *storage.RULES,
            *content.RULES,
            *front.RULES,
            *registry.RULES,
            *client.RULES,
        ),
        key=lambda rule: rule.number,
    )
)

#: Those that look at configuration files (``regtrace doctor config``).
CHECKS: tuple[Check, ...] = config.CHECKS

#: Asked last, when a failed operation has no root among the findings.
LAST_RESORT: Rule = unrecognised_failure

#: Changes whenever a rule does; reports name it.
VERSION = "2026.11"
