"""What stands first: the verdict, and what of it is said at once. And last: what went well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate

from regtrace.report.html.amounts import Few, few
from regtrace.report.html.speech import answered, asked, host, moment
from regtrace.report.model import Finding, Leg, Operation, Report
from regtrace.report.visible import duration, size
from regtrace.report.words import client_name, operation_name, plural

_MOST_OTHERS = 12
_MOST_OF_FIX = 700
"""Characters; of a longer fix, the first steps alone stand on the cover."""

_LEVELS = {
    "public": "Hosts, repositories and tags are labels too: this page may be published.",
    "vendor": "Registry and repository names are readable, users and client addresses are labels.",
    "internal": "All names are readable, secrets are not: this page is for your own house only.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Leg n of m, at which an operation failed."""

    leg: str
    number: int
    of: int
    asked: str
    host: str
    answered: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed operation, with the finding that tells why."""

    name: str
    root: Finding | None
    place: Place | None
    accepted: bool


@dataclass(frozen=True, slots=True)
class Cover:
    heading: str
    name: str
    by: str
    failure: Failure | None
    fix: list[str]
    """The first steps."""
    rivals: list[str]
    others: Few[Failure]


def cover(report: Report, failed: Set[str]) -> Cover:
    operations = sorted(report.operations, key=lambda one: (one.outcome != "failed", one.accepted))
    first = operations[0] if operations else None
    failures = [failure(one, report, failed) for one in operations if one.outcome == "failed"]
    told = failures[0] if failures else None
    root = told.root if told else None
    titles = {finding.id: finding.title for finding in report.findings}
    return Cover(
        heading=root.title if root else report.verdict.sentence,
        name=_named(report.operations, first) if first else "",
        by=_by(first, single=len(operations) == 1 or bool(failures)) if first else "",
        failure=told,
        fix=_first(root.fix) if root else [],
        rivals=[titles[id_] for id_ in (root.rivals if root else ()) if id_ in titles][:3],
        others=few(failures[1:], _MOST_OTHERS, lambda other: not other.accepted),
    )


def failure(operation: Operation, report: Report, failed: Set[str]) -> Failure:
    """Why this failed operation failed: by its first root that is an error."""
    roots = [f for f in report.findings if f.id in operation.root_findings]
    root = next((finding for finding in roots if finding.severity == "error"), None)
    place = _place(operation, root, report, failed)
    return Failure(operation_name(operation), root, place, operation.accepted)


def _named(operations: Sequence[Operation], first: Operation) -> str:
    alone = len(operations) == 1 or first.outcome == "failed"
    return operation_name(first) if alone else plural(len(operations), "operation")


def _by(operation: Operation, *, single: bool) -> str:
    words = [client_name(operation)] if single else []
    words.append(moment(operation.started))
    if single and operation.ended is not None:
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
    """The last leg that the root names; without a root, the last one that failed."""
    own = [leg for leg in operation.legs if leg in report.legs]
    numbers = {leg: number for number, leg in enumerate(own, 1)}
    named = [leg for leg in (root.legs if root else own) if leg in numbers]
    bad = [leg for leg in named if leg in failed]
    if not bad:
        return None
    leg: Leg = report.legs[max(bad, key=numbers.__getitem__)]
    return Place(leg.id, numbers[leg.id], len(own), asked(leg), host(leg.url) or "", answered(leg))


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
