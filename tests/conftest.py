"""What all tests share: the settings of hypothesis.

No example has a deadline, since the machine may be busy. In CI every run tries the same examples;
what the others find belongs into the tests, or into the fuzzers' corpus.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "regtrace",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("regtrace")
