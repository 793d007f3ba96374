"""What a report will need of a capture, collected while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from regtrace.diagnose.engine import Examiner
from regtrace.redact.holdings import Holdings
from regtrace.report.account import Account
from regtrace.report.proof import Sample
from regtrace.report.telling import Telling
from regtrace.wire.leg import Leg

#: Header fields that are read of a leg whose line in a log is looked for.
_JOINED_BY = frozenset({"date", "user-agent", "x-request-id", "x-correlation-id", "traceparent"})
#: Legs of operations that wait for what logs say of them.
MOST_WAITING = 100_000


class Draft:
    def __init__(self, *, hears_logs: bool = False, holdings: Holdings | None = None) -> None:
        self._hears_logs = hears_logs
        self.holdings = holdings or Holdings()
        """What the redactor hides, and the gate looks for. Two drafts may share it."""
        self.sample = Sample()
        """Whole exchanges, for the proof."""
        self.accounts: list[Account] = []
        self.unheard = 0
        """Operations that went wrong, and were too many to wait for what logs say of them."""
        self._waiting: list[Telling] = []
        self._waiting_legs = 0
        self._others: list[Leg] = []

    def add(self, telling: Telling) -> None:
        """Learn all that this operation holds, and keep what is shown of it."""
        legs = telling.operation.legs
        for leg in legs:
            self.holdings.add(leg.exchange)
            self.sample.add(leg.exchange)
        if not telling.is_told:
            return
        if self._hears_logs and (telling.failed or telling.diagnosis.findings):
            if self._waiting_legs + len(legs) <= MOST_WAITING:
                self._waiting.append(telling)
                self._waiting_legs += len(legs)
                return
            self.unheard += 1
        self.accounts.append(Account.of(telling))
        if self._hears_logs and len(self._others) < MOST_WAITING:
            self._others += [
                replace(leg, exchange=leg.exchange.pared(_JOINED_BY)) for leg in legs if leg.refused
            ]

    def legs(self) -> Iterator[Leg]:
        """Those that a log may speak of: all of operations that went wrong, and what was refused in
        others."""
        yield from self._others
        for telling in self._waiting:
            yield from telling.operation.legs

    def settle(self, judge: Examiner) -> None:
        """Judge once more, by one who has heard the logs, what waited for that."""
        for telling in self._waiting:
            self.accounts.append(Account.of(Telling.of(telling.operation, judge)))
        self._waiting.clear()
