"""Proper names in a report's prose: countries and other locations, their people, and words with a capital letter. Pure."""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterator
from functools import cache, lru_cache

import pycountry

from reporter.words import fold, lists


@cache
def _capitals() -> frozenset[str]:
    return frozenset(lists()["capitals"].split())


@cache
def _countries(language: str) -> tuple[re.Pattern[str], frozenset[str]]:
    """Return a pattern of all countries' names, and their first words: a text without one of those names no country."""
    names = {name for one in pycountry.countries for name in (one.name, getattr(one, "common_name", one.name))}
    if language != "en":
        try:
            translated = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=[language])
            names |= {translated.gettext(name) for name in names}
        except OSError:  # a package without translations
            pass
    plain = sorted((name for name in names if "," not in name and "(" not in name), key=len, reverse=True)
    beginnings = frozenset(found[0] for name in plain if (found := re.search(r"[^\W\d_]+", name)))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, plain))})(?!\w)"), beginnings


@cache
def _locations() -> tuple[frozenset[str], re.Pattern[str]]:
    """Return the locations and peoples that need a capital letter, folded, and a pattern of those that do not."""
    locations = lists()["locations"]
    languages = {one.name for one in pycountry.languages if hasattr(one, "alpha_2") and len(one.name) > 3}
    capital = frozenset(fold(name) for name in {*locations["capital"].split(), *languages})
    return capital, re.compile("".join(locations["any"].split()))


@lru_cache(maxsize=4_096)
def _is_location(word: str) -> bool:
    with_capital, any_case = _locations()
    # Us and Eu are words, US and EU are locations.
    capital = word[0].isupper() and (len(word) > 3 or word.isupper())
    return (capital and fold(word) in with_capital) or any_case.fullmatch(fold(word)) is not None


def locations_in(text: str, language: str) -> list[str]:
    """Return names of countries, in English or the report's language, of other locations, and of their people."""
    pattern, beginnings = _countries(language)
    words = re.findall(r"[^\W\d_]+", text)
    found = pattern.findall(text) if beginnings.intersection(words) else []
    hyphenated = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)+", text)
    return found + [word for word in (*words, *hyphenated) if _is_location(word)]


def capitalised(text: str, language: str) -> Iterator[str]:
    """Yield words with a capital letter inside a sentence or inside the word, except common abbreviations.

    In German every noun has a capital letter, so only those inside a word count: ``ACME``, ``unitPrice``.
    """
    allowed = _capitals()
    for found in re.finditer(r"[^\W\d_]+", text):
        word = found[0]
        if word in allowed:
            continue
        if any(character.isupper() for character in word[1:]):
            yield word
        elif word[0].isupper() and language != "de":
            before = text[: found.start()].rstrip(" (")
            if before and before[-1] not in ".!?:;":
                yield word
