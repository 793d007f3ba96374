"""The soak in short: it runs, every push goes through, and memory is of the right order."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is in /proc")


def test_a_few_hundred_pushes() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    import soak

    taken = soak.soak(200)
    assert taken < 1.5
