"""Lines for a person who watches: one calm line for each thing that happened, no more.

Given the operations as they stand, :class:`Narrator` says what is new since it last looked. What
happened to many layers alike meanwhile is one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from regtrace.diagnose.engine import Diagnosis, Examiner, examine
from regtrace.diagnose.rules import LAST_RESORT
from regtrace.follow.life import Fate
from regtrace.follow.story import Operation, Transfer
from regtrace.follow.strands import is_first_form
from regtrace.redact.redactor import Redactor
from regtrace.report.naming import client_name, operation_name, transfer_name
from regtrace.report.visible import clock, rate, size, visible
from regtrace.wire.leg import UPLOAD_KINDS, Kind, Leg

_DONE = {
    Fate.UPLOADED: "uploaded",
    Fate.DOWNLOADED: "downloaded",
    Fate.EXISTED: "already there",
    Fate.MOUNTED: "mounted from another repository",
}
#: Things of one kind that are told one by one; more at once are told together.
_FEW = 3
#: Things that were said are remembered at most so often; a push has a few for each layer.
_MOST_SAID = 20_000
#: Things said with one redactor; a new one begins its labels anew, so that a proxy that runs for
#: months does not remember every name and secret that it ever saw.
_MOST_LABELLED = 20_000


@dataclass(frozen=True, slots=True)
class _Line:
    key: str
    """What makes it news: a line is said once."""
    moment: float
    what: str
    """The same for all that can be told together."""
    about: str = ""
    """The transfer that it happened to, such as ``blob 0f3d…``."""
    more: str = ""
    size: int = 0
    failed: Leg | None = None


class Narrator:
    def __init__(self, redactor: Redactor, judge: Examiner = examine) -> None:
        self._redactor = redactor
        self._judge = judge
        self._labelled = 0
        self._said: dict[str, None] = {}

    def news(self, operation: Operation) -> list[str]:
        """Lines for what has not been said of this operation yet."""
        lines = [line for line in self._lines(operation) if self._is_news(line.key)]
        verdicts = _verdicts(self._judge(operation)) if any(line.failed for line in lines) else {}
        alike: dict[tuple[str, str, str], list[_Line]] = {}
        for line in sorted(lines, key=lambda line: line.moment):
            noun, verdict = line.about.partition(" ")[0], verdicts.get(_id(line.failed), "")
            alike.setdefault((noun, line.what, verdict), []).append(line)
        told = [each for kind, same in alike.items() for each in _told(kind[2], same)]
        return [visible(f"{clock(moment)}  {text}") for moment, text in sorted(told)]

    def _is_news(self, key: str) -> bool:
        if key in self._said:
            return False
        self._said[key] = None
        self._labelled += 1
        if self._labelled > _MOST_LABELLED:
            self._labelled, self._redactor = (
                0,
                Redactor(self._redactor.level, case=self._redactor.case),
            )
        while len(self._said) > _MOST_SAID:
            del self._said[next(iter(self._said))]
        return True

    def _lines(self, operation: Operation) -> Iterator[_Line]:
        legs = operation.legs
        if operation.repository:
            first = next((leg for leg in legs if leg.repository or leg.kind is Kind.TOKEN), legs[0])
            name = operation_name(operation, self._redactor)
            said = f"{name}  by {client_name(operation, self._redactor)}"
            yield _Line(f"{first.id} began", first.started, said)
        for chain in operation.session:
            leg = chain.last
            if leg.refused and not _is_routine(leg):
                yield _Line(f"{leg.id} failed", leg.last_seen, self._failure(leg), failed=leg)
        for transfer in operation.transfers:
            yield from self._transfer(transfer)

    def _transfer(self, transfer: Transfer) -> Iterator[_Line]:
        name = transfer_name(transfer, self._redactor)
        for chain in transfer.chains:
            leg = chain.last
            if leg.in_flight and leg.kind in {Kind.UPLOAD_CHUNK, Kind.UPLOAD_COMMIT}:
                yield _Line(f"{leg.id} sending", leg.started, "uploading", name)
            if leg.refused and not _is_routine(leg):
                what = self._failure(leg)
                yield _Line(f"{leg.id} failed", leg.last_seen, what, name, failed=leg)
        if transfer.fate in _DONE:
            last = transfer.legs[-1]
            key = f"{transfer.legs[0].id} {transfer.fate.value}"
            passed = transfer.size if transfer.fate in _PASSED else None
            what, more = _DONE[transfer.fate], _more(transfer, passed)
            yield _Line(key, last.last_seen, what, name, more, passed or 0)

    def _failure(self, leg: Leg) -> str:
        self._redactor.learn(leg.exchange)
        what = f"{self._redactor.method(leg.method)} at {self._redactor.host(leg.url.authority)}"
        if leg.broken:
            return f"{what} failed: {self._redactor.prose(leg.exchange.error or '')}"
        return f"{what} answered {leg.status}"


def _id(leg: Leg | None) -> str:
    return leg.id if leg else ""


def _verdicts(diagnosis: Diagnosis) -> dict[str, str]:
    """Leg id → the fault that the rules see in it by now; the summary has the whole of it."""
    return {
        leg.id: f"  [{finding.rule.number} {finding.rule.slug}]"
        for finding in diagnosis.findings
        if finding.rule is not LAST_RESORT
        for leg in finding.fails.legs
    }


_PASSED = frozenset({Fate.UPLOADED, Fate.DOWNLOADED})


def _told(verdict: str, lines: list[_Line]) -> Iterator[tuple[float, str]]:
    """Lines of one kind, in the order of time: each of a few, or one for all."""
    last = lines[-1]
    if len(lines) > _FEW and last.about:
        passed = sum(line.size for line in lines)
        more = f", {size(passed)} in all" if passed else ""
        noun = last.about.partition(" ")[0]
        yield last.moment, f"{len(lines)} {noun}s: {last.what}{more}{verdict}"
        return
    for line in lines:
        about = f"{line.about}: " if line.about else ""
        yield line.moment, f"{about}{line.what}{line.more}{verdict}"


def _more(transfer: Transfer, passed: int | None) -> str:
    said = ""
    if passed:
        carrier = next((leg for leg in transfer.legs if _carried(leg)), None)
        seconds = (carrier.ended or 0) - carrier.started if carrier else 0
        said += f", {size(passed)}"
        if seconds > 0:
            said += f" at {rate(passed, seconds)}"
    if transfer.attempts > 1:
        said += f", in attempt {transfer.attempts}"
    return said


def _carried(leg: Leg) -> bool:
    response = leg.exchange.response
    sent = leg.kind in UPLOAD_KINDS and leg.exchange.request.body.size
    return bool(sent or (leg.method == "GET" and response and response.body.size))


def _is_routine(leg: Leg) -> bool:
    """Answers that every push has: not there yet, log in first, an unwanted session left alone,
    a token not given to who asks by POST."""
    probing = leg.method in {"HEAD", "GET"} and leg.status == 404
    left_alone = leg.kind is Kind.UPLOAD_CANCEL
    return probing or leg.status == 401 or left_alone or is_first_form(leg)
