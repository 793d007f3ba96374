"""mitmweb in a real Chromium and mitmproxy in a real terminal: what a person sees there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from proxying import ADDON

pytestmark = pytest.mark.lab

CAPTURE = Path(__file__).parents[2] / "captures" / "docker-push-s3-403.mitm"
PROGRAM = "from mitmproxy.tools.main import {0}; {0}()"
PATIENCE = 60
PASSWORD = "made-up-password"


def found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        reason = f"there is no {program}: scripts/lab install"
        if os.environ.get("REGTRACE_LAB"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def eventually(said: Callable[[], str], *words: str) -> str:
    """What is said once all of these words are in it."""
    end = time.monotonic() + PATIENCE
    while True:
        text = said()
        if all(word in text for word in words):
            return text
        assert time.monotonic() < end, f"{words} are not in:\n{text}"
        time.sleep(0.2)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


# --- mitmweb


@contextmanager
def mitmweb(confdir: Path) -> Iterator[str]:
    """Its address, once it answers, with the capture loaded."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/?token={PASSWORD}"
    options = ("-n", "--no-web-open-browser", "--web-host", "127.0.0.1", "--web-port", str(port))
    secret = ("--set", f"web_password={PASSWORD}")  # asked for since mitmproxy 11.1
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", PROGRAM.format("mitmweb"), *options, *secret),
            *("--set", f"confdir={confdir}", "-s", str(ADDON), "-r", str(CAPTURE)),
        ],
        stdout=subprocess.DEVNULL,
    )

    def answer() -> str:
        assert process.poll() is None, "mitmweb did not start"
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE) as page:
                return str(page.read().decode())
        except OSError:
            return ""

    try:
        eventually(answer, "mitmproxy")
        yield address
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def page(confdir: Path) -> Iterator[Page]:
    chromium = found("chromium")
    with mitmweb(confdir) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(address)
        yield page
        browser.close()


def test_mitmweb_shows_marks_comments_and_what_a_body_means(page: Page) -> None:
    rows = page.locator("table tbody tr")
    marked = rows.filter(has_text="❌")
    expect(marked).to_have_count(1, timeout=PATIENCE * 1000)

    marked.click()
    page.get_by_text("Comment", exact=True).first.click()
    expect(page.locator("body")).to_contain_text("storage-403-on-head")
    expect(page.locator("body")).to_contain_text("push team/app")

    rows.filter(has_text="/jwt/auth").first.click()
    page.get_by_text("Response", exact=True).first.click()
    expect(page.locator("body")).to_contain_text("asked for:")


# --- mitmproxy


@contextmanager
def terminal(folder: Path, *command: str) -> Iterator[Callable[..., str]]:
    """A terminal of its own; call it with keys to press, or for what it shows."""
    tmux = (found("tmux"), "-S", str(folder / "tmux"))

    def screen(*keys: str) -> str:
        if keys:
            subprocess.run([*tmux, "send-keys", "-t", "0", *keys], check=True)
        shown = subprocess.run(
            [*tmux, "capture-pane", "-p", "-t", "0"], capture_output=True, text=True, check=True
        )
        return shown.stdout

    size = ("-x", "180", "-y", "50")
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    start = [*tmux, "-u", "-f", "/dev/null", "new-session", "-d", *size, *command]
    subprocess.run(start, check=True, env=environment)
    try:
        yield screen
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


def test_mitmproxy_shows_marks_comments_and_explains(tmp_path: Path, confdir: Path) -> None:
    program = (sys.executable, "-c", PROGRAM.format("mitmproxy"), "-n")
    options = ("--set", f"confdir={confdir}", "-s", str(ADDON), "-r", str(CAPTURE))
    with terminal(tmp_path, *program, *options) as screen:
        eventually(screen, "registry.test", "❌")
        screen(":", "set view_filter='~comment storage-403-on-head'", "Enter")
        eventually(screen, "[1/1]", "s3.test")
        screen(":", "registry.explain @focus", "Enter")
        eventually(screen, "storage-403-on-head")
