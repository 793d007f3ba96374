"""Lays a bad operation beside a good one and finds the first leg at which they part.

The rows stand in the order in which the bad side met them. A leg that is missing there stands where
the bad side went on without it, or, where it went on with nothing, at the end: what never came
because everything had stopped is no first divergence.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from regtrace.report.compare.align import align, pair_transfers
from regtrace.report.compare.choose import choose
from regtrace.report.compare.differences import differences, slower
from regtrace.report.compare.masks import Masks
from regtrace.report.compare.model import Cause, Diff, Difference, Half, Row, Side
from regtrace.report.compare.words import sentence
from regtrace.report.model import Leg, Operation, Report, Transfer, Verdict
from regtrace.report.words import leg_name, transfer_name

_OVERALL = 5.0
"""Seconds that a whole operation must take longer to be called slower."""

_UPLOADS = frozenset({"mount", "upload-start"})
_CHECKS = frozenset({"blob-head", "manifest-head"})
_BY_THE_WAY = frozenset(
    "ping tags catalog other referrers upload-status upload-cancel connect".split()
)
"""Legs without which an operation goes on."""


def compare(
    good: Report,
    bad: Report,
    *,
    good_id: str | None = None,
    bad_id: str | None = None,
    labels_shared: bool = False,
) -> Diff:
    """``labels_shared`` says that both reports were made with one redactor, so that a label means
    the same in both. Raises Unlike where there is nothing to compare."""
    fine, broken = choose(good, bad, good_id, bad_id)
    masks = (
        Masks(fine, labels_shared=labels_shared),
        Masks(broken, labels_shared=labels_shared),
    )
    rows = _numbered(_Comparison(good, fine, bad, broken, masks).drafts(), fine, broken)
    overall = tuple(_overall(fine, broken, masks))
    first = next((row for row in rows if row.matters), None)
    matters = first is not None or any(difference.matters for difference in overall)
    diff = Diff(
        tool=bad.tool,
        verdict=Verdict("differs" if matters else "alike", ""),
        good=_side(good, fine),
        bad=_side(bad, broken),
        labels_shared=labels_shared,
        first=first.id if first else None,
        overall=overall,
        causes=tuple(_causes(bad, broken)),
        rows=rows,
    )
    return replace(diff, verdict=replace(diff.verdict, sentence=sentence(diff)))


# --- the rows


@dataclass(slots=True)
class _Draft:
    """A row before all rows are in order."""

    part: str
    strand: int
    good: Leg | None
    bad: Leg | None
    found: tuple[Difference, ...]
    forks: bool
    """From here on its strand goes another way, in a way that is no fault."""
    place: float = 0.0

    @property
    def matters(self) -> bool:
        return any(difference.matters for difference in self.found)


class _Comparison:
    def __init__(
        self,
        good_report: Report,
        good: Operation,
        bad_report: Report,
        bad: Operation,
        masks: tuple[Masks, Masks],
    ) -> None:
        self._good, self._bad = good, bad
        self._masks = masks
        self._left = {leg.id: leg for leg in _legs(good_report, good.legs)}
        self._right = {leg.id: leg for leg in _legs(bad_report, bad.legs)}
        self._went_well = bad.outcome == "ok"
        self._same_client = _client(good) == _client(bad)

    def drafts(self) -> list[_Draft]:
        pairs = pair_transfers(self._good, self._bad)
        made = self._strand(0, "session", *self._sessions(), whole=False)
        for number, (one, other) in enumerate(pairs, 1):
            known = other or one
            made += self._strand(
                number,
                transfer_name(known) if known else "",
                self._of(one, self._left),
                self._of(other, self._right),
                whole=other is None,
            )
        return self._ordered(made)

    def _sessions(self) -> tuple[list[Leg], list[Leg]]:
        return _outside(self._good, self._left), _outside(self._bad, self._right)

    @staticmethod
    def _of(transfer: Transfer | None, legs: dict[str, Leg]) -> list[Leg]:
        return [legs[leg] for leg in transfer.legs if leg in legs] if transfer else []

    def _strand(
        self, number: int, part: str, good: Sequence[Leg], bad: Sequence[Leg], *, whole: bool
    ) -> list[_Draft]:
        entries = [_entry(leg, self._masks[0]) for leg in good]
        others = [_entry(leg, self._masks[1]) for leg in bad]
        kinds = {leg.kind for leg in bad}
        made: list[_Draft] = []
        committed = forked = False
        for one, other in align(entries, others, _asked):
            left = None if one is None else good[one]
            right = None if other is None else bad[other]
            draft = _Draft(part, number, left, right, (), forks=False)
            if left and right:
                self._both(draft, left, right, committed=committed)
            elif left:
                matters = not forked and self._is_missed(left, kinds, whole=whole)
                draft.found = (Difference("missing", "", leg_name(left), None, matters=matters),)
            elif right:
                matters = _is_trouble(right, self._bad.kind, committed=committed)
                draft.found = (
                    Difference("additional", "", None, leg_name(right), matters=matters),
                )
            forked = forked or draft.forks
            committed = committed or (right is not None and right.kind == "upload-commit")
            made.append(draft)
        return made

    def _both(self, draft: _Draft, good: Leg, bad: Leg, *, committed: bool) -> None:
        found = differences(good, bad, self._masks, same_client=self._same_client)
        usual = _is_usual(good, bad, self._bad.kind, committed=committed)
        if usual:
            found = [replace(one, matters=False) if one.what == "status" else one for one in found]
        draft.found = tuple(found)
        draft.forks = usual and good.status != bad.status

    def _is_missed(self, leg: Leg, kinds: Set[str], *, whole: bool) -> bool:
        """Whether it says something that this leg of the good side is missing in the bad one."""
        if self._went_well or _is_refused(leg) or _is_challenge(leg):
            return False
        return whole or not (leg.kind in kinds or leg.kind in _BY_THE_WAY)

    def _ordered(self, made: list[_Draft]) -> list[_Draft]:
        places = {leg: place for place, leg in enumerate(self._bad.legs)}
        before = {leg: place for place, leg in enumerate(self._good.legs)}
        end = float(len(places))
        met = {
            draft.good.id: places.get(draft.bad.id, end)
            for draft in made
            if draft.good and draft.bad
        }
        # Of each leg of the good side: where the bad side is when it goes on with a later one.
        later: dict[str, float] = {}
        following = end
        for leg in reversed(self._good.legs):
            later[leg] = following
            following = min(following, met.get(leg, end))
        after: dict[int, float] = {}
        for draft in reversed(made):
            if draft.bad:
                draft.place = after[draft.strand] = places.get(draft.bad.id, end)
            elif draft.good and draft.strand == 0:
                draft.place = later.get(draft.good.id, end) - 0.5
            elif draft.good:
                draft.place = after.get(draft.strand, end + 1) - 0.5
        return sorted(
            made,
            key=lambda draft: (draft.place, before.get(draft.good.id, 0) if draft.good else 0),
        )


def _legs(report: Report, ids: Iterable[str]) -> Iterator[Leg]:
    return (report.legs[leg] for leg in dict.fromkeys(ids) if leg in report.legs)


def _outside(operation: Operation, legs: dict[str, Leg]) -> list[Leg]:
    within = {leg for transfer in operation.transfers for leg in transfer.legs}
    return [leg for id_, leg in legs.items() if id_ not in within]


def _entry(leg: Leg, masks: Masks) -> tuple[Hashable, ...]:
    """What the leg asks for, and what it got."""
    kind = "uploads" if leg.kind in _UPLOADS else leg.kind
    where = masks.place(leg.url).partition("?")[0] if leg.kind in {"other", "connect"} else ""
    scopes = leg.decoded.get("asked")
    asked = tuple(map(str, scopes)) if isinstance(scopes, (list, tuple)) else ()
    got = (leg.status, leg.error is not None, tuple(masks.text(scope) for scope in asked))
    return (kind, leg.method, where), got


def _asked(entry: Hashable) -> Hashable:
    return entry[0] if isinstance(entry, tuple) else entry


def _is_challenge(leg: Leg) -> bool:
    """A 401 to who has not said yet who he is: the beginning of a login."""
    return leg.status == 401 and leg.kind != "token" and not leg.decoded.get("credentials")


def _is_refused(leg: Leg) -> bool:
    bad = leg.error is not None or (leg.status is not None and leg.status >= 400)
    return bad and not _is_challenge(leg)


def _is_trouble(leg: Leg, kind: str, *, committed: bool) -> bool:
    """Of a leg that the good side has not: whether it is more than one more of the usual."""
    absent = leg.kind in _CHECKS and leg.status == 404 and leg.error is None
    if absent and kind == "push" and not committed:
        return False
    return _is_refused(leg) or leg.retry_of is not None


def _is_usual(good: Leg, bad: Leg, kind: str, *, committed: bool) -> bool:
    """Whether both answers are in order: there or not yet there, mounted or not, better than it was
    in the good run."""
    checked = bad.kind in _CHECKS and kind == "push" and not committed
    if checked and all(_tells_whether(leg) for leg in (good, bad)):
        return True
    accepted = [not (leg.error or leg.status is None or leg.status >= 300) for leg in (good, bad)]
    if all(accepted):
        return True
    return accepted[1] and _is_refused(good)


def _tells_whether(leg: Leg) -> bool:
    known = leg.error is None and leg.status is not None
    return known and (leg.status == 404 or 200 <= (leg.status or 0) < 400)


def _numbered(drafts: Sequence[_Draft], good: Operation, bad: Operation) -> tuple[Row, ...]:
    origins: dict[int, str] = {}
    first: str | None = None
    rows = []
    for number, draft in enumerate(drafts, 1):
        id_ = f"row-{number}"
        found, follows = draft.found, None
        if found:
            follows = origins.get(draft.strand)
            never = draft.bad is None and bad.outcome != "ok"
            if follows is None and never:
                follows = first
        if first is None and draft.matters:
            first = id_
        if draft.matters or draft.forks:
            origins.setdefault(draft.strand, id_)
        known = draft.bad or draft.good
        row = Row(
            id=id_,
            kind=known.kind if known else "",
            method=known.method if known else "",
            part=draft.part,
            good=_half(draft.good, good.started),
            bad=_half(draft.bad, bad.started),
            differences=found,
            follows=follows,
        )
        rows.append(row)
    return tuple(rows)


def _half(leg: Leg | None, begun: float) -> Half | None:
    if leg is None:
        return None
    return Half(
        leg=leg.id,
        name=leg_name(leg),
        status=leg.status,
        error=leg.error,
        offset=leg.started - begun,
        seconds=None if leg.ended is None else leg.ended - leg.started,
    )


# --- the operations as a whole


def _overall(good: Operation, bad: Operation, masks: tuple[Masks, Masks]) -> Iterator[Difference]:
    if good.outcome != bad.outcome:
        yield Difference("outcome", "", good.outcome, bad.outcome, matters=bad.outcome != "ok")
    slow = slower((_seconds(good), 0), (_seconds(bad), 0), _OVERALL)
    if slow:
        yield slow
    for name, one, other in (
        ("client", _client(good), _client(bad)),
        ("registry", good.registry, bad.registry),
        ("repository", good.repository, bad.repository),
        ("reference", good.reference, bad.reference),
    ):
        known = one != other and (
            name == "repository" or _masked(one, masks[0]) != _masked(other, masks[1])
        )
        if known:
            yield Difference("context", name, one, other, matters=False)


def _masked(text: str | None, masks: Masks) -> str | None:
    return None if text is None else masks.text(text)


def _client(operation: Operation) -> str | None:
    client = operation.client
    return " ".join(word for word in (client.product, client.version) if word) or None


def _seconds(operation: Operation) -> float | None:
    return None if operation.ended is None else max(operation.ended - operation.started, 0.0)


def _side(report: Report, operation: Operation) -> Side:
    return Side(
        capture=report.capture.name,
        operation=operation.id,
        kind=operation.kind,
        registry=operation.registry,
        repository=operation.repository,
        reference=operation.reference,
        client=operation.client,
        outcome=operation.outcome,
        legs=len(operation.legs),
        seconds=_seconds(operation),
        others=len(report.operations) - 1,
        shared_as=report.redaction.level,
        canaries=report.redaction.canaries,
    )


def _causes(report: Report, operation: Operation) -> Iterator[Cause]:
    for finding in report.findings:
        if finding.id in operation.root_findings:
            yield Cause(
                finding=finding.id,
                rule=finding.rule,
                slug=finding.slug,
                severity=finding.severity,
                confidence=finding.confidence,
                owner=finding.owner,
                title=finding.title,
                cause=finding.cause,
                fix=finding.fix,
            )
