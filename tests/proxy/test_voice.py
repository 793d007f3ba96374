"""What is printed: past the gate, never into a console, and no harm when nobody can read it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.test import taddons

from regtrace.proxy import voice
from regtrace.proxy.options import Options
from regtrace.wire.exchange import Exchange, Headers, Request

SECRET = "c2VjcmV0LXBhc3N3b3JkLTE"
EXCHANGE = Exchange(
    id="1",
    request=Request(
        method="GET",
        scheme="https",
        host="r",
        port=443,
        headers=Headers([("Authorization", f"Bearer {SECRET}")]),
    ),
)


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture
def context() -> Iterator[Any]:
    with taddons.context(Options()) as tctx:
        yield tctx


def test_a_secret_is_not_printed(context: Any, capsys: pytest.CaptureFixture[str]) -> None:
    voice.say(f"pushed with {SECRET}", [EXCHANGE])
    voice.say("pushed", [EXCHANGE])
    printed = capsys.readouterr()
    assert printed.out == "pushed\n"
    assert "request.header.Authorization" in printed.err
    assert SECRET not in printed.err


@pytest.mark.parametrize(
    ("live", "where", "wanted"),
    [
        ("auto", "dumper", True),
        ("auto", "webaddon", False),
        ("auto", "consoleaddon", False),
        ("lines", "webaddon", True),
        ("lines", "consoleaddon", False),
        ("off", "dumper", False),
    ],
)
def test_where_it_is_told(context: Any, live: str, where: str, wanted: bool) -> None:
    context.options.update(registry_live=live)
    context.master.addons.add(Named(where))
    assert voice.is_wanted() is wanted


def test_a_complaint_in_the_console_is_logged(
    context: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    context.master.addons.add(Named("consoleaddon"))
    voice.complain("no")
    assert capsys.readouterr() == ("", "")
    assert "regtrace: no" in caplog.text


def test_a_terminal_that_knows_no_arrows(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    voice.show("push → registry")
    assert raw.getvalue() == b"push \\u2192 registry\n"


def test_a_terminal_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stream in (closed, None):
        monkeypatch.setattr(sys, "stdout", stream)
        voice.show("nobody reads this")


def test_a_pipe_whose_reader_has_left() -> None:
    """Neither an exception, nor the exit status 120 of what waits in a buffer."""
    script = "from regtrace.proxy import voice; voice.show('x'); voice.show('y')"
    reading, writing = os.pipe()
    os.close(reading)
    addons = Path(__file__).parents[2] / "addons"
    done = subprocess.run(
        [sys.executable, "-c", script],
        stdout=writing,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(addons)},
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
