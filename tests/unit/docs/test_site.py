"""The documentation is consistent: pages have a kind, links and paths exist, examples give the output that is shown."""

from __future__ import annotations

import ast
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from headrace.cli.main import cli
from tests.support.paths import DOCS, ROOT

KINDS = {"tutorial", "guides", "reference", "explanation", "adr"}
GENERATED = DOCS / "reference" / "api"
PAGES = sorted(
    page
    for folder in (ROOT, DOCS, ROOT / "examples")
    for page in (folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
    if GENERATED not in page.parents
)
TOP = {path.name for path in ROOT.iterdir()}
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([A-Za-z_.][\w.-]*/[\w./-]*)`")
ADRS = sorted(DOCS.glob("adr/0*.md"))


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The text of a page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if DOCS in page.parents], ids=name)
def test_every_page_has_a_kind(page: Path) -> None:
    parts = page.relative_to(DOCS).parts
    assert parts[0] in KINDS or parts in {("index.md",), ("architecture.md",)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_inside_the_project_lead_to_a_page_and_a_heading(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if re.match(r"\w+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = [path for path in CODE.findall(prose(page)) if path.split("/")[0] in TOP - {"build", "out", ".cache"}]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_commands_page_is_the_one_that_the_commands_make() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "commands_page.py"))["page"]
    assert (DOCS / "reference" / "commands.md").read_text("utf-8") == page(), "run scripts/commands_page.py"


def test_the_tutorial_gives_the_output_that_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = DOCS / "tutorial" / "index.md"
    [contract] = blocks(page, "yaml")
    sales, output, *_ = blocks(page, "text")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "myshop").mkdir()
    (tmp_path / "myshop" / "sales.odcs.yaml").write_text(contract, "utf-8")
    (tmp_path / "sales.csv").write_text(sales, "utf-8")
    done = CliRunner().invoke(cli, ["check", "--shop", "myshop", "--write", "out", "sales.csv"])
    assert (done.exit_code, done.stdout) == (0, output)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"sales.clean.jsonl", "sales.rejected.jsonl"}


def walk() -> list[str]:
    """The functions that one order passes, from its bytes to its tile."""
    section = (DOCS / "architecture.md").read_text("utf-8").partition("\n## One order, from its bytes to its tile\n")[2]
    return re.findall(r"^\d+\. `([\w.]+)`:", section.partition("\n## ")[0], re.MULTILINE)


def test_the_walk_of_one_order_is_short() -> None:
    assert 1 < len(walk()) <= 14
    assert len(set(walk())) == len(walk())


@pytest.mark.parametrize("step", walk())
def test_every_function_of_the_walk_exists(step: str) -> None:
    parts = step.split(".")
    base = ROOT if (ROOT / parts[0]).is_dir() else ROOT / "stream_app"
    split = next(split for split in range(len(parts), 0, -1) if base.joinpath(*parts[:split]).with_suffix(".py").exists())
    body = ast.parse(base.joinpath(*parts[:split]).with_suffix(".py").read_text("utf-8")).body
    assert parts[split:], "a module, not a function"
    for part in parts[split:]:
        definitions = {
            node.name: node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert part in definitions
        body = definitions[part].body


def test_decisions_are_numbered_and_complete() -> None:
    assert [page.name[:4] for page in ADRS] == [f"{number:04}" for number in range(1, len(ADRS) + 1)]
    for number, page in enumerate(ADRS, 1):
        text = page.read_text("utf-8")
        assert text.startswith(f"# {number}. "), page.name
        assert "\nStatus: " in text, page.name
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Alternatives"], page.name


def test_the_newest_version_in_the_changelog_is_the_projects() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    headings = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == version
    assert all(date for _, date in headings[1:])


def test_every_target_of_the_makefile_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {one for page in PAGES for one in re.findall(r"`make ([a-z -]+)`", page.read_text("utf-8"))}
    assert {target for one in named for target in one.split()} - targets == set()
