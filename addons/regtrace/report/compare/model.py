"""A comparison as plain data (schema ``regtrace/diff/1``), made of two reports and as redacted.

As with the report, every renderer draws it and none extends it, and each makes harmless what
strangers wrote. Times are seconds, offsets are counted from the start of each side's operation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from regtrace.report.model import Canaries, Client, Tool, Verdict

SCHEMA = "regtrace/diff/1"


@dataclass(frozen=True, slots=True)
class Difference:
    what: str
    """``missing``, ``additional``, ``status``, ``error``, ``headers``, ``claims``, ``scope``,
    ``challenge``, ``credentials``, ``redirect``, ``signature``, ``answerer``, ``manifest``,
    ``slower``, ``outcome`` or ``context``."""
    field: str
    """Which one, such as ``audience`` or ``response Location``; may be empty."""
    good: str | None
    bad: str | None
    matters: bool
    """False for what changes from run to run, or says nothing about the failure."""


@dataclass(frozen=True, slots=True)
class Half:
    """A leg of one side."""

    leg: str
    """Its id in that side's report."""
    name: str
    """``PATCH 202``, ``S3 HEAD 403``."""
    status: int | None
    error: str | None
    offset: float
    """Seconds from the start of its operation."""
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A leg of the good side and its like of the bad side, or one that has no like."""

    id: str
    kind: str
    method: str
    part: str
    """``session``, or the transfer: ``layer ab12cd34ef56…``."""
    good: Half | None
    bad: Half | None
    differences: tuple[Difference, ...]
    follows: str | None
    """The row whose divergence explains this one."""

    @property
    def matters(self) -> bool:
        return any(difference.matters for difference in self.differences)


@dataclass(frozen=True, slots=True)
class Side:
    capture: str
    operation: str
    kind: str
    registry: str | None
    repository: str | None
    reference: str | None
    client: Client
    outcome: str
    legs: int
    seconds: float | None
    others: int
    """Operations of that report that are not looked at."""
    shared_as: str
    canaries: Canaries


@dataclass(frozen=True, slots=True)
class Cause:
    """What the report of the bad side says about it."""

    finding: str
    rule: str
    slug: str
    severity: str
    confidence: str
    owner: str
    title: str
    cause: str
    fix: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diff:
    tool: Tool
    verdict: Verdict
    """``alike`` or ``differs``, and a sentence."""
    good: Side
    bad: Side
    labels_shared: bool
    """Whether a label such as ``host-1`` means the same on both sides."""
    first: str | None
    """The row of the first divergence that matters."""
    overall: tuple[Difference, ...]
    """Of the operations as a whole."""
    causes: tuple[Cause, ...]
    rows: tuple[Row, ...]
    """In the order in which the bad side met them, or would have."""
    schema: str = field(default=SCHEMA)
