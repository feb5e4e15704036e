"""Checks one text of a model's report: plain characters, and every figure and name as a reference to a fact. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator

from reporter import proper_names, words
from reporter.draft import REFERENCE
from reporter.facts import Facts

#: Sections that state what is; a cause may only be a hypothesis.
STATING = frozenset({"headline", "summary", "anomalies", "impact"})

#: Stands for a reference while the text around it is checked.
_REFERENCE = "\x00"
_ALLOWED = " .,;:!?'()/&\N{EN DASH}\N{EM DASH}\N{RIGHT SINGLE QUOTATION MARK}-"
_LETTER = "A-Za-zÀ-ÖØ-öø-ÿŒœ"
_WORD = re.compile(rf"[{_LETTER}]+(?:['\N{{RIGHT SINGLE QUOTATION MARK}}-][{_LETTER}]+)*")
_LETTERS = re.compile(rf"[{_LETTER}]+")
#: Words with punctuation and no space between them, which a reader joins.
_GLUED = re.compile(rf"{_LETTERS.pattern}(?:[/(),;:!?&]+{_LETTERS.pattern})+")
#: Characters that are not allowed.
_ODD = re.compile(rf"[^{_LETTER}{_REFERENCE}{_ALLOWED}]")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")


def problems(section: str, text: str, facts: Facts, language: str) -> Iterator[tuple[str, str]]:
    """Yield the code and the detail of everything that is wrong with a text of a section."""
    for fact_id in REFERENCE.findall(text):
        if fact_id not in facts.all:
            yield "unknown_fact", f"there is no fact {quoted(fact_id)}"
    around = REFERENCE.sub(_REFERENCE, text)
    yield from _characters(around)
    yield from _placement(around)
    yield from _words(around, language)
    yield from _names(around, facts, language)
    if section in STATING and (cause := words.cause(around, language)):
        yield "hypothesis", f"{quoted(cause)} states a cause; causes belong in hypotheses"
    for sentence in _SENTENCE.split(text):
        if problem := _direction(sentence, facts):
            yield "direction", problem


def _characters(around: str) -> Iterator[tuple[str, str]]:
    for character in dict.fromkeys(_ODD.findall(around)):
        name = unicodedata.name(character, f"U+{ord(character):04X}")
        if unicodedata.category(character) in {"Nd", "Nl", "No"} or unicodedata.numeric(character, None) is not None:
            yield "figure", f"the digit {name}: write a reference instead"
        elif unicodedata.category(character) == "Sc":
            yield "currency", f"the sign {name}: a reference includes its currency"
        elif character in "%\N{PER MILLE SIGN}":
            yield "figure", f"{name}: a reference includes its unit"
        else:
            yield "character", f"{name} is not allowed; write plain text without markup, quotation marks or braces"
    if "//" in around or re.search(r"\bwww\b|\bhttps?\b|\bmailto\b", around, re.IGNORECASE):
        yield "link", "links are not allowed"


#: A reference follows the beginning, a space or a bracket, and precedes the end, a space or punctuation.
_BEFORE = re.compile(r"(?:^|[ (])\x00")
_AFTER = re.compile(r"\x00(?=$|[ ),;:!?]|\.(?:$|[ )]))")
_MINUS = re.compile(
    r"(?:[-\N{EN DASH}\N{EM DASH}]\s*|\b(?:moins|negative|negativ|négatif|plus)\s+|\bminus\b[^\x00]{0,25})\x00", re.IGNORECASE
)
#: Words that join two figures.
_JOINING = re.compile(r"\x00 (?:points?|dot|comma|komma|virgule|times|mal|fois) \x00", re.IGNORECASE)
_TOGETHER = re.compile(r"\x00[^A-Za-zÀ-ÖØ-öø-ÿŒœ\x00]*(?=\x00)")


def _placement(around: str) -> Iterator[tuple[str, str]]:
    """Check that a figure cannot grow into another one with the characters beside it."""
    count = around.count(_REFERENCE)
    if len(_BEFORE.findall(around)) != count or len(_AFTER.findall(around)) != count:
        yield "placement", "put a space before a reference, and a space or punctuation after it"
    if _MINUS.search(around):
        yield "placement", "a reference includes its sign: write no dash, plus or minus before it"
    # A bracket or punctuation separates two references, as in "94.8 % (+2.1 points)"; a space or a full stop does not.
    if _JOINING.search(around) or any(not set(found[0]) & set("(:;,") for found in _TOGETHER.finditer(around)):
        yield "placement", "put words, a bracket, a comma or a colon between two references"


def _words(around: str, language: str) -> Iterator[tuple[str, str]]:
    for token in _WORD.findall(words.USUAL.sub(" ", around)):
        kind = words.kind(token, language)
        if kind is not None:
            yield kind, f"{quoted(token)}: {words.ADVICE[kind]}"
    for glued in _GLUED.findall(around):  # "sev/en", "thir(teen)"
        kind = words.kind("".join(_LETTERS.findall(glued)), language)
        if kind is not None:
            yield kind, f"{quoted(glued)}: {words.ADVICE[kind]}"
    if words.SPELT.search(around):
        yield "number_word", "single letters: write whole words"


_DOTTED = re.compile(r"[A-Za-zÀ-ÿ]\.(?=[A-Za-zÀ-ÿ])")


def _names(around: str, facts: Facts, language: str) -> Iterator[tuple[str, str]]:
    if _DOTTED.search(words.USUAL.sub(" ", around)):
        yield "name", "a name with a dot: write rules and fields as references"
    for name in proper_names.locations_in(around, language):
        yield "name", f"{quoted(name)}: write segments as references"
    folded = around.casefold()
    for fact in (facts.all[f"{prefix}.name"] for prefix in facts.segments):
        segment = str(fact.value).partition(" ")[2].casefold()
        if not fact.hidden and len(segment) > 2 and re.search(rf"(?<!\w){re.escape(segment)}(?!\w)", folded):
            yield "name", f"name the segment by {{{{{fact.id}}}}}"
    for token in proper_names.capitalised(around, language):
        yield "name", f"{quoted(token)}: write names as references"


#: Direction that a sentence states: its description, the sign of a change in it, and whether it depends on what is better.
_DIRECTIONS: dict[words.Direction, tuple[str, int, bool]] = {
    "up": ("something rose", 1, False),
    "down": ("something fell", -1, False),
    "better": ("something got better", 1, True),
    "worse": ("something got worse", -1, True),
}
_GOOD = {"higher": 1, "lower": -1}
#: Ends of the ids of signed differences.
_MOVES = (".change", ".deviation")


def _direction(sentence: str, facts: Facts) -> str | None:
    """Check that a sentence that states a direction refers to a change in that direction, if it refers to any change."""
    moved = [facts.all[one] for one in REFERENCE.findall(sentence) if one.endswith(_MOVES) and one in facts.all]
    said = words.directions(REFERENCE.sub(_REFERENCE, sentence))
    for pair in ({"up", "down"}, {"better", "worse"}):
        if len(said & pair) != 1:
            continue
        claim, sign, judged = _DIRECTIONS[next(iter(said & pair))]
        went = [
            sign * float(fact.value) * (_GOOD[fact.better] if judged else 1)
            for fact in moved
            if not isinstance(fact.value, str) and (fact.better or not judged)
        ]
        if went and max(went) <= 0:
            return f"the sentence says that {claim}, but none of its changes did"
    return None


def quoted(text: str) -> str:
    """Return part of a reply for a message to the model: short, printable, ASCII."""
    return json.dumps(text[:60])
