"""Words that are figures, dates, money, causes or directions, which a report's prose must not contain by itself. Pure.

The lists are in ``words.yaml``. All languages are checked whatever the report's language is, except words that are harmless in
it. Accents and hyphens do not hide a word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

import pycountry
import yaml

Kind = Literal["number_word", "date", "currency", "figure"]

#: Message to the model about a word of each kind.
ADVICE = {
    "number_word": "a number in words; write a reference, or leave the number out",
    "date": "a date or a duration; write a reference, or leave it out",
    "currency": "a currency; a reference includes its currency",
    "figure": "this looks like a figure; write a reference",
}

#: Single letters one after the other: "t w o".
SPELT = re.compile(r"(?<!\w)(?:[^\W\d_][ .-]){2,}[^\W\d_](?!\w)")
#: Common abbreviations with dots in them, and common words with a number in them.
USUAL = re.compile(
    r"\b(?:e\.g|i\.e|z\.B|d\.h|u\.a|p\.ex|c\.-à-d|double-check(?:s|ed|ing)?|third-part(?:y|ies))\b", re.IGNORECASE
)

_ROMAN = re.compile(r"(?=[IVXLCDM]{2,})M{0,4}(?:CM|CD|D?C{0,4})(?:XC|XL|L?X{0,4})(?:IX|IV|V?I{0,4})")
#: In lower case only those that are not words: mix and dim are words.
_SMALL_ROMAN = re.compile(r"[ivx]{2,}", re.IGNORECASE)
_LOOKS_LIKE_DIGITS = re.compile(r"[lIO]{2,}")
_ALONE = frozenset("aAiàÀyYôÔ")
_SPLIT = re.compile(r"['\N{RIGHT SINGLE QUOTATION MARK}-]")


@cache
def _causes(language: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(lists()['causes'][language])})\b", re.IGNORECASE)


@cache
def lists() -> dict[str, Any]:
    """Return the lists of ``words.yaml``."""
    found: dict[str, Any] = yaml.safe_load(files("reporter").joinpath("words.yaml").read_text("utf-8"))
    return found


@lru_cache(maxsize=4_096)
def fold(word: str) -> str:
    """Return a word in lower case without accents; ``ß`` becomes ``ss``."""
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))


@cache
def _words(what: str) -> frozenset[str]:
    """Return all words of a kind in every language."""
    return frozenset(fold(word) for words in lists()[what].values() for word in words.split())


@cache
def _harmless(language: str) -> frozenset[str]:
    return frozenset(fold(word) for word in lists()["harmless"].get(language, "").split())


@cache
def _roots(language: str) -> str:
    return "|".join(sorted({fold(root) for root in lists()["roots"][language].split()}, key=len, reverse=True))


@cache
def _shapes(what: Kind) -> re.Pattern[str]:
    """Return a pattern of words that no list can enumerate: sevenhundred, einundzwanzig, quatrevingt, Monatsende."""
    given = lists()
    found = [re.sub(r"\{(en|de|fr)\}", lambda language: _roots(language[1]), shape) for shape in given["shapes"][what]]
    if what == "number_word":
        for language, words in given["ends"].items():
            roots = _roots(language)
            ends = "|".join(sorted({fold(end) for end in words.split()}, key=len, reverse=True))
            found.append(rf"(?:{roots})(?:(?:und|and|et)?(?:{roots}))*(?:{ends})?")
    return re.compile("|".join(found))


@cache
def _currency_codes() -> frozenset[str]:
    return frozenset(one.alpha_3 for one in pycountry.currencies)


@lru_cache(maxsize=4_096)
def kind(token: str, language: str) -> Kind | None:
    """Return the kind of a word (letters, with hyphens or apostrophes inside); None if it is allowed."""
    parts = [part for part in _SPLIT.split(token) if part]
    for part in [*parts, *(["".join(parts)] if len(parts) > 1 else [])]:
        found = _kind(part, language)
        if found is not None:
            return found
    if len(parts) == 1 and len(token) == 1 and token not in (_ALONE | {"I"} if language == "en" else _ALONE):
        return "figure"
    return None


_LISTED: tuple[tuple[str, Kind], ...] = (("numbers", "number_word"), ("dates", "date"), ("currencies", "currency"))


def _kind(word: str, language: str) -> Kind | None:
    folded = fold(word)
    if folded in _harmless(language):
        return None
    for section, found in _LISTED:
        if folded in _words(section) or _shapes(found).fullmatch(folded):
            return found
    if word[:1].isupper() and folded in _words("capital_dates"):
        return "date"
    if word in _currency_codes():
        return "currency"
    if (
        _ROMAN.fullmatch(word)
        or _SMALL_ROMAN.fullmatch(word)
        or (_LOOKS_LIKE_DIGITS.fullmatch(word) and word not in {"Il", "ll"})
    ):
        return "figure"
    return None


def cause(text: str, language: str) -> str | None:
    """Return the first wording that states a cause."""
    found = _causes(language).search(text)
    return found[0] if found else None


Direction = Literal["up", "down", "better", "worse"]
DIRECTIONS: tuple[Direction, ...] = ("up", "down", "better", "worse")
#: Directly before a reference (the NUL) these are directions; elsewhere they may be part of a verb, such as "to follow up".
_BESIDE: dict[Direction, re.Pattern[str]] = {
    "up": re.compile(r"\b(?:up|rise|increase|jump|gain|surge)(?: by| from| of)?[ (]+\x00", re.IGNORECASE),
    "down": re.compile(r"\b(?:down|drop|decline|decrease|fall|dip|slump|loss)(?: by| from| of)?[ (]+\x00", re.IGNORECASE),
}


def directions(text: str) -> set[Direction]:
    """Return the directions that the text states; none if it contains a negation."""
    tokens = {fold(token) for token in re.findall(r"[^\W\d_]+", text)}
    if tokens & _negations():
        return set()
    beside: set[Direction] = {which for which, pattern in _BESIDE.items() if pattern.search(text)}
    return beside | {which for which in DIRECTIONS if tokens & _direction(which)}


@cache
def _negations() -> frozenset[str]:
    return frozenset(fold(word) for word in lists()["negations"].split())


@cache
def _direction(which: Direction) -> frozenset[str]:
    return frozenset(fold(word) for word in lists()["directions"][which].split())
