"""The words that every renderer uses: who must act, how it ended, what a leg is called.

Nothing is drawn here. The strings may contain what strangers wrote; the renderer that draws them
makes them harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from regtrace.report.model import Client, Finding, Leg, Report, Transfer
from regtrace.report.visible import short_digest

OWNERS = {
    "client": "whoever runs the container client",
    "user": "you, or whoever pushes",
    "network": "whoever runs the network",
    "front-proxy": "whoever runs the reverse proxy in front of the registry",
    "token-server": "whoever runs the token server",
    "registry": "whoever runs the registry",
    "storage": "whoever runs the registry's storage",
    "interception": "whoever set up this proxy",
}
"""Who must act, for people."""

OUTCOMES = {
    "ok": "OK",
    "failed": "FAILED",
    "incomplete": "INCOMPLETE",
    "nothing-seen": "NOTHING SEEN",
}
"""The verdict in one word that needs no colour."""

SEVERITIES = ("error", "warning", "note")
"""Worst first: the order in which findings are shown."""

VENDORS = {
    "akamai": "Akamai",
    "artifact-registry": "Artifact Registry",
    "azure": "Azure",
    "ceph": "Ceph",
    "cloudflare": "Cloudflare",
    "cloudfront": "CloudFront",
    "cos": "COS",
    "fastly": "Fastly",
    "gcs": "GCS",
    "minio": "MinIO",
    "oss": "OSS",
    "r2": "R2",
    "s3": "S3",
    "swift": "Swift",
}
"""What the storage vendors (``regtrace.wire.storage``) call themselves."""

_NAMED_KINDS = {"token", "mount", "connect"}
"""Legs that are better known by what they are than by their method."""

_BROKEN = "✗"
_UNANSWERED = "…"


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a strip: a leg, or equal legs in a row."""

    name: str
    failed: bool
    legs: tuple[str, ...]

    @property
    def label(self) -> str:
        """``PATCH 202``, or with a count where it came several times."""
        count = len(self.legs)
        return f"{self.name} \N{MULTIPLICATION SIGN}{count}" if count > 1 else self.name


@dataclass(frozen=True, slots=True)
class Explained:
    """A root finding and those that it explains."""

    root: Finding
    beneath: tuple[Finding, ...]


class Named(Protocol):
    """What has the name of an operation: itself, or a side of a comparison."""

    @property
    def kind(self) -> str: ...
    @property
    def registry(self) -> str | None: ...
    @property
    def repository(self) -> str | None: ...
    @property
    def reference(self) -> str | None: ...
    @property
    def client(self) -> Client: ...


def leg_name(leg: Leg) -> str:
    """``PATCH 202``, ``token 401``, ``S3 HEAD 403``; ``PATCH ✗`` when the transport broke."""
    name = leg.kind if leg.kind in _NAMED_KINDS else leg.method
    if leg.kind == "storage":
        vendor = str(leg.decoded.get("vendor") or "storage")
        name = f"{VENDORS.get(vendor, vendor)} {leg.method}"
    answers = [] if leg.status is None else [str(leg.status)]
    if leg.error is not None:
        answers.append(_BROKEN)
    return " ".join([name, *(answers or [_UNANSWERED])])


def steps(legs: Iterable[Leg], failed: Set[str]) -> list[Step]:
    """The legs in their order, equal neighbours folded into one step."""
    keyed = ((leg_name(leg), leg.id in failed, leg.id) for leg in legs)
    return [
        Step(name, broken, tuple(leg for _, _, leg in group))
        for (name, broken), group in groupby(keyed, key=lambda entry: entry[:2])
    ]


def failed_legs(report: Report) -> frozenset[str]:
    """The legs to mark: those an error names, and the bad answer that ended a failed transfer."""
    legs = report.legs
    named = {leg for f in report.findings if f.severity == "error" for leg in f.legs}
    last = {
        transfer.legs[-1]
        for operation in report.operations
        for transfer in operation.transfers
        if transfer.outcome == "failed" and transfer.legs
    }
    return frozenset(named | {leg for leg in last if leg in legs and _is_bad(legs[leg])})


def subject(operation: Named) -> str:
    """``team/app:1.2``, ``team/app@sha256:ab12cd34ef56…``, or what of it is known."""
    reference = operation.reference
    if reference is None:
        return operation.repository or ""
    mark = "@" if ":" in reference else ":"
    return f"{operation.repository or '?'}{mark}{short_digest(reference)}"


def operation_name(operation: Named) -> str:
    """``push team/app:1.2 → registry.test:5000``, or what of it is known."""
    where = operation.registry or "unknown registry"
    arrow = "←" if operation.kind == "pull" else "→"
    return " ".join(word for word in (operation.kind, subject(operation), arrow, where) if word)


def transfer_name(transfer: Transfer) -> str:
    """``layer ab12cd34ef56…``, ``blob ?``."""
    digest = short_digest(transfer.digest).removeprefix("sha256:") if transfer.digest else "?"
    return f"{transfer.role or transfer.kind} {digest}"


def client_name(operation: Named) -> str:
    """``docker 20.10.24 from client-1``, or what of it is known."""
    client = operation.client
    product = client.product or "unknown client"
    name = f"{product} {client.version}" if client.version else product
    return f"{name} from {client.address}" if client.address else name


def fold(findings: Iterable[Finding]) -> list[Explained]:
    """Each root with all that it explains, worst first.

    Nothing is lost: a finding whose explanation is missing, or explains itself, stands alone.
    """
    by_id = {finding.id: finding for finding in findings}
    beneath: dict[str, list[Finding]] = {}
    for finding in by_id.values():
        root = _root(finding, by_id)
        beneath.setdefault(root.id, [])
        if root is not finding:
            beneath[root.id].append(finding)
    folded = [Explained(by_id[root], tuple(rest)) for root, rest in beneath.items()]
    return sorted(folded, key=lambda entry: _rank(entry.root))


def rivals_of(finding: Finding, findings: Iterable[Finding]) -> list[Finding]:
    """Those that would explain the same failed leg just as well, in their order."""
    wanted = {*finding.rivals} - {finding.id}
    return [other for other in findings if other.id in wanted] if wanted else []


def rival_lines(finding: Finding, findings: Iterable[Finding]) -> list[str]:
    """``Or: a proxy refused it. Tell them apart with: curl -v …``, for forms of plain lines."""
    return [
        f"Or: {rival.title}." + (f" Tell them apart with: {rival.check[0]}" if rival.check else "")
        for rival in rivals_of(finding, findings)
    ]


def plural(count: int, noun: str) -> str:
    """``1 leg``, ``9 legs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _is_bad(leg: Leg) -> bool:
    return leg.error is not None or (leg.status is not None and leg.status >= 400)


def _root(finding: Finding, by_id: dict[str, Finding]) -> Finding:
    seen = {finding.id}
    root = finding
    while root.explained_by is not None and root.explained_by in by_id:
        root = by_id[root.explained_by]
        if root.id in seen:
            return finding
        seen.add(root.id)
    return root


def _rank(finding: Finding) -> int:
    known = finding.severity in SEVERITIES
    return SEVERITIES.index(finding.severity) if known else len(SEVERITIES)
