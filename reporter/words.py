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
#: Usual abbreviations with dots in them, and usual words with a number in them.
USUAL = re.compile(
    r"\b(?:e\.g|i\.e|z\.B|d\.h|u\.a|p\.ex|c\.-à-d|double-check(?:s|ed|ing)?|third-part(?:y|ies))\b", re.IGNORECASE
)

_ROMAN = re.compile(r"(?=[IVXLCDM]{2,})M{0,4}(?:CM|CD|D?C{0,4})(?:XC|XL|L?X{0,4})(?:IX|IV|V?I{0,4})")
#: In small letters only those that are no word: mix and dim are.
_SMALL_ROMAN = re.compile(r"[ivx]{2,}", re.IGNORECASE)
_LOOKS_LIKE_DIGITS = re.compile(r"[lIO]{2,}")
_ALONE = frozenset("aAiàÀyYôÔ")
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
def _words(what: str) -> frozenset[str]:
    """All words of a kind in every language."""
    return frozenset(fold(word) for words in _lists()[what].values() for word in words.split())


@cache
def _harmless(language: str) -> frozenset[str]:
    return frozenset(fold(word) for word in _lists()["harmless"].get(language, "").split())


@cache
def _roots(language: str) -> str:
    return "|".join(sorted({fold(root) for root in _lists()["roots"][language].split()}, key=len, reverse=True))


@cache
def _shapes(what: Kind) -> re.Pattern[str]:
    """Words that no list could hold: sevenhundred, einundzwanzig, quatrevingt, Verdreifachung, Monatsende, Eurobeträge."""
    lists = _lists()
    found = [re.sub(r"\{(en|de|fr)\}", lambda language: _roots(language[1]), shape) for shape in lists["shapes"][what]]
    if what == "number_word":
        for language, words in lists["ends"].items():
            roots = _roots(language)
            ends = "|".join(sorted({fold(end) for end in words.split()}, key=len, reverse=True))
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
    """The first wording that states a cause; None where there is none."""
    found = _causes(language).search(text)
    return found[0] if found else None


Direction = Literal["up", "down", "better", "worse"]
DIRECTIONS: tuple[Direction, ...] = ("up", "down", "better", "worse")
#: Straight before a reference (the mark) these say where it went; elsewhere they are verbs, or parts of them: to follow up.
_BESIDE: dict[Direction, re.Pattern[str]] = {
    "up": re.compile(r"\b(?:up|rise|increase|jump|gain|surge)(?: by| from| of)?[ (]+\x00", re.IGNORECASE),
    "down": re.compile(r"\b(?:down|drop|decline|decrease|fall|dip|slump|loss)(?: by| from| of)?[ (]+\x00", re.IGNORECASE),
}


def directions(text: str) -> set[Direction]:
    """Where the text says that something went; nothing where it is negated."""
    tokens = {fold(token) for token in re.findall(r"[^\W\d_]+", text)}
    if tokens & _negations():
        return set()
    beside: set[Direction] = {which for which, pattern in _BESIDE.items() if pattern.search(text)}
    return beside | {which for which in DIRECTIONS if tokens & _direction(which)}


@cache
def _negations() -> frozenset[str]:
    return frozenset(fold(word) for word in _lists()["negations"].split())


@cache
def _direction(which: Direction) -> frozenset[str]:
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


@cache
def _places() -> tuple[frozenset[str], re.Pattern[str]]:
    """Places and peoples that count with a capital, folded, and what matches those that count without one."""
    lists = _lists()["places"]
    languages = {one.name for one in pycountry.languages if hasattr(one, "alpha_2") and len(one.name) > 3}
    capital = frozenset(fold(name) for name in {*lists["capital"].split(), *languages})
    return capital, re.compile("".join(lists["any"].split()))


@lru_cache(maxsize=4_096)
def _is_place(word: str) -> bool:
    capital, anyhow = _places()
    # Us and Eu are words, US and EU are places.
    written = word[0].isupper() and (len(word) > 3 or word.isupper())
    return (written and fold(word) in capital) or anyhow.fullmatch(fold(word)) is not None


def places_in(text: str, language: str) -> list[str]:
    """Names of countries, in English or the report's language, of other places, and of their people."""
    pattern, beginnings = _countries(language)
    words = re.findall(r"[^\W\d_]+", text)
    found = pattern.findall(text) if beginnings.intersection(words) else []
    hyphened = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)+", text)
    return found + [word for word in (*words, *hyphened) if _is_place(word)]


def proper_names(text: str, language: str) -> Iterator[str]:
    """Words with a capital inside a sentence, or inside the word, that are no usual abbreviation.

    In German every noun has a capital, so there only those inside a word count: ``ACME``, ``unitPrice``.
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
