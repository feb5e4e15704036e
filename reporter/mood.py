"""The mood of a model's own words: a hypothesis states nothing beside its possibility, advice asks for nothing else. Pure.

A sentence is cut at commas, brackets, conjunctions and subordinating words. No part of a hypothesis has a finite verb without a
possibility before it in this part; a subordinating word (``that``, ``if``) hangs its part on the one before. What a conjunction
adds to advice begins with no other verb. The words are in ``vocabulary.yaml``, under ``grammar``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reporter import vocabulary

_CUT = re.compile(r"[,()]")
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*'?|\x00")


def states(sentence: str, language: str) -> bool:
    """True if a part of a sentence states something as a fact."""
    hangs, last = False, ""
    for part in _parts(sentence, language):
        possible = hangs and bool(part) and vocabulary.is_grammar(part[0], "dependent", language)
        for at, word in enumerate(part):
            if vocabulary.is_of(word, "possibility", language):
                possible = True
            elif not possible and _is_finite(part, at, language):
                return True
        if part and part[0] == last:
            # "Again and again" says how often.
            return True
        hangs, last = hangs or possible, part[-1] if part else last
    return False


def commands(sentence: str, language: str) -> bool:
    """True if advice goes on with a verb that changes something, or states a fact beside what is to be done."""
    before: Sequence[str] = ()
    for number, part in enumerate(_parts(sentence, language)):
        opening = part[0] if part else ""
        if number and vocabulary.is_grammar(opening, "acts", language):
            return True
        # What is asked for hangs on the advice: "ask whether it was changed", "verify that it is".
        asked = vocabulary.is_grammar(opening, "asked", language)
        asked = asked or (
            vocabulary.is_grammar(opening, "that", language)
            and vocabulary.is_of(before[-1:][0] if before else "", "advice", language)
        )
        if not asked and any(_is_finite(part, at, language) for at in range(1 if not number else 0, len(part))):
            return True
        before = part
    return False


def _parts(sentence: str, language: str) -> Iterator[Sequence[str]]:
    for piece in _CUT.split(sentence):
        part: list[str] = []
        for word in _WORD.findall(piece):
            if vocabulary.is_grammar(word, "conjunctions", language):
                yield part
                part = []
                continue
            if part and vocabulary.is_grammar(word, "dependent", language):
                yield part
                part = []
            part.append(word)
        yield part


def _is_finite(part: Sequence[str], at: int, language: str) -> bool:
    word, after = part[at], part[at + 1] if at + 1 < len(part) else ""
    if vocabulary.is_of(after, "possibility", language):
        # "a peut-être changé", "was possibly changed".
        return False
    if vocabulary.is_grammar(word, "finite", language):
        return True
    # Without a word before it, it goes on with the possibility of the part before; after an article it describes a noun.
    if (
        not at
        or not vocabulary.is_grammar(word, "verbs", language)
        or vocabulary.is_grammar(part[at - 1], "articles", language)
    ):
        return False
    # A German infinitive or participle that depends on another verb stands at the end.
    return language != "de" or bool(after)
