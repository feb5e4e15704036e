"""The page of a report fits a phone in every language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reporter import render, template
from reporter.report import report_of
from reporter.texts import LANGUAGES, texts
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.report_facts import some_facts

if TYPE_CHECKING:
    from playwright.sync_api import Page

driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")


@pytest.fixture
def page() -> Iterator[Page]:
    if chromium() is None:
        pytest.skip("no Chromium on PATH")
    with driver.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 390, "height": 844})
        browser.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_part_of_a_report_is_wider_than_a_phone(page: Page, tmp_path: Path, language: str) -> None:
    say, facts = texts(language), some_facts(language)
    report = report_of(template.write(facts, say), facts, say, written_by="template", model=None, prompt="v1")
    (tmp_path / "report.html").write_text(render.html(report, facts, say), "utf-8")
    page.goto((tmp_path / "report.html").as_uri())
    page.locator("details").evaluate("one => one.open = true")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
