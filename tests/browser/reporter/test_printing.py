"""The page of a report prints whole, on a few sheets."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reporter import render, template
from reporter.report import Report, report_of
from reporter.texts import texts
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.report_facts import some_facts


@pytest.fixture
def browser() -> str:
    found = chromium()
    if found is None:
        pytest.skip("no Chromium on PATH")
    return found


def written(file: Path) -> Report:
    """A report, written as a page into a file."""
    say, facts = texts("en"), some_facts()
    report = report_of(template.write(facts, say), facts, say, written_by="template", model=None, prompt="v1")
    file.write_text(render.html(report, facts, say), "utf-8")
    return report


def test_the_page_prints_on_a_few_sheets(browser: str, tmp_path: Path) -> None:
    page, sheet = tmp_path / "report.html", tmp_path / "report.pdf"
    written(page)
    subprocess.run(
        [browser, *ARGUMENTS, f"--user-data-dir={tmp_path / 'profile'}", "--no-pdf-header-footer",
         f"--print-to-pdf={sheet}", page.as_uri()],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip

    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", sheet.read_bytes()))
    assert 1 <= pages <= 3
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)


def test_a_print_has_what_is_folded_on_the_screen(browser: str, tmp_path: Path) -> None:
    driver = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    report = written(tmp_path / "report.html")
    with driver.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=browser, args=ARGUMENTS)
        page = launched.new_page()
        page.goto((tmp_path / "report.html").as_uri())
        folded = page.locator("details section")
        titles = folded.locator("h2").all_text_contents()
        on_screen = [one.is_visible() for one in folded.all()]
        page.emulate_media(media="print")
        printed = [one.is_visible() for one in [*folded.all(), *folded.locator("li, tr").all()]]
        launched.close()

    assert titles[: len(report.sections)] == [one.title for one in report.sections]
    assert not any(on_screen)
    assert len(printed) > 20
    assert all(printed)
