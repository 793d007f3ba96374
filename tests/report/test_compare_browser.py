"""The page of a comparison in a real browser, by the same measure as that of a report."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from captured import report_on
from playwright.sync_api import Browser
from sample_pages import hostile
from sample_reports import failing_push, good_push
from test_html_browser import NARROW, WIDE, browser, shown

from regtrace.report.compare.compare import compare
from regtrace.report.compare.html import render
from regtrace.report.compare.model import Diff

pytestmark = pytest.mark.lab

__all__ = ["browser"]  # a fixture


def diffs() -> dict[str, Diff]:
    spare = ("id", "legs", "outcome", "kind", "severity", "root_findings")
    bad = hostile(failing_push(), spare=spare)
    real = compare(report_on("docker-push-ok"), report_on("docker-push-range-stripped"))
    return {
        "real": real,
        "alike": compare(good_push(), good_push()),
        "hostile": compare(hostile(good_push(), spare=spare), bad),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diffs")
    for name, diff in diffs().items():
        (folder / f"{name}.html").write_text(render(diff), "utf-8")
    return folder


each = pytest.mark.parametrize("name", ["real", "alike", "hostile"])


@each
@pytest.mark.parametrize(("width", "scheme"), [(WIDE, "light"), (NARROW, "dark")])
def test_it_fits_the_screen_and_asks_for_nothing(
    name: str, width: int, scheme: str, browser: Browser, folder: Path
) -> None:
    for scripts in (True, False):
        with shown(
            browser,
            folder / f"{name}.html",
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
        ) as seen:
            assert seen.page.evaluate("document.documentElement.scrollWidth") == width
            assert seen.page.evaluate("window.pwned") is None
            assert seen.page.locator("h1").is_visible()


@each
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(name: str, scheme: str, browser: Browser, folder: Path) -> None:
    with shown(browser, folder / f"{name}.html", color_scheme=scheme) as seen:
        results = Axe().run(seen.page)
        assert results.violations_count == 0, results.generate_report()


def test_the_links_at_its_top_lead_somewhere(browser: Browser, folder: Path) -> None:
    with shown(browser, folder / "real.html") as seen:
        links = [link.get_attribute("href") for link in seen.page.locator("nav a").all()]
        assert links == ["#first", "#causes", "#legs", "#redaction"]
        assert all(seen.page.locator(str(link)).count() == 1 for link in links)
