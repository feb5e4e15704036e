"""Code and documentation are in plain English: no banned phrase, no replaced word, no docstring that begins with "What"."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.support.paths import ROOT

WORDS = runpy.run_path(str(ROOT / "scripts" / "words.py"))
PATHS = sorted({file.relative_to(ROOT).parts[0] for file in WORDS["files"]([])})


@pytest.mark.parametrize("path", PATHS)
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
