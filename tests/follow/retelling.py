"""What following says of a story in the notation, as a few lines that a test can compare.

::

    push team/app 1: ok
      L1 uploaded
      L2 uploaded in 2 attempts
      manifest 1 uploaded
"""

from __future__ import annotations

from textwrap import dedent

from regtrace.follow.story import Operation, Transfer
from regtrace.follow.tracker import tell
from regtrace.wire.decode import decode
from regtrace.wire.leg import Leg
from regtrace.wire.notation import read_names, read_notation


def legs_of(story: str) -> list[Leg]:
    return [decode(exchange) for exchange in read_notation(story)]


def operations_of(story: str) -> tuple[Operation, ...]:
    return tell(legs_of(story))


def retold(story: str) -> str:
    names = {digest: name for name, digest in read_names(story).items()}
    lines: list[str] = []
    for operation in operations_of(story):
        lines.append(_headline(operation, names))
        lines += [f"  {_line(transfer, names)}" for transfer in operation.transfers]
    return "\n".join(lines)


def check(story: str, expected: str) -> None:
    """That the story is understood as these lines say."""
    found, wanted = retold(story), dedent(expected).strip()
    assert found == wanted, f"told as:\n{found}"


def _headline(operation: Operation, names: dict[str, str]) -> str:
    reference = names.get(operation.reference or "", operation.reference)
    words = [operation.kind.value, operation.repository, reference]
    return f"{' '.join(word for word in words if word)}: {operation.ending.value}"


def _line(transfer: Transfer, names: dict[str, str]) -> str:
    named = names.get(transfer.digest or "", "unnamed" if transfer.digest else "unknown")
    if transfer.kind == "manifest":
        named = f"manifest {transfer.reference or named}"
    tries = f" in {transfer.attempts} attempts" if transfer.attempts > 1 else ""
    return f"{named} {transfer.fate.value}{tries}"
