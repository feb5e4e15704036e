"""Every promise of the README has a row that names tests or benchmarks, and these exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from stream_app.counts.fields import DISTINCT_EXACT
from stream_app.judge.baseline import LEARN_ALL_UP_TO
from stream_app.store.cardinality import UNION_EXACT, WINDOW_EXACT
from stream_app.store.keys import CLEAN_KEPT, FINDINGS_KEPT
from stream_app.windows.grain import Grain
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


WINDOWS = f"the newest {Grain.MINUTE.kept:,} minutes, {Grain.HOUR.kept:,} hours, {Grain.DAY.kept:,} days"


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (ROOT / "README.md", f"exact up to {WINDOW_EXACT:,} in a window and {UNION_EXACT:,} in a range or ever; beyond that"),
        (ROOT / "README.md", f"{DISTINCT_EXACT:,} in a range or ever"),
        (DOCS / "reference" / "promises.md", f"exact up to {DISTINCT_EXACT:,}, then such an estimate"),
        (DOCS / "reference" / "promises.md", f"from samples after the first {LEARN_ALL_UP_TO:,} values"),
        (DOCS / "explanation" / "memory.md", f"{WINDOWS} |"),
        (DOCS / "explanation" / "memory.md", f"| finding | 300 | the newest {FINDINGS_KEPT:,} |"),
        (DOCS / "explanation" / "memory.md", f"| clean record (sample) | 300 | the newest {CLEAN_KEPT:,} |"),
        (DOCS / "explanation" / "memory.md", f"up to {DISTINCT_EXACT:,} of them"),
    ],
)
def test_limits_are_those_of_the_code(page: Path, words: str) -> None:
    assert words in " ".join(page.read_text("utf-8").split())
