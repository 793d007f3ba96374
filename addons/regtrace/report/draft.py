"""What a report will need of a capture, collected while it is read."""

from __future__ import annotations

from dataclasses import replace

from regtrace.redact.holdings import Holdings
from regtrace.report.account import Account
from regtrace.report.proof import Sample
from regtrace.report.telling import Telling
from regtrace.wire.leg import Leg

#: Header fields that are read of a leg whose line in the registry's log is looked for.
_CLOCK = frozenset({"date"})


class Draft:
    def __init__(self, *, keep_refused: bool = False, holdings: Holdings | None = None) -> None:
        self._keep_refused = keep_refused
        self.holdings = holdings or Holdings()
        """What the redactor hides, and the gate looks for. Two drafts may share it."""
        self.sample = Sample()
        """Whole exchanges, for the proof."""
        self.accounts: list[Account] = []
        self.refused: list[Leg] = []
        """Legs that the registry may have logged the reason of, if they are asked for."""

    def add(self, telling: Telling) -> None:
        """Learn all that this operation holds, and keep what is shown of it."""
        legs = telling.operation.legs
        for leg in legs:
            self.holdings.add(leg.exchange)
            self.sample.add(leg.exchange)
        if not telling.is_told:
            return
        self.accounts.append(Account.of(telling))
        if self._keep_refused:
            self.refused += [
                replace(leg, exchange=leg.exchange.pared(_CLOCK)) for leg in legs if leg.refused
            ]
