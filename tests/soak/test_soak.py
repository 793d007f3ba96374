"""The soak in short: every push goes through, and mitmdump does not fill the memory."""

from __future__ import annotations

from pathlib import Path

import pytest

import soak


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_few_hundred_pushes() -> None:
    assert soak.soak(200) < 1.5
