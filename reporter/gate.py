"""Lets a model's report through only if every figure and name in it is a reference to a fact. Pure and total."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from reporter import prose
from reporter.draft import REFERENCE, Draft
from reporter.facts import Facts
from reporter.texts import Texts

#: Maximum length of a reply, in characters.
LONGEST_REPLY = 60_000
#: Maximum characters of a headline and of any other text.
LONGEST_HEADLINE, LONGEST_ITEM = 300, 700
#: Minimum and maximum number of items in a section, and maximum number of facts under a hypothesis.
SIZES = {"summary": (1, 5), "anomalies": (0, 8), "hypotheses": (0, 5), "impact": (1, 5), "recommendations": (1, 6)}
MOST_FACTS = 6

#: Special characters that models write → the plain ones.
_PLAINER = {0xA0: " ", 0x202F: " ", 0x2009: " ", 0x2010: "-", 0x2011: "-", 0x2026: "...", 0x0A: " ", 0x0D: " ", 0x09: " "}
_OBJECT = re.compile(rf'\{{\s*"(?:{"|".join(Draft.model_fields)})"\s*:')


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a reply.

    Attributes:
        where: the item: ``summary 2``.
        code: a kind of problem, which is counted.
        detail: a message to the model.
    """

    where: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one reply.

    Attributes:
        draft: None if the reply is refused.
        mentions: figures and names in the reply, as references or not; ``grounded``: those that are references to facts.
    """

    draft: Draft | None
    problems: tuple[Problem, ...]
    mentions: int
    grounded: int

    @property
    def passed(self) -> bool:
        """True if the reply may be published."""
        return self.draft is not None

    @property
    def grounding(self) -> float | None:
        """Share of the mentions that are references to facts; None without mentions."""
        return self.grounded / self.mentions if self.mentions else None


#: Codes of figures and names outside references, and of references to missing facts.
_UNGROUNDED = frozenset({"figure", "number_word", "date", "currency", "name", "unknown_fact"})


def check(reply: str, facts: Facts, texts: Texts) -> Verdict:
    """Check a reply against the facts. Never raises."""
    draft, problem = _read(reply)
    if draft is None:
        return Verdict(None, (problem,) if problem else (), 0, 0)
    draft = _tidied(draft)
    problems = [*_shape(draft), *_bases(draft, facts)]
    grounded = 0
    for where, section, text in _texts(draft):
        found = [Problem(where, code, detail) for code, detail in prose.problems(section, text, facts, texts.language)]
        problems += found
        grounded += sum(one in facts.all for one in REFERENCE.findall(text))
    mentions = grounded + sum(problem.code in _UNGROUNDED for problem in problems)
    return Verdict(None if problems else draft, tuple(problems), mentions, grounded)


def _read(reply: str) -> tuple[Draft | None, Problem | None]:
    if len(reply) > LONGEST_REPLY:
        return None, Problem("reply", "length", f"the reply is longer than {LONGEST_REPLY} characters")
    # Without structured output a model may write its reasoning first, also in braces, or put its JSON into a code block.
    start = _OBJECT.search(reply)
    try:
        found, _ = json.JSONDecoder().raw_decode(reply, start.start() if start else reply.find("{"))
        return Draft.model_validate(found, strict=True), None
    except ValidationError as error:
        messages = [
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False, include_context=False)[:8]
        ]
        return None, Problem("reply", "schema", "; ".join(messages))
    except (ValueError, RecursionError):
        return None, Problem("reply", "schema", "the reply is not a JSON object")


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
    """Normalise a text: plain spaces and hyphens, one line, composed characters, references without spaces inside."""
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
            yield Problem(where, "unsupported", "an anomaly needs a reference to at least one fact")
    if not any(REFERENCE.search(text) for text in draft.summary):
        yield Problem("summary", "unsupported", "the summary needs a reference to at least one fact")


def _bases(draft: Draft, facts: Facts) -> Iterator[Problem]:
    for number, one in enumerate(draft.hypotheses, 1):
        where = f"hypotheses {number}"
        if not 1 <= len(one.rests_on) <= MOST_FACTS:
            yield Problem(where, "unsupported", f"rests_on needs one to {MOST_FACTS} facts")
        for fact_id in one.rests_on:
            if fact_id not in facts.all:
                yield Problem(where, "unknown_fact", f"rests_on: there is no fact {prose.quoted(fact_id)}")
