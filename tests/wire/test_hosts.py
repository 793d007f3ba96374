"""From where a host can be reached, as far as its text tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regtrace.wire.hosts import Reach, reach


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", Reach.LOOPBACK),
        ("registry.localhost", Reach.LOOPBACK),
        ("127.0.0.1", Reach.LOOPBACK),
        ("127.9.9.9", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("0.0.0.0", Reach.LOOPBACK),
        ("10.1.2.3", Reach.PRIVATE),
        ("172.16.0.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("169.254.1.1", Reach.PRIVATE),
        ("fe80::1%eth0", Reach.PRIVATE),
        ("fd00::5", Reach.PRIVATE),
        ("minio", Reach.PRIVATE),
        ("minio.storage.svc", Reach.PRIVATE),
        ("registry.default.svc.cluster.local", Reach.PRIVATE),
        ("harbor.corp", Reach.PRIVATE),
        ("Harbor.LAN.", Reach.PRIVATE),
        ("registry-1.docker.io", Reach.PUBLIC),
        ("registry.example.com", Reach.PUBLIC),
        ("internal.example.com", Reach.PUBLIC),
        ("8.8.8.8", Reach.PUBLIC),
        ("192.0.2.7", Reach.PUBLIC),
        ("2600::1", Reach.PUBLIC),
        ("2001:db8::7", Reach.PUBLIC),
        ("fd12:3456::7", Reach.PRIVATE),
    ],
)
def test_each_host_has_its_reach(host: str, expected: Reach) -> None:
    assert reach(host) is expected


@given(st.text(max_size=300))
def test_any_text_has_one(text: str) -> None:
    assert isinstance(reach(text), Reach)
