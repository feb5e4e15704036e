"""Every setting, header, command and rule kind of the code stands in the docs, and everything that pages refer to exists."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from headrace.cli.main import COMMANDS
from stream_app import names
from stream_app.contract.compile import RECORD_RULES
from stream_app.contract.steps import STEPS
from tests.support.paths import DOCS, ROOT

README = ROOT / "README.md"
PAGES = (README, *sorted(DOCS.rglob("*.md")))
HEADERS = sorted(
    {value for value in vars(names).values() if isinstance(value, str) and re.fullmatch(r"headrace(\.\w+)+", value)}
)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def links(page: Path) -> list[tuple[Path, str]]:
    """Files of this project that a page links to, with the anchor or an empty text."""
    return [
        ((page.parent / target).resolve() if target else page, anchor)
        for target, anchor in LINK.findall(page.read_text("utf-8"))
    ]


def contents(page: Path) -> set[Path]:
    """Pages that a page's ``toctree`` names, globs included."""
    blocks = re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    names = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    return {found.resolve() for name in names for found in page.parent.glob(f"{name}.md")}


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_settings_page_is_the_one_the_code_makes() -> None:
    table = runpy.run_path(str(ROOT / "scripts" / "settings_table.py"))["table"]
    assert (DOCS / "reference" / "settings.md").read_text("utf-8") == table()


def test_the_retries_page_is_the_one_the_code_makes() -> None:
    table = runpy.run_path(str(ROOT / "scripts" / "retries_table.py"))["table"]
    assert (DOCS / "reference" / "retries.md").read_text("utf-8") == table()


def test_there_are_headers_to_look_for() -> None:
    assert len(HEADERS) >= 10


@pytest.mark.parametrize("header", HEADERS)
def test_every_header_is_in_the_readme(header: str) -> None:
    assert f"`{header}`" in README.read_text("utf-8")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"headrace {command}" in README.read_text("utf-8")


@pytest.mark.parametrize("word", [*sorted({step for steps in STEPS.values() for step in steps}), *RECORD_RULES])
def test_every_cleaning_step_and_record_rule_is_in_the_contracts_page(word: str) -> None:
    assert f"`{word}`" in (DOCS / "reference" / "contracts.md").read_text("utf-8")


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, found = set[Path](), {README}
    while found:
        reached |= found
        linked = {target for page in found for target, _ in links(page) if target.suffix == ".md" and target.exists()}
        found = linked.union(*(contents(page) for page in found)) - reached
    assert [name_of(page) for page in PAGES if page not in reached] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_links_to_exists(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        assert target.is_relative_to(ROOT), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    for path in re.findall(r"`(tests/[\w./-]+)`", page.read_text("utf-8")):
        assert (ROOT / path).exists(), path


def test_the_licence_is_in_the_checkout() -> None:
    assert (ROOT / "LICENSE").stat().st_size > 0
