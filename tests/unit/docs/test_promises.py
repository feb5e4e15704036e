"""Every promise of the README has a row that names tests or benchmarks, and these exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import DOCS, ROOT


def plain(text: str) -> str:
    """A promise in one line, without the punctuation at its end."""
    return " ".join(text.split()).rstrip(".,:")


def promised() -> list[str]:
    """The promises of the README: what is bold in its section."""
    section = (ROOT / "README.md").read_text("utf-8").partition("\n## Promises\n")[2].partition("\n## ")[0]
    return [plain(found) for found in re.findall(r"^- \*\*(.+?)\*\*", section, re.MULTILINE | re.DOTALL)]


def rows() -> dict[str, tuple[str, str]]:
    """Promise → what would fail without it, and what it needs."""
    text = (DOCS / "reference" / "promises.md").read_text("utf-8")
    cells = re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return {plain(name): (fails, needs) for name, fails, needs in cells}


@cache
def names_in(path: Path) -> frozenset[str]:
    """The names of the functions in a file."""
    tree = ast.parse(path.read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_every_promise_of_the_readme_has_a_row_and_the_other_way_round() -> None:
    assert len(promised()) >= 15
    assert promised() == list(rows())


@pytest.mark.parametrize("promise", rows())
def test_what_would_fail_without_it_exists(promise: str) -> None:
    named = re.findall(r"`([^`]+)`", rows()[promise][0])
    assert any("::" in one for one in named), "a benchmark alone fails nothing"
    for one in named:
        if module := re.fullmatch(r"python -m (benchmarks\.\w+)", one):
            assert (ROOT / f"{module[1].replace('.', '/')}.py").exists(), one
        else:
            path, _, name = one.partition("::")
            assert name in names_in(ROOT / path), one
