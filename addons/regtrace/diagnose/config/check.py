"""What a check of configuration is: a rule of the catalogue that looks at settings, not at legs.

It has the texts of any rule and examples that fire and are silent; its examples are files. A fault
that a rule of traffic knows is not told again: ``leads_to`` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from regtrace.diagnose.config.traffic import Ruling, Traffic
from regtrace.diagnose.rule import Answer, Confidence, NotSeen, Owner, Severity
from regtrace.wire.settings import Setting, SetUp
from regtrace.wire.term import Term


@dataclass(frozen=True, slots=True)
class Spot:
    """Where it stands in the files. The report shows the value, unless it is secret."""

    setting: Setting
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """The fault is there, once."""

    spots: tuple[Spot, ...]
    fields: Mapping[str, Term] = field(default_factory=dict)
    confidence: Confidence = Confidence.CERTAIN
    severity: Severity | None = None
    """Where the setting weighs less, or more, than the rule usually does."""


Verdict = tuple[Wrong, ...] | NotSeen | Answer

#: A pure function of what the files say.
Examine = Callable[[SetUp], Verdict]
#: What a capture says of one fault; None when nothing in it can tell.
AgainstTraffic = Callable[[Wrong, Traffic], "Ruling | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    number: str
    """``RT0nn``, never used twice."""
    slug: str
    title: str
    cause: str
    fix: tuple[str, ...]
    check: tuple[str, ...] = ()
    references: tuple[str, ...]
    owner: Owner
    severity: Severity
    leads_to: tuple[str, ...] = ()
    """Slugs of the rules that recognise in traffic what this does."""
    fires: str
    """Files that have the fault, each after a line ``==> NAME <==``."""
    silent: str
    """The nearest files that have not."""
    also_fires: tuple[str, ...] = ()
    also_silent: tuple[str, ...] = ()
    examine: Examine
    against: AgainstTraffic | None = None


def check(*, against: AgainstTraffic | None = None, **texts: Any) -> Callable[[Examine], Check]:
    """Makes the function below it the question of a :class:`Check` with these texts."""
    return lambda examine: Check(examine=examine, against=against, **texts)


class Outcome(str, Enum):
    WRONG = "wrong"
    FINE = "fine"
    NOT_SEEN = "not-seen"
    NOT_THERE = "does-not-apply"


@dataclass(frozen=True, slots=True)
class Judged:
    """What one check says of these files."""

    check: Check
    outcome: Outcome
    wrong: tuple[Wrong, ...] = ()
    rulings: tuple[Ruling | None, ...] = ()
    """By traffic, one for each of ``wrong``; empty without a capture."""
    not_seen: NotSeen | None = None
