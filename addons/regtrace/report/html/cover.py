"""What stands first: the verdict, and what of it is said at once. And last: what went well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate

from regtrace.report.html.amounts import Few, few
from regtrace.report.html.speech import answered, asked, moment, place
from regtrace.report.model import Finding, Leg, Operation, Report
from regtrace.report.visible import duration, size
from regtrace.report.words import client_name, fold, operation_name, plural

_MOST_OTHERS = 12
_MOST_RIVALS = 3
_MOST_OF_FIX = 400
"""Characters; of a longer fix, the first steps alone stand on the cover."""

_LEVELS = {
    "public": "Hosts, repositories and tags are labels too: this page may be published.",
    "vendor": "Registry and repository names are readable, users and client addresses are labels.",
    "internal": "All names are readable, secrets are not: this page is for your own house only.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Leg n of m, at which an operation failed or stopped."""

    leg: str
    number: int
    of: int
    failed: bool
    asked: str
    host: str
    answered: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """An operation that did not go well, with the finding that tells why."""

    name: str
    root: Finding | None
    place: Place | None
    accepted: bool


@dataclass(frozen=True, slots=True)
class Other:
    """Another trouble, and how many of them are of the same name and cause."""

    trouble: Trouble
    count: int


@dataclass(frozen=True, slots=True)
class Cover:
    heading: str
    name: str
    by: str
    trouble: Trouble | None
    fix: list[str]
    """The first steps."""
    rivals: list[str]
    others: Few[Other]


def cover(report: Report, failed: Set[str]) -> Cover:
    ranked = sorted(report.operations, key=lambda one: (_RANKS.get(one.outcome, 1), one.accepted))
    findings = {finding.id: finding for finding in report.findings}
    troubles = [
        _trouble(one, report, findings, failed) for one in ranked if one.outcome == "failed"
    ]
    told = troubles[0] if troubles else None
    if ranked and ranked[0].outcome == "incomplete":
        told = _trouble(ranked[0], report, findings, failed)
    root = told.root if told else None
    alone = len(ranked) == 1 or told is not None
    return Cover(
        heading=root.title if root else report.verdict.sentence,
        name=_named(ranked, alone=alone),
        by=_by(ranked[0], alone=alone) if ranked else "",
        trouble=told,
        fix=_first(root.fix) if root else [],
        rivals=_rivals(root, findings) if root else [],
        others=few(_others(troubles[1:]), _MOST_OTHERS, lambda other: not other.trouble.accepted),
    )


_RANKS = {"failed": 0, "ok": 2}


def _rivals(root: Finding, findings: Mapping[str, Finding]) -> list[str]:
    return [findings[id_].title for id_ in root.rivals[:_MOST_RIVALS] if id_ in findings]


def _trouble(
    operation: Operation, report: Report, findings: Mapping[str, Finding], failed: Set[str]
) -> Trouble:
    """By the worst of its roots."""
    roots = [findings[id_] for id_ in operation.root_findings if id_ in findings]
    root = next((explained.root for explained in fold(roots)), None)
    where = _place(operation, root, report, failed)
    return Trouble(operation_name(operation), root, where, operation.accepted)


def _others(troubles: Iterable[Trouble]) -> list[Other]:
    same: dict[tuple[object, ...], list[Trouble]] = {}
    for one in troubles:
        cause = (one.root.rule, one.root.title) if one.root else ()
        same.setdefault((one.name, one.accepted, *cause), []).append(one)
    return [Other(alike[0], len(alike)) for alike in same.values()]


def _named(operations: Sequence[Operation], *, alone: bool) -> str:
    if not operations:
        return ""
    return operation_name(operations[0]) if alone else plural(len(operations), "operation")


def _by(operation: Operation, *, alone: bool) -> str:
    words = [client_name(operation)] if alone else []
    words.append(moment(operation.started))
    if alone and operation.ended is not None:
        joint = "took" if operation.outcome == "ok" else "ended after"
        words.append(f"{joint} {duration(operation.ended - operation.started)}")
    return " · ".join(words)


def _first(steps: Sequence[str]) -> list[str]:
    together = accumulate(map(len, steps))
    fitting = sum(length <= _MOST_OF_FIX for length in together)
    return list(steps[: max(fitting, 1)])


def _place(
    operation: Operation, root: Finding | None, report: Report, failed: Set[str]
) -> Place | None:
    """The last leg that the root names, rather one that failed; without a root, the last such."""
    own = [leg for leg in operation.legs if leg in report.legs]
    numbers = {leg: number for number, leg in enumerate(own, 1)}
    named = [leg for leg in (root.legs if root else ()) if leg in numbers]
    bad = [leg for leg in named or own if leg in failed] or named
    if not bad:
        return None
    leg: Leg = report.legs[max(bad, key=numbers.__getitem__)]
    return Place(
        leg=leg.id,
        number=numbers[leg.id],
        of=len(own),
        failed=leg.id in failed,
        asked=asked(leg),
        host="" if leg.kind == "connect" else place(leg),
        answered=answered(leg),
    )


# --- what went well


def went_well(report: Report) -> list[str]:
    """Sentences; what is not in the report is not claimed."""
    return list(_well(report))


def _well(report: Report) -> Iterator[str]:
    transfers = [transfer for operation in report.operations for transfer in operation.transfers]
    good = Counter(
        (transfer.outcome, transfer.role or transfer.kind)
        for transfer in transfers
        if transfer.outcome not in {"failed", "incomplete"}
    )
    for (outcome, what), count in sorted(good.items()):
        noun = "indexe" if what == "index" and count > 1 else what
        yield f"{plural(count, noun)} {outcome}."
    checked = sum(transfer.digest_verified is True for transfer in transfers)
    if checked:
        yield f"Digests that match the bytes on the wire: {checked}."
    moved = sum(max(transfer.bytes_sent, transfer.bytes_received) for transfer in transfers)
    if moved:
        yield f"Bytes of blobs and manifests that were carried: {size(moved)}."
    tokens = {
        str(token.get("label"))
        for leg in report.legs.values()
        if isinstance(token := leg.decoded.get("issued_token"), dict)
    }
    if tokens:
        yield f"Tokens issued: {len(tokens)}."
    fine = sum(
        leg.status is not None and leg.status < 400 and not leg.error
        for leg in report.legs.values()
    )
    if fine:
        yield f"Legs answered with a status below 400: {fine} of {len(report.legs)}."


def readable(level: str) -> str:
    """What a level of redaction leaves readable."""
    return _LEVELS.get(level, "")
