"""Code and documentation are in plain English: no banned phrase, no replaced word, no docstring that begins with "What"."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").exists())
WORDS = runpy.run_path(str(ROOT / "scripts" / "words.py"))


def top() -> list[str]:
    """The folders and files at the top that Git knows."""
    listed = subprocess.run(["git", "ls-tree", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listed.stdout.split()


@pytest.mark.parametrize("path", top())
def test_the_words_are_plain_english(path: str) -> None:
    found = [str(offence) for file in WORDS["files"]([path]) for offence in WORDS["offences"](file)]
    assert found == []


def offences_of(text: str, suffix: str = ".py") -> list[str]:
    """What is found in a file with this text."""
    rules: Any = WORDS["_python"]("x.py", text) if suffix == ".py" else WORDS["_broken"]("x.md", 1, text, docstring=False)
    return [offence.text for offence in rules]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"""What it is."""', ["'What' (Docstrings)"]),
        ('"""Return the offset."""', []),
        ("# a key of which nothing is\n# told\n", ["'of which' (Phrases)", "'told' (Words)"]),
        ('raise ValueError("X is no setting")', ["'is no' (Phrases)"]),
        ('raise ValueError("there is no setting X")', []),
        ("def place() -> None: ...", ["'place' (Names)"]),
        ("replaced = displacement = 1", []),
        ('print("`told` and ``held`` are code")', []),
    ],
)
def test_docstrings_comments_messages_and_names_are_read(text: str, found: list[str]) -> None:
    assert offences_of(text) == found


def test_a_phrase_is_found_across_a_line_break() -> None:
    assert offences_of("a list of\nwhich\none is to be\nhad", ".md") == ["'of which' (Phrases)", "'to be had' (Phrases)"]
