"""What `python tests/lab` runs. Only finds the package; the command line is in `cli.py`."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from lab.cli import main  # noqa: E402  (the line above is what makes it importable)

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
