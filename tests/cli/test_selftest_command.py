"""``regtrace selftest``: it counts what it did, and a broken handler makes it fail."""

from __future__ import annotations

import re

import pytest
from test_report_command import regtrace

from regtrace.cli import selftest
from regtrace.diagnose.rules import CATALOGUE
from regtrace.redact.copying import Copier
from regtrace.redact.redactor import Level, Redactor
from regtrace.report.output import FORMATS


@pytest.fixture(autouse=True)
def some_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [rule for rule in CATALOGUE if rule.slug.startswith(("storage-403", "token-bad"))]
    monkeypatch.setattr(selftest, "CATALOGUE", wanted)


@pytest.mark.parametrize("level", [level.value for level in Level])
def test_nothing_comes_out(level: str) -> None:
    result = regtrace("selftest", "--share", level)
    assert result.exit_code == 0, result.output
    told = re.match(
        r"planted (\d+) made-up secrets, scanned (\d+) outputs .* found 0", result.stdout
    )
    assert told
    assert int(told[1]) > 50
    assert int(told[2]) == 3 * (len(FORMATS) + 1)


def test_a_broken_handler_of_reports_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Redactor, "client_address", lambda self, address: address)
    result = regtrace("selftest")
    assert result.exit_code == 3
    assert "connection.client_host" in result.stderr
    assert "redaction does not hold" in result.stderr


def test_a_broken_handler_of_copies_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Copier, "_token", lambda self, raw: raw)
    result = regtrace("selftest")
    assert result.exit_code == 3
    assert "response.body.token" in result.stderr
