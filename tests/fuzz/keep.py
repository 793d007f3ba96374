"""Take the best of what fuzzing found into the corpus: ``python tests/fuzz/keep.py TARGET DIR``.

The smallest inputs first, and of them only those that take a turn (from one line of ``wire`` to
another) which no smaller one took. Needs no atheris.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "addons")]

from fuzz_targets import TARGETS, Target  # noqa: E402

#: A file of the corpus is small, so that it can be read.
_LARGEST = 2048

_WIRE = str(HERE.parents[1] / "addons" / "regtrace" / "wire")

Turn = tuple[str, int, int]


def turns(target: Target, data: bytes) -> set[Turn]:
    """Which turns this input takes."""
    taken: set[Turn] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        name = frame.f_code.co_filename
        if not name.startswith(_WIRE):
            return None
        before = frame.f_lineno

        def step(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
            nonlocal before
            taken.add((name, before, frame.f_lineno))
            before = frame.f_lineno
            return step

        return step

    sys.settrace(trace)
    try:
        target(data)
    finally:
        sys.settrace(None)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("found", type=Path, help="where run.py --found put its inputs")
    parser.add_argument("--most", type=int, default=12, help="files to take (default: %(default)s)")
    asked = parser.parse_args()
    target = TARGETS[asked.target]
    corpus = HERE / "corpus" / asked.target
    corpus.mkdir(parents=True, exist_ok=True)
    known: set[Turn] = set()
    for path in corpus.iterdir():
        known |= turns(target, path.read_bytes())
    inputs = sorted((path.read_bytes() for path in asked.found.iterdir()), key=len)
    new = [(data, turns(target, data) - known) for data in inputs if len(data) <= _LARGEST]
    for _ in range(asked.most):
        data, gained = max(new, key=lambda pair: len(pair[1] - known), default=(b"", set()))
        if not gained - known:
            break
        known |= gained
        name = hashlib.sha256(data).hexdigest()[:12]
        (corpus / f"found-{name}").write_bytes(data)
        sys.stdout.write(f"{asked.target}/found-{name}: {len(data)} bytes\n")


if __name__ == "__main__":
    main()
