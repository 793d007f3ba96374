"""One operation, and what the rules say of it: what a report is made of."""

from __future__ import annotations

from dataclasses import dataclass

from regtrace.diagnose.engine import Diagnosis, Examiner, examine
from regtrace.follow.life import Ending
from regtrace.follow.story import Operation
from regtrace.wire.leg import Kind


@dataclass(frozen=True, slots=True)
class Telling:
    operation: Operation
    diagnosis: Diagnosis

    @classmethod
    def of(cls, operation: Operation, judge: Examiner = examine) -> Telling:
        return cls(operation, judge(operation))

    @property
    def failed(self) -> bool:
        """Whether it failed by anything that the site has not accepted."""
        return self.operation.ending is Ending.FAILED and not self.diagnosis.accepted

    @property
    def is_told(self) -> bool:
        """Traffic of other products that passed by is not, unless it belongs to an operation."""
        kinds = {leg.kind for leg in self.operation.legs}
        addressed = self.operation.registry is not None and kinds != {Kind.OTHER}
        return addressed or not kinds.isdisjoint({Kind.TOKEN, Kind.STORAGE, Kind.CONNECT})
