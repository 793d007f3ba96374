"""The page in a real browser: Chromium, with script and without, on any screen and on paper.

What a browser complains of, asks for or runs is a failure, and so is what axe-core finds.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from sample_pages import ends_in_mid_upload, hostile, long_push, many_pushes, not_seen, rich
from sample_reports import good_push
from test_forms import nothing_seen

from regtrace.report import html
from regtrace.report.model import Report

pytestmark = pytest.mark.lab

WIDE, NARROW = 1280, 390
PAGES: dict[str, Callable[[], Report]] = {
    "rich": rich,
    "good": good_push,
    "nothing-seen": nothing_seen,
    "mid-upload": ends_in_mid_upload,
    "long": lambda: long_push(100),
    "many": lambda: many_pushes(30),
    "hostile": lambda: hostile(rich(), spare=("id", "legs", "outcome", "kind", "severity")),
    "all-hostile": lambda: hostile(rich()),
}
each_page = pytest.mark.parametrize("name", PAGES)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "there is no chromium: scripts/lab install"
        if os.environ.get("REGTRACE_LAB"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        # Root has no sandbox; what is shown here are pages of our own.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for name, made in PAGES.items():
        (folder / f"{name}.html").write_text(html.render(made()), "utf-8")
    return folder


@dataclass
class Shown:
    page: Page
    complaints: list[str] = field(default_factory=list)


@contextmanager
def shown(browser: Browser, file: Path, *, link: str = "", **how: Any) -> Iterator[Shown]:
    """The page on a screen; whatever it complains of or asks for fails the test."""
    how = {"viewport": {"width": WIDE, "height": 900}, **how}
    context = browser.new_context(**how)
    page = context.new_page()
    seen = Shown(page)
    page.on("console", lambda message: seen.complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: seen.complaints.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: seen.complaints.append(f"request: {request.url}"))
    page.goto(f"{file.as_uri()}{link}")
    assert seen.complaints.pop(0).startswith(f"request: {file.as_uri()}")
    yield seen
    assert seen.complaints == []
    context.close()


@each_page
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_it_fits_the_screen_with_script_and_without(
    name: str, width: int, browser: Browser, folder: Path
) -> None:
    heights = []
    for scripts in (True, False):
        with shown(
            browser,
            folder / f"{name}.html",
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
        ) as seen:
            # Evaluating is the tester's own script, which runs where the page's does not.
            wide = seen.page.evaluate("document.documentElement.scrollWidth")
            assert wide == width
            heights.append(seen.page.locator("main").bounding_box()["height"])  # type: ignore[index]
            tools = seen.page.locator("[data-tools]")
            assert all(one.is_visible() == scripts for one in tools.all())
    with_script, without = heights
    assert 0.9 * with_script < without <= with_script


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        ("rich", "light", WIDE),
        ("rich", "dark", WIDE),
        ("rich", "dark", NARROW),
        ("good", "light", WIDE),
        ("nothing-seen", "light", WIDE),
        ("mid-upload", "dark", WIDE),
        ("many", "light", WIDE),
        ("hostile", "light", NARROW),
    ],
)
def test_axe_finds_no_fault(
    name: str, scheme: str, width: int, browser: Browser, folder: Path
) -> None:
    screen = {"width": width, "height": 900}
    with shown(browser, folder / f"{name}.html", color_scheme=scheme, viewport=screen) as seen:
        for fold in seen.page.locator("details.fold").all():
            fold.evaluate("fold => { fold.open = true }")
        found = Axe().run(seen.page)
        assert found.response["violations"] == [], found.generate_report()
        assert found.response["passes"]


@pytest.mark.parametrize("name", ["hostile", "all-hostile"])
def test_nothing_of_strangers_runs(name: str, browser: Browser, folder: Path) -> None:
    with shown(browser, folder / f"{name}.html") as seen:
        assert seen.page.evaluate("window.pwned") is None
        assert seen.page.locator("img, iframe, object, embed, textarea").count() == 0
        assert seen.page.locator("script").count() == 1
        assert "<script>window.pwned=1</script>" in seen.page.locator("main").inner_text()


@pytest.mark.parametrize("name", ["rich", "many", "hostile"])
def test_it_prints(name: str, browser: Browser, folder: Path) -> None:
    with shown(browser, folder / f"{name}.html") as seen:
        paper = seen.page.pdf(format="A4")
        assert paper.startswith(b"%PDF-")
        assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 1
        seen.page.emulate_media(media="print")
        assert not seen.page.locator("nav").is_visible()
        assert not seen.page.locator("[data-tools]").first.is_visible()
        assert seen.page.locator("#verdict").is_visible()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_link_to_a_leg_opens_it(scripts: bool, browser: Browser, folder: Path) -> None:
    file = folder / "many.html"
    with shown(browser, file, link="#leg-2", java_script_enabled=scripts) as seen:
        leg = seen.page.locator("#leg-2")
        assert leg.is_visible()
        assert leg.evaluate("leg => leg.getBoundingClientRect().top") < 900
        assert not seen.page.locator("#leg-3").is_visible()


def test_the_verdict_leads_to_the_failing_leg(browser: Browser, folder: Path) -> None:
    with shown(browser, folder / "many.html") as seen:
        seen.page.get_by_role("link", name="Leg 9 of 9").click()
        assert seen.page.url.endswith("#leg-9")
        assert seen.page.locator("#leg-9").is_visible()


def test_everything_can_be_reached_by_keyboard(browser: Browser, folder: Path) -> None:
    with shown(browser, folder / "many.html") as seen:
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.textContent") == "Skip to the verdict"
        reached = set()
        for _ in range(60):
            seen.page.keyboard.press("Tab")
            reached.add(
                seen.page.evaluate("document.activeElement.closest('svg, table, nav')?.localName")
            )
        assert {"nav", "table", "svg"} <= reached


def test_script_filters_sorts_and_copies(browser: Browser, folder: Path) -> None:
    file = folder / "long.html"
    with shown(browser, file, permissions=["clipboard-read", "clipboard-write"]) as seen:
        page = seen.page
        visible = page.locator(".leg:visible")
        assert visible.count() == 100
        page.get_by_label("only failed ones").check()
        assert visible.count() == 1
        assert page.locator("[data-count]").inner_text() == "1 of 100"
        page.get_by_label("only failed ones").uncheck()
        page.get_by_label("Filter").fill("patch L99")
        assert visible.count() == 1
        page.get_by_label("Filter").fill("nothing of the kind")
        assert visible.count() == 0
        page.get_by_label("Filter").fill("")
        page.get_by_label("Sort by").select_option("seconds")
        lasted = page.evaluate(
            "[...document.querySelectorAll('.leg')].map(l => +l.dataset.seconds)"
        )
        assert lasted == sorted(lasted, reverse=True)
        page.get_by_label("Sort by").select_option("time")
        page.locator(".leg.is-bad button").click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(f"{file.as_uri()}#leg-")
        assert page.locator(copied.removeprefix(file.as_uri())).count() == 1


def test_a_long_page_is_there_at_once(browser: Browser, folder: Path) -> None:
    with shown(browser, folder / "long.html") as seen:
        took = seen.page.evaluate("performance.getEntriesByType('navigation')[0].domComplete")
        assert took < 5_000  # a second on a machine that does nothing else


def test_what_was_not_seen_is_folded_and_linked(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "x.html"
    file.write_text(html.render(replace(rich(), not_seen=not_seen(9))), "utf-8")
    with shown(browser, file) as seen:
        assert not seen.page.locator("#not-seen").is_visible()
        seen.page.get_by_role("link", name="and 6 more").click()
        assert seen.page.locator("#not-seen").is_visible()
