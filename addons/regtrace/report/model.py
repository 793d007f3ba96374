"""The report: what is shown and shared, as plain data that every renderer draws and none extends.

The field names are those of ``report.json`` (schema ``regtrace/report/1``). Every text in here has
passed the redactor; it is still text that strangers wrote, so each renderer neutralises control
characters and markup where it draws. Times are epoch seconds UTC, sizes bytes, digests
``algorithm:hex``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = "regtrace/report/1"


@dataclass(frozen=True, slots=True)
class Tool:
    version: str
    rules: str
    redaction: str


@dataclass(frozen=True, slots=True)
class Damage:
    """Where the capture stopped being readable: byte offset and reason."""

    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class Capture:
    name: str
    mode: str
    """``live``, ``replay`` or ``file``."""
    flows: int
    first: float | None
    last: float | None
    damaged: Damage | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: str
    """``ok``, ``failed``, ``incomplete`` or ``nothing-seen``."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Client:
    product: str | None
    version: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Transfer:
    id: str
    kind: str
    digest: str | None
    size: int | None
    outcome: str
    attempts: int
    bytes_sent: int
    bytes_received: int
    seconds: float | None
    digest_verified: bool | None
    legs: tuple[str, ...]
    role: str | None = None
    """What the operation's manifest says it is: ``layer``, ``config``, ``manifest``, ``index``,
    ``attestation``, ``artifact``; None while no manifest was seen."""


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    kind: str
    registry: str | None
    repository: str | None
    reference: str | None
    client: Client
    outcome: str
    started: float
    ended: float | None
    transfers: tuple[Transfer, ...]
    legs: tuple[str, ...]
    root_findings: tuple[str, ...]
    accepted: bool = False
    """It failed, and every error that it failed by is suppressed."""


@dataclass(frozen=True, slots=True)
class Leg:
    id: str
    kind: str
    method: str
    url: str
    status: int | None
    error: str | None
    started: float
    ended: float | None
    request_bytes: int | None
    response_bytes: int | None
    operation: str | None
    transfer: str | None
    redirected_from: str | None
    retry_of: str | None
    connection: str | None
    decoded: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    leg: str
    where: str
    """A path into the leg, such as ``response.header.WWW-Authenticate``; or whose log it is:
    ``registry-log``, ``front-log``, ``token-log``."""
    value: str
    why: str
    file: str | None = None
    line: int | None = None
    """Where it stands in that log."""

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        return self.where if self.file is None else f"{self.where}, {self.file} line {self.line}"


@dataclass(frozen=True, slots=True)
class Suppression:
    """What a site said of a finding that it knows."""

    reason: str
    until: str
    """The last day on which it holds, ``YYYY-MM-DD``, UTC."""


@dataclass(frozen=True, slots=True)
class Finding:
    id: str
    rule: str
    slug: str
    severity: str
    confidence: str
    owner: str
    operation: str | None
    transfer: str | None
    legs: tuple[str, ...]
    title: str
    cause: str
    fix: tuple[str, ...]
    check: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    count: int
    explained_by: str | None
    references: tuple[str, ...]
    suppressed: Suppression | None = None
    suppression_ended: Suppression | None = None
    """One that held once, and not any more when this happened."""
    rivals: tuple[str, ...] = ()
    """Findings that would explain the same failed leg just as well."""


@dataclass(frozen=True, slots=True)
class NotSeen:
    what: str
    why: str
    effect: str


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """What the client printed, and which leg made it print so."""

    said: str
    means: str
    leg: str | None
    operation: str | None
    joined_by: str
    """By what the leg is known, or why it is not."""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Canaries:
    planted: int
    found: int


@dataclass(frozen=True, slots=True)
class Redaction:
    level: str
    labels: Mapping[str, int]
    canaries: Canaries


@dataclass(frozen=True, slots=True)
class Report:
    tool: Tool
    capture: Capture
    verdict: Verdict
    operations: tuple[Operation, ...]
    legs: Mapping[str, Leg]
    """By their ids, in the order of time."""
    findings: tuple[Finding, ...]
    not_seen: tuple[NotSeen, ...]
    redaction: Redaction
    client_messages: tuple[ClientMessage, ...] = ()
    schema: str = field(default=SCHEMA)
