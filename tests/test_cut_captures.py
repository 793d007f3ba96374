"""A capture that ends too early never makes a failure of a success.

Two exceptions: a probe that the storage refused, and a server that speaks no TLS, are errors for
some clients, and only what comes after them shows that this one went on.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from regtrace.follow.life import Ending
from regtrace.follow.tracker import tell
from regtrace.proxy.capture import Reader
from regtrace.wire.decode import decode
from regtrace.wire.leg import Kind
from regtrace.wire.transport import Failure

CAPTURES = Path(__file__).parents[1] / "captures"
GOOD = [
    path
    for path in sorted(CAPTURES.glob("*.mitm"))
    if yaml.safe_load(path.with_suffix(".yaml").read_text())["expect"]["verdict"] == "ok"
]


@pytest.mark.parametrize("capture", GOOD, ids=lambda path: path.stem)
def test_no_cut_makes_a_failure(capture: Path) -> None:
    with capture.open("rb") as stream:
        legs = [decode(exchange) for exchange in Reader(str(capture), stream)]
    failed = [
        length
        for length in range(1, len(legs) + 1)
        if any(operation.ending is Ending.FAILED for operation in tell(legs[:length]))
        and not (legs[length - 1].kind is Kind.STORAGE and legs[length - 1].refused)
        and legs[length - 1].failure is not Failure.NOT_TLS
    ]
    assert failed == [], "the number of flows after which it looks failed"


def test_there_are_good_captures() -> None:
    assert len(GOOD) >= 15
