"""What a rule is, and what it may answer.

A rule points at evidence and never copies it: an :class:`Evidence` names a leg and a place in
it, and the report reads that place through the redactor. Texts are templates whose fields are
typed terms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from regtrace.follow.story import Operation, Transfer
from regtrace.wire.leg import Kind, Leg
from regtrace.wire.term import Term
from regtrace.wire.testimony import Testimony

if TYPE_CHECKING:
    from regtrace.diagnose.facts import Facts
    from regtrace.diagnose.suppressions import Suppression


class Owner(str, Enum):
    """Who must act."""

    CLIENT = "client"
    USER = "user"
    NETWORK = "network"
    FRONT_PROXY = "front-proxy"
    TOKEN_SERVER = "token-server"
    REGISTRY = "registry"
    STORAGE = "storage"
    INTERCEPTION = "interception"


class Severity(str, Enum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Confidence(str, Enum):
    """``certain``: the bytes prove it. ``likely``: one small inference. ``possible``: a hint.

    What a log alone says is likely at most: a line is joined to a leg by an inference. Where the
    wire leaves several causes open and a log names one of them, both together make it certain.
    """

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Evidence:
    leg: Leg
    where: str
    """``response.status``, ``response.header.NAME``, ``request.header.NAME``, ``request.url``,
    ``request.body.size``, ``response.body``, ``error``; or whose log says it, see ``testimony``."""
    why: str
    testimony: Testimony | None = None
    """The line, where it stands in a log and not on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fails:
    """The fault is there. Several occurrences in one operation are one answer with a count."""

    legs: tuple[Leg, ...]
    """The legs that failed by it. Only a finding that has a leg the operation ended by (``Facts.
    fatal``) can be the error that it failed by; any other is a warning at most."""
    evidence: tuple[Evidence, ...]
    confidence: Confidence
    transfer: Transfer | None = None
    fields: Mapping[str, Term] = field(default_factory=dict)
    count: int = 1
    owner: Owner | None = None
    """Where the evidence names another owner than the rule's usual one."""
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class NotSeen:
    """The rule can't tell, because this evidence is missing."""

    what: str
    why: str
    effect: str


class Answer(Enum):
    PASSES = "passes"
    DOES_NOT_APPLY = "does not apply"


PASSES = Answer.PASSES
DOES_NOT_APPLY = Answer.DOES_NOT_APPLY

Verdict = Fails | NotSeen | Answer

#: A pure function of one operation and its facts.
Examine = Callable[[Operation, "Facts"], Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    number: str
    """``RTnnn``, never used twice; the first digit is the family's."""
    slug: str
    title: str
    cause: str
    fix: tuple[str, ...]
    """In the order in which to try them; imperative, each naming a setting, header or command."""
    check: tuple[str, ...] = ()
    """Commands that show whether the fix worked."""
    references: tuple[str, ...]
    owner: Owner
    severity: Severity = Severity.ERROR
    needs: frozenset[Kind]
    """It is not asked about an operation that has no leg of any of these kinds."""
    explains: frozenset[str] = frozenset()
    """Slugs of the findings that are only symptoms of this one."""
    fires: str
    """The smallest story that has this fault, in the notation of ``wire.notation``."""
    silent: str
    """The nearest story that has not: one thing is different, and the rule says nothing."""
    also_fires: tuple[str, ...] = ()
    """Other faces of the fault: other stores, clients, legs."""
    also_silent: tuple[str, ...] = ()
    """What looks like it and is something else, or normal."""
    examine: Examine


def rule(**texts: Any) -> Callable[[Examine], Rule]:
    """Makes the function below it the question of a :class:`Rule` with these texts."""
    return lambda examine: Rule(examine=examine, **texts)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's verdict on one operation."""

    rule: Rule
    operation: Operation
    fails: Fails
    severity: Severity
    explained_by: str | None = None
    """Slug of the root finding that this one is a symptom of."""
    rivals: tuple[str, ...] = ()
    """Slugs of the other roots that would explain the same failed leg just as well."""
    suppression: Suppression | None = None
    """What the site accepted of it; it may be over."""

    @property
    def owner(self) -> Owner:
        return self.fails.owner or self.rule.owner

    @property
    def suppressed(self) -> bool:
        said = self.suppression
        return said is not None and not said.is_over(self.operation.last_seen)
