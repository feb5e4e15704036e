"""The glossary defines each term once, and a word that has been replaced is not a term."""

from __future__ import annotations

import re
from collections import Counter

import yaml

from tests.support.paths import DOCS, ROOT

GLOSSARY = (DOCS / "reference" / "glossary.md").read_text("utf-8")
TERMS, _, REPLACED = GLOSSARY.partition("\n## Replaced words\n")


def first_cells(text: str) -> list[str]:
    cells = re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
    return [cell for cell in cells if cell not in {"term", "earlier word"}]


def test_every_term_is_defined_once() -> None:
    counts = Counter(term.lower() for term in first_cells(TERMS))
    assert len(counts) > 50
    assert [term for term, count in counts.items() if count > 1] == []


def test_every_definition_says_something() -> None:
    for term, meaning in re.findall(r"^\| (.+?) \| (.+) \|$", TERMS, re.MULTILINE):
        assert term == "term" or len(meaning) > 5, term


def test_every_replaced_word_of_the_style_is_in_the_glossary() -> None:
    swaps = yaml.safe_load((ROOT / "styles" / "Headrace" / "Words.yml").read_text("utf-8"))["swap"]
    for expression in swaps:
        word = re.sub(r"\(\?<!.*?\)|\?", "", expression).removesuffix("s")
        assert word in REPLACED.lower(), word


def test_no_term_is_a_replaced_word() -> None:
    replaced = {word for cell in first_cells(REPLACED) for word in re.findall(r"\w+", cell.lower())} - {"batch", "note"}
    assert replaced & {term.lower() for term in first_cells(TERMS)} == set()
