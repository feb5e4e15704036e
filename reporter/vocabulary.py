"""The closed vocabulary of a model's own words, per language. Pure.

A word passes if ``vocabulary.yaml`` lists it, or if simplemma's dictionary knows it as another form of a listed word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import simplemma
import yaml

#: Endings of comparatives and superlatives, which the dictionary knows as forms of their adjectives.
_COMPARED = {"en": re.compile(r"(?:er|est|eth)$"), "de": re.compile(r"(?:ere[mnrs]?|ste[mnrs]?)$"), "fr": re.compile(r"issime")}
#: Maximum length of a word. The longest of the lists is shorter.
LONGEST_WORD = 32
_PARTS = re.compile(r"['-]")


@cache
def _lists() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(files("reporter").joinpath("vocabulary.yaml").read_text("utf-8"))
    return found


@cache
def _listed(language: str, kind: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _lists()[language][kind].split())


@cache
def _grammar(language: str, kind: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _lists()["grammar"][language][kind].split())


@cache
def _never(language: str) -> frozenset[str]:
    return frozenset(_lists()["never"][language].split())


@cache
def _lemmas(language: str, kind: str) -> frozenset[str]:
    return frozenset(one for word in _lists()[language][kind].split() for one in _lemmas_of(word, language))


def _lemmas_of(word: str, language: str) -> Iterator[str]:
    """Yield the lemmas that the dictionary has for a word; a word that it does not know has none."""
    for form in {word, word.casefold()}:
        if simplemma.is_known(form, lang=language):
            lemma = simplemma.lemmatize(form, lang=language).casefold()
            if lemma not in _grammar(language, "other_verbs"):
                yield lemma


@lru_cache(maxsize=8_192)
def is_of(word: str, kind: str, language: str) -> bool:
    """True if a word is listed as ``words``, ``possibility`` or ``advice``, or is a form of a listed one."""
    if not word or len(word) > LONGEST_WORD or word in _never(language):
        return False
    if word.casefold() in _listed(language, kind):
        return True
    if word.casefold() in _never(language) or _COMPARED[language].search(word.casefold()):
        return False
    return any(one in _lemmas(language, kind) for one in _lemmas_of(word, language))


def is_grammar(word: str, kind: str, language: str) -> bool:
    """True if the grammar lists this form: ``finite``, ``verbs``, ``articles``, ``conjunctions``, ``dependent``, ``acts``."""
    return word.casefold() in _grammar(language, kind)


def unknown(word: str, language: str) -> bool:
    """True if a word, or a part of it between hyphens and apostrophes, is not of the vocabulary.

    With a hyphen even listed words make new ones ("under-reported"), but for the pronouns of French.
    """
    if any(unicodedata.category(one) not in {"Ll", "Lu"} for one in word if one not in "'-"):
        # Letters that look like an apostrophe, or like small print.
        return True
    if word.casefold() in _listed(language, "possibility"):
        return word in _never(language)
    head, *others = word.split("-")
    if not all(is_grammar(one, "after_hyphen", language) for one in others):
        return True
    word = "'".join([head, *others])
    return not all(is_of(part, "words", language) or is_of(part, "advice", language) for part in _PARTS.split(word))


def opens(word: str, language: str) -> bool:
    """True if a word puts steps in order: they are in order already."""
    return word.casefold() in _listed(language, "openings")


def words_of(language: str) -> list[str]:
    """Return the listed words as a model reads them."""
    return sorted({word for kind in ("words", "possibility", "advice") for word in _lists()[language][kind].split()})
