"""The page of a report prints on a few sheets."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reporter import render, template
from reporter.report import report_of
from reporter.texts import texts
from tests.support.chromium import ARGUMENTS, chromium
from tests.support.report_facts import some_facts


def test_the_page_prints_on_a_few_sheets(tmp_path: Path) -> None:
    browser = chromium()
    if browser is None:
        pytest.skip("no Chromium on PATH")
    say, facts = texts("en"), some_facts()
    report = report_of(template.write(facts, say), facts, say, written_by="template", model=None, prompt="v1")
    page, sheet = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(render.html(report, facts, say), "utf-8")
    subprocess.run(
        [browser, *ARGUMENTS, f"--user-data-dir={tmp_path / 'profile'}", "--no-pdf-header-footer",
         f"--print-to-pdf={sheet}", page.as_uri()],
        capture_output=True, timeout=60, check=True,
    )  # fmt: skip

    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", sheet.read_bytes()))
    assert 1 <= pages <= 3
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
