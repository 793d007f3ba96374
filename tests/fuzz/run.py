"""Fuzz one decoder, guided by what it covers: ``python tests/fuzz/run.py TARGET [--seconds N]``.

Needs atheris (``pip install atheris``), which is libFuzzer for Python. It begins with the corpus,
``corpus/TARGET/``, and stops at the first exception, whose input it writes to the current
directory. With ``--found DIR`` what reached something new stays there; ``keep.py`` takes the best
of it into the corpus.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "addons")]

with atheris.instrument_imports(include=["regtrace.wire"]):
    from fuzz_targets import TARGETS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60, help="how long (default: %(default)s)")
    parser.add_argument("--found", type=Path, help="a directory for inputs that reach new code")
    asked = parser.parse_args()
    found = asked.found or Path(tempfile.mkdtemp(prefix="regtrace-fuzz-"))
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={asked.seconds}",
        "-max_len=8192",
        "-timeout=5",
        "-print_final_stats=1",
        str(found),
        str(HERE / "corpus" / asked.target),
    ]
    atheris.Setup([sys.argv[0], *options], TARGETS[asked.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
