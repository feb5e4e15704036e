"""Checks the own words of a model: possibilities and advice, in the closed vocabulary, tied to claims. Pure and linear."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reporter import mood, vocabulary
from reporter.claims import LEAST_EVIDENCE, Claim
from reporter.draft import REFERENCE
from reporter.facts import Facts

#: Maximum characters of an opinion, and of words and claims under it.
LONGEST, MOST_CLAIMS = 320, 4
#: Special characters that models write → the plain ones.
_PLAINER = {
    0xA0: " ", 0x202F: " ", 0x2009: " ", 0x2010: "-", 0x2011: "-", 0x0A: " ", 0x0D: " ", 0x09: " ", 0x2019: "'",
}  # fmt: skip
#: Everything that is neither a word nor one of these characters is refused.
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*'?")
_PUNCTUATION = frozenset(" .,;:()?")
_SENTENCE = re.compile(r"[.?;:]\s*")
_CAPITAL = re.compile(r"(?:[^\W\d_]|\x00),? ([^\W\d_a-zà-ÿ][^\W\d_]*)")
_NAME = "\x00"
#: A name that touches a word, a bracket or another name.
_TOUCHING = re.compile(r"\w\x00|\x00[\w(]|\x00 ?\x00")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a reply.

    Attributes:
        where: the item: ``hypotheses 2``.
        code: a kind of problem, which is counted.
        detail: a message to the model.
    """

    where: str
    code: str
    detail: str


def tidy(text: str, language: str) -> str:
    """Return a text with plain spaces, hyphens and apostrophes, composed, on one line, without "First," before it.

    Too long a text is cut, so that checking it takes no time; it stays too long to pass.
    """
    plain = unicodedata.normalize("NFC", text[: 2 * LONGEST]).translate(_PLAINER)
    plain = re.sub(r"\{\{ {0,4}([A-Za-z0-9_.]{1,120}) {0,4}\}\}", r"{{\1}}", plain)
    plain = " ".join(plain.split(" ")).strip(" ")
    opening = _WORD.match(plain)
    if opening and plain[opening.end() : opening.end() + 2] == ", " and vocabulary.opens(opening[0], language):
        plain = plain[opening.end() + 2 :]
        plain = plain[:1].upper() + plain[1:]
    return plain


def problems(
    where: str, section: Literal["hypotheses", "recommendations"], text: str, tied: Sequence[str],
    claims: Mapping[str, Claim], facts: Facts,
) -> Iterator[Problem]:  # fmt: skip
    """Yield what is wrong with an opinion in ``text``, which is tidy, tied to the claims with the ids ``tied``."""
    if not text or len(text) > LONGEST:
        yield Problem(where, "length", f"write 1 to {LONGEST} characters")
        return
    yield from _ties(where, section, tied, claims)
    names = _names(tied, claims, facts)
    if any(one not in names for one in REFERENCE.findall(text)):
        yield Problem(where, "reference", "refer only to names of the subjects of the claims that the text is tied to")
    bare = REFERENCE.sub(_NAME, text)
    if _NAME in text or any(one not in _PUNCTUATION and one != _NAME for one in _WORD.sub("", bare)) or _TOUCHING.search(bare):
        yield Problem(where, "character", "write only words and .,;:()? around references")
    foreign = [one for one in _WORD.findall(bare) if vocabulary.unknown(one, facts.language)]
    if facts.language != "de":
        # Within a sentence a capital letter makes a name of a word: "Will", "Page".
        foreign += [found[1] for found in _CAPITAL.finditer(bare)]
    if foreign:
        yield Problem(where, "word", f"not in the vocabulary: {', '.join(sorted({one[:32] for one in foreign})[:8])}")
    yield from _mood(where, section, bare, facts.language)


def _ties(where: str, section: str, tied: Sequence[str], claims: Mapping[str, Claim]) -> Iterator[Problem]:
    if not 1 <= len(tied) <= MOST_CLAIMS:
        yield Problem(where, "unsupported", f"tie it to one to {MOST_CLAIMS} claims")
    if any(one not in claims for one in tied):
        yield Problem(where, "unknown_claim", "tie it only to claims that are in the list, spelt the same")
    elif tied and not any(claims[one].facts for one in tied):
        yield Problem(where, "evidence", "tie it to a claim with figures or names, which are printed beside it")
    elif section == "hypotheses":
        if any(claims[one].records < LEAST_EVIDENCE for one in tied):
            yield Problem(where, "evidence", f"a hypothesis needs claims that rest on at least {LEAST_EVIDENCE} records each")
        if not any(claims[one].subject != "all" for one in tied):
            yield Problem(where, "evidence", "tie a hypothesis to a claim about a rule, a segment, an incident or a change")


def _mood(where: str, section: str, bare: str, language: str) -> Iterator[Problem]:
    for sentence in _SENTENCE.split(bare):
        found = _WORD.findall(sentence)
        if not found and _NAME not in sentence:
            continue
        if section == "hypotheses":
            if not any(vocabulary.is_of(one, "possibility", language) for one in found):
                yield Problem(where, "mood", "word each sentence of a hypothesis as a possibility")
            elif mood.states(sentence, language):
                yield Problem(where, "mood", "each verb of a hypothesis needs its own possibility; state nothing as a fact")
            continue
        begins = sentence.strip(" (").startswith(found[0]) if found else False
        if len(found) > 1 and vocabulary.opens(found[0], language):
            found = found[1:]
        if not begins or not vocabulary.is_of(found[0], "advice", language):
            yield Problem(where, "mood", "begin each sentence of a recommendation with a verb of the list `advice`")
        elif mood.commands(sentence, language):
            yield Problem(where, "mood", "advise only to do what the list `advice` says, also after a comma or a conjunction")


def _names(tied: Sequence[str], claims: Mapping[str, Claim], facts: Facts) -> set[str]:
    """Return the names that an opinion may contain: those of its claims' subjects and of the entities of these."""
    names: set[str] = set()
    for one in tied:
        if one not in claims:
            continue
        subject = claims[one].subject
        names |= {f"{subject}.{end}" for end in ("name", "rule", "segment")} & facts.all.keys()
        names |= {f"{one}.name" for one in facts.entities if subject.startswith(f"rule.{one.removeprefix('entity.')}.")}
    return names
