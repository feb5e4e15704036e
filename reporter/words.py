"""Words that are figures, dates, money, names, causes or directions: what a report's prose may not say by itself.

The lists are in ``words.yaml``. English, German and French are looked for whatever the report's language is; a word that
means something harmless in one of them is excepted there. Accents and hyphens do not hide a word.
"""

from __future__ import annotations

import gettext
import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

import pycountry
import yaml

Kind = Literal["number_word", "date", "currency", "figure"]

#: What a model is told about a word of each kind.
ADVICE = {
    "number_word": "a number in words; write a reference, or say it without a number",
    "date": "a date or a span of time; write a reference, or say it without one",
    "currency": "a currency; a reference brings its currency with it",
    "figure": "this reads as a figure; write a reference",
}

#: Letters that stand alone, one after the other: "t w o".
SPELT = re.compile(r"(?<!\w)(?:[^\W\d_][ .-]){2,}[^\W\d_](?!\w)")
#: Usual abbreviations with dots in them.
ABBREVIATIONS = re.compile(r"\b(?:e\.g|i\.e|z\.B|d\.h|u\.a|p\.ex|c\.-à-d)\b", re.IGNORECASE)

_ROMAN = re.compile(r"(?=[IVXLCDM]{2,})M{0,4}(?:CM|CD|D?C{0,4})(?:XC|XL|L?X{0,4})(?:IX|IV|V?I{0,4})")
_LOOKS_LIKE_DIGITS = re.compile(r"[lIO]{2,}")
_ALONE = frozenset("aAiIàÀyYôÔ")
_SPLIT = re.compile(r"['\N{RIGHT SINGLE QUOTATION MARK}-]")


@cache
def _causes(language: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(_lists()['causes'][language])})\b", re.IGNORECASE)


@cache
def _capitals() -> frozenset[str]:
    return frozenset(_lists()["capitals"].split())


@cache
def _lists() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(files("reporter").joinpath("words.yaml").read_text("utf-8"))
    return found


@lru_cache(maxsize=4_096)
def fold(word: str) -> str:
    """Lower case without accents; ``ß`` is ``ss``."""
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character))


@cache
def _words(what: str, language: str) -> frozenset[str]:
    """All words of a kind in every language, but for those that are harmless in ``language``."""
    section = _lists()[what]
    every = {fold(word) for words in section.values() for word in words.split()}
    return frozenset(every - {fold(word) for word in _lists()["harmless"].get(language, "").split()})


@cache
def _composed() -> re.Pattern[str]:
    """Numbers written as one word: sevenhundred, einundzwanzig, zweiundvierzigste, quatrevingt, tenfold."""
    found = []
    for language, words in _lists()["roots"].items():
        roots = "|".join(sorted({fold(root) for root in words.split()}, key=len, reverse=True))
        ends = "|".join(sorted({fold(end) for end in _lists()["ends"][language].split()}, key=len, reverse=True))
        found.append(rf"(?:{roots})(?:(?:und|and|et)?(?:{roots}))*(?:{ends})?")
    return re.compile("|".join(found))


@cache
def _currency_codes() -> frozenset[str]:
    return frozenset(one.alpha_3 for one in pycountry.currencies)


@lru_cache(maxsize=4_096)
def kind(token: str, language: str) -> Kind | None:
    """What is wrong with a word (letters, with hyphens or apostrophes inside), if anything."""
    parts = [part for part in _SPLIT.split(token) if part]
    for part in [*parts, *(["".join(parts)] if len(parts) > 1 else [])]:
        found = _kind(part, language)
        if found is not None:
            return found
    if len(parts) == 1 and len(token) == 1 and token not in _ALONE:
        return "figure"
    return None


def _kind(word: str, language: str) -> Kind | None:
    folded = fold(word)
    harmless = folded in {fold(one) for one in _lists()["harmless"].get(language, "").split()}
    if not harmless and (folded in _words("numbers", language) or _composed().fullmatch(folded)):
        return "number_word"
    if folded in _words("dates", language) or (word[:1].isupper() and folded in _words("capital_dates", language)):
        return "date"
    if folded in _words("currencies", language) or word in _currency_codes():
        return "currency"
    if _ROMAN.fullmatch(word) or (_LOOKS_LIKE_DIGITS.fullmatch(word) and word != "Il"):
        return "figure"
    return None


def cause(text: str, language: str) -> str | None:
    """The first wording that states a cause; None where there is none."""
    found = _causes(language).search(text)
    return found[0] if found else None


def directions(text: str) -> set[str]:
    """``up`` and ``down``, as far as the text says that something rose or fell; nothing where it is negated."""
    tokens = {fold(token) for token in re.findall(r"[^\W\d_]+", text)}
    if tokens & _negations():
        return set()
    return {which for which in ("up", "down") if tokens & _direction(which)}


@cache
def _negations() -> frozenset[str]:
    return frozenset(fold(word) for word in _lists()["negations"].split())


@cache
def _direction(which: str) -> frozenset[str]:
    return frozenset(fold(word) for word in _lists()["directions"][which].split())


@cache
def _countries(language: str) -> tuple[re.Pattern[str], frozenset[str]]:
    """What matches a country's name, and the first words of all names: without one of those there is none."""
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


def countries_in(text: str, language: str) -> list[str]:
    """Country names in the text, in English or the report's language."""
    pattern, beginnings = _countries(language)
    return pattern.findall(text) if beginnings.intersection(re.findall(r"[^\W\d_]+", text)) else []


def proper_names(text: str) -> Iterator[str]:
    """Words with a capital inside a sentence that are no usual abbreviation."""
    allowed = _capitals()
    for found in re.finditer(r"[^\W\d_]+", text):
        if found[0].islower() or found[0] in allowed:
            continue
        before = text[: found.start()].rstrip(" (")
        if before and before[-1] not in ".!?:;" or any(character.isupper() for character in found[0][1:]):
            yield found[0]
