"""What a model wrote is let through only if every figure and name in it is a reference to a fact. Pure and total."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from reporter import words
from reporter.draft import REFERENCE, Draft
from reporter.facts import Facts
from reporter.texts import Texts

#: Longest reply that is looked at, in characters.
LONGEST_REPLY = 60_000
#: Characters of a headline and of any other text.
LONGEST_HEADLINE, LONGEST_ITEM = 300, 700
#: Fewest and most items of a section.
SIZES = {"summary": (1, 5), "anomalies": (0, 8), "hypotheses": (0, 5), "impact": (1, 5), "recommendations": (1, 6)}
MOST_RESTS = 6
#: Sections that state what is; a cause is a hypothesis.
STATING = frozenset({"headline", "summary", "anomalies", "impact"})

#: What models write where plain characters are meant.
_PLAINER = {0xA0: " ", 0x202F: " ", 0x2009: " ", 0x2010: "-", 0x2011: "-", 0x2026: "...", 0x0A: " ", 0x0D: " ", 0x09: " "}
_MARKS = " .,;:!?'()/&\N{EN DASH}\N{EM DASH}\N{RIGHT SINGLE QUOTATION MARK}-"
_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿŒœ]+(?:['\N{RIGHT SINGLE QUOTATION MARK}-][A-Za-zÀ-ÖØ-öø-ÿŒœ]+)*")
_LETTERS = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿŒœ]+")
#: Words with a mark and no space between them, which the eye puts together.
_GLUED = re.compile(rf"{_LETTERS.pattern}(?:[/(),;:!?&]+{_LETTERS.pattern})+")
_INSIDE = "\x00"
#: What is no letter, no mark and no reference.
_ODD = re.compile(rf"[^A-Za-zÀ-ÖØ-öø-ÿŒœ{_INSIDE}{_MARKS}]")
_OBJECT = re.compile(rf'\{{\s*"(?:{"|".join(Draft.model_fields)})"\s*:')
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")


@dataclass(frozen=True, slots=True)
class Problem:
    """``where``: ``summary 2``; ``code``: one of the kinds that are counted; ``detail`` is told to the model only."""

    where: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """``draft`` is None where the reply is refused.

    ``mentions``: figures and names in the reply, as references or not; ``grounded``: those that are references to facts.
    """

    draft: Draft | None
    problems: tuple[Problem, ...]
    mentions: int
    grounded: int

    @property
    def passed(self) -> bool:
        return self.draft is not None

    @property
    def grounding(self) -> float | None:
        """The share of the mentions that refer to a fact; None where nothing was mentioned."""
        return self.grounded / self.mentions if self.mentions else None


#: Problems that are a figure or a name outside a reference, or a reference to nothing.
_UNGROUNDED = frozenset({"figure", "number_word", "date", "currency", "name", "unknown_fact"})


def check(reply: str, facts: Facts, texts: Texts) -> Verdict:
    """Read a reply and judge it against the facts. Never raises."""
    draft, problem = _read(reply)
    if draft is None:
        return Verdict(None, (problem,) if problem else (), 0, 0)
    draft = _tidied(draft)
    problems = [*_shape(draft), *_rests(draft, facts)]
    grounded = 0
    for where, section, text in _texts(draft):
        found = list(_text_problems(where, section, text, facts, texts))
        problems += found
        grounded += sum(one in facts.all for one in REFERENCE.findall(text))
    mentions = grounded + sum(problem.code in _UNGROUNDED for problem in problems)
    return Verdict(None if problems else draft, tuple(problems), mentions, grounded)


def _read(reply: str) -> tuple[Draft | None, Problem | None]:
    if len(reply) > LONGEST_REPLY:
        return None, Problem("reply", "length", f"the reply is longer than {LONGEST_REPLY} characters")
    # Where an endpoint has no structured output, a model may think aloud, in braces too, or fence its JSON.
    begins = _OBJECT.search(reply)
    try:
        found, _ = json.JSONDecoder().raw_decode(reply, begins.start() if begins else reply.find("{"))
        return Draft.model_validate(found, strict=True), None
    except ValidationError as error:
        told = [
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False, include_context=False)[:8]
        ]
        return None, Problem("reply", "schema", "; ".join(told))
    except (ValueError, RecursionError):
        return None, Problem("reply", "schema", "the reply is not one JSON object")


def _tidied(draft: Draft) -> Draft:
    return Draft(
        headline=tidy(draft.headline),
        summary=[tidy(text) for text in draft.summary],
        anomalies=[tidy(text) for text in draft.anomalies],
        hypotheses=[one.model_copy(update={"text": tidy(one.text)}) for one in draft.hypotheses],
        impact=[tidy(text) for text in draft.impact],
        recommendations=[tidy(text) for text in draft.recommendations],
    )


def tidy(text: str) -> str:
    """Plain spaces and hyphens, one line, composed characters, references without spaces inside."""
    plain = unicodedata.normalize("NFC", text).translate(_PLAINER)
    plain = REFERENCE.sub(lambda found: "{{" + found[1].strip() + "}}", plain)
    return " ".join(plain.split()).lstrip("-\N{EN DASH}\N{EM DASH} ")


def _texts(draft: Draft) -> Iterator[tuple[str, str, str]]:
    yield "headline", "headline", draft.headline
    for section in SIZES:
        for number, item in enumerate(getattr(draft, section), 1):
            yield f"{section} {number}", section, item if isinstance(item, str) else item.text


def _shape(draft: Draft) -> Iterator[Problem]:
    for section, (fewest, most) in SIZES.items():
        number = len(getattr(draft, section))
        if not fewest <= number <= most:
            yield Problem(section, "length", f"write {fewest} to {most} items, not {number}")
    for where, section, text in _texts(draft):
        longest = LONGEST_HEADLINE if section == "headline" else LONGEST_ITEM
        if not text:
            yield Problem(where, "length", "the text is empty")
        elif len(text) > longest:
            yield Problem(where, "length", f"write at most {longest} characters")
        if section == "anomalies" and not REFERENCE.search(text):
            yield Problem(where, "unsupported", "an anomaly refers to at least one of its facts")
    if not any(REFERENCE.search(text) for text in draft.summary):
        yield Problem("summary", "unsupported", "the summary refers to at least one fact")


def _rests(draft: Draft, facts: Facts) -> Iterator[Problem]:
    for number, one in enumerate(draft.hypotheses, 1):
        where = f"hypotheses {number}"
        if not 1 <= len(one.rests_on) <= MOST_RESTS:
            yield Problem(where, "unsupported", f"rests_on names one to {MOST_RESTS} facts")
        for fact_id in one.rests_on:
            if fact_id not in facts.all:
                yield Problem(where, "unknown_fact", f"rests_on: there is no fact {_quoted(fact_id)}")


def _text_problems(where: str, section: str, text: str, facts: Facts, texts: Texts) -> Iterator[Problem]:
    for fact_id in REFERENCE.findall(text):
        if fact_id not in facts.all:
            yield Problem(where, "unknown_fact", f"there is no fact {_quoted(fact_id)}")
    held = REFERENCE.sub(_INSIDE, text)
    yield from (Problem(where, code, detail) for code, detail in _characters(held))
    yield from (Problem(where, code, detail) for code, detail in _placement(held))
    yield from (Problem(where, code, detail) for code, detail in _words(held, texts.language))
    yield from (Problem(where, code, detail) for code, detail in _names(held, facts, texts.language))
    if section in STATING and (cause := words.cause(held, texts.language)):
        yield Problem(where, "hypothesis", f"{_quoted(cause)} states a cause; causes belong into hypotheses")
    for sentence in _SENTENCE.split(text):
        if problem := _direction(sentence, facts):
            yield Problem(where, "direction", problem)


def _characters(held: str) -> Iterator[tuple[str, str]]:
    for character in dict.fromkeys(_ODD.findall(held)):
        name = unicodedata.name(character, f"U+{ord(character):04X}")
        if unicodedata.category(character) in {"Nd", "Nl", "No"} or unicodedata.numeric(character, None) is not None:
            yield "figure", f"the digit {name}: write a reference instead"
        elif unicodedata.category(character) == "Sc":
            yield "currency", f"the sign {name}: a reference brings its currency with it"
        elif character in "%\N{PER MILLE SIGN}":
            yield "figure", f"{name}: a reference brings its unit with it"
        else:
            yield "character", f"{name} is not allowed; write plain text without markup, quotation marks or braces"
    if "//" in held or re.search(r"\bwww\b|\bhttps?\b|\bmailto\b", held, re.IGNORECASE):
        yield "link", "links are not allowed"


#: Straight before a reference stands nothing, a space or a bracket; straight after it a space or an ending.
_BEFORE = re.compile(r"(?:^|[ (])\x00")
_AFTER = re.compile(r"\x00(?=$|[ ),;:!?]|\.(?:$|[ )]))")
_MINUS = re.compile(
    r"(?:[-\N{EN DASH}\N{EM DASH}]\s*|\b(?:moins|negative|negativ|négatif|plus)\s+|\bminus\b[^\x00]{0,25})\x00", re.IGNORECASE
)
#: Words that make one figure of two.
_JOINING = re.compile(r"\x00 (?:points?|dot|comma|komma|virgule|times|mal|fois) \x00", re.IGNORECASE)
_TOGETHER = re.compile(r"\x00[^A-Za-zÀ-ÖØ-öø-ÿŒœ\x00]*(?=\x00)")


def _placement(held: str) -> Iterator[tuple[str, str]]:
    """A rendering must not grow into another figure together with what stands beside it."""
    count = held.count(_INSIDE)
    if len(_BEFORE.findall(held)) != count or len(_AFTER.findall(held)) != count:
        yield "placement", "put a space before a reference, and a space or a punctuation mark after it"
    if _MINUS.search(held):
        yield "placement", "a reference brings its sign with it: no dash, plus or minus before it"
    # A bracket or a mark keeps two references apart, as in "94.8 % (+2.1 points)"; a space or a stop does not.
    if _JOINING.search(held) or any(not set(found[0]) & set("(:;,") for found in _TOGETHER.finditer(held)):
        yield "placement", "put words, a bracket, a comma or a colon between two references"


def _words(held: str, language: str) -> Iterator[tuple[str, str]]:
    for token in _WORD.findall(words.USUAL.sub(" ", held)):
        kind = words.kind(token, language)
        if kind is not None:
            yield kind, f"{_quoted(token)}: {words.ADVICE[kind]}"
    for glued in _GLUED.findall(held):  # "sev/en", "thir(teen)"
        kind = words.kind("".join(_LETTERS.findall(glued)), language)
        if kind is not None:
            yield kind, f"{_quoted(glued)}: {words.ADVICE[kind]}"
    if words.SPELT.search(held):
        yield "number_word", "letters one by one: write whole words"


_DOTTED = re.compile(r"[A-Za-zÀ-ÿ]\.(?=[A-Za-zÀ-ÿ])")


def _names(held: str, facts: Facts, language: str) -> Iterator[tuple[str, str]]:
    if _DOTTED.search(words.USUAL.sub(" ", held)):
        yield "name", "a name with a dot in it: name rules and fields by a reference"
    for place in words.places_in(held, language):
        yield "name", f"{_quoted(place)}: name segments by a reference"
    folded = held.casefold()
    for fact in (facts.all[f"{prefix}.name"] for prefix in facts.segments):
        called = str(fact.value).partition(" ")[2].casefold()
        if not fact.hidden and len(called) > 2 and re.search(rf"(?<!\w){re.escape(called)}(?!\w)", folded):
            yield "name", f"name the segment by {{{{{fact.id}}}}}"
    for token in words.proper_names(held, language):
        yield "name", f"{_quoted(token)}: no names but by reference"


#: What a sentence may say of its changes: how that is told, the sign it takes, and whether that is of what is better.
_WENT: dict[words.Direction, tuple[str, int, bool]] = {
    "up": ("something rose", 1, False),
    "down": ("something fell", -1, False),
    "better": ("something got better", 1, True),
    "worse": ("something got worse", -1, True),
}
_GOOD = {"higher": 1, "lower": -1}
#: Ids of differences that have a sign.
_MOVES = (".change", ".deviation")


def _direction(sentence: str, facts: Facts) -> str | None:
    """A sentence that says only up (or only down, better, worse) must hold a change that went there, if it holds any."""
    moved = [facts.all[one] for one in REFERENCE.findall(sentence) if one.endswith(_MOVES) and one in facts.all]
    said = words.directions(REFERENCE.sub(_INSIDE, sentence))
    for pair in ({"up", "down"}, {"better", "worse"}):
        if len(said & pair) != 1:
            continue
        told, sign, judged = _WENT[next(iter(said & pair))]
        went = [
            sign * float(fact.value) * (_GOOD[fact.better] if judged else 1)
            for fact in moved
            if not isinstance(fact.value, str) and (fact.better or not judged)
        ]
        if went and max(went) <= 0:
            return f"it says that {told}, and none of its changes did"
    return None


def _quoted(text: str) -> str:
    """Part of a reply as it may be shown to the model again: short, printable, ASCII."""
    return json.dumps(text[:60])
