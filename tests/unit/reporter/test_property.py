"""Over many thousand mutated replies, no published report holds a figure that is not a fact.

What was published is read by a checker of its own: it knows renderings and characters, and nothing of the gate.
"""

from __future__ import annotations

import html
import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from reporter import gate, render
from reporter.report import report_of
from reporter.texts import texts
from tests.support.report_facts import good_draft, some_facts, template_reply

EN = texts("en")

#: Written for this test: not the gate's list.
NUMBER_WORDS = re.compile(
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|"
    r"eighty|ninety|hundreds?|thousands?|millions?|billions?|dozens?|half|twice|doubled?|tripled?|percent|third|quarter|"
    r"zwei|drei|fünf|sieben|\w*hundert\w*|\w*tausend\w*|verdopp\w+|deux|trois|cinq|douze|cent|mille|\w+ième|\w+ieth|\w+fold|"
    r"quadrupl\w+|handful)\b",
    re.IGNORECASE,
)


def is_numeric(character: str) -> bool:
    return unicodedata.numeric(character, None) is not None or unicodedata.category(character) in {"Nd", "Nl", "No"}


def figures(text: str) -> list[str]:
    """Every figure of a text with its sign and the word or sign that follows it: ``−2.1 points``, ``94.8 %``."""
    found, at = [], 0
    while at < len(text):
        if not is_numeric(text[at]):
            at += 1
            continue
        start = end = at
        while end < len(text) and (
            is_numeric(text[end]) or (text[end] in ".,:" and is_numeric(text[end + 1 : end + 2] or "x"))
        ):
            end += 1
        while start and (text[start - 1] in "+-\N{MINUS SIGN}<" or text[start - 1 : start + 1] == "  "):
            start -= 1
        after = re.match(r"\s?([^\s,;:.!?)]*)", text[end:])
        found.append(text[start:end] + " " + (after[1] if after else ""))
        at = end
    return found


@cache
def known_figures() -> frozenset[str]:
    return frozenset(figure for fact in some_facts().all.values() for figure in figures(fact.rendering))


@cache
def renderings() -> re.Pattern[str]:
    every = sorted({fact.rendering for fact in some_facts().all.values()}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, every)))


def foreign_figures(published: str) -> list[str]:
    """Figures of a text that are in no rendering of ``some_facts``, and number words outside all renderings."""
    bare = renderings().sub("\N{BULLET}", published)
    unknown = [figure for figure in figures(published) if figure not in known_figures()]
    return unknown + NUMBER_WORDS.findall(bare) + [character for character in bare if is_numeric(character)]


@pytest.mark.parametrize(
    "text",
    [
        "Conformity 94.9 %.", "12,345 orders", "Some 47 records.", "a dozen", "x\N{SUPERSCRIPT TWO}",
        "\N{MINUS SIGN}12,345 records", "312,345 records", "12,345.0 records",
    ],
)  # fmt: skip
def test_the_checker_finds_what_is_wrong(text: str) -> None:
    assert foreign_figures(text)


def test_the_checker_knows_every_rendering() -> None:
    for fact in some_facts().all.values():
        assert foreign_figures(f"It is {fact.rendering}.") == []


Mutation = Callable[[random.Random, str], str]
_POISON = [
    "7", " 12 %", " 3,000", "½", "²", "٣", "４", "三", " seven", " twenty-one", " half", " a dozen", " ninetynine", " IV",
    " percent", " million", "k ", " €", " dollars", " Monday", " zwölf", " quatre",
    " Zehntausende", " Verdopplung", " quarantième", " twentieth", " hundredfold", " quadrupled", " a handful", " thir/teen",
    "\u200b", "\u202e", "-", " – ", ".", ",",
    "{{all.records}}", " {{all.findings}} ", "{{all.valid}}{{all.records}}", "{{no.such}}", "{{", "}}", "{", "}", "<b>", "https://x.example",
    " because of bots", " rose", " fell", " Germany", "e7", " O", "lO", "\n", "\t", "&#55;", "&frac12;", "\\u0037", "&nbsp;",
]  # fmt: skip


def insert(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(_POISON) + text[at:]


def append(rng: random.Random, text: str) -> str:
    return text + rng.choice(_POISON)


def delete(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.randrange(1, 6) :]


def swap(rng: random.Random, text: str) -> str:
    words = text.split(" ")
    rng.shuffle(words)
    return " ".join(words)


def other_fact(rng: random.Random, text: str) -> str:
    ids = list(some_facts().all)
    return re.sub(r"\{\{[^}]*\}\}", lambda found: "{{" + rng.choice(ids) + "}}", text, count=rng.randrange(1, 3))


def bend_id(rng: random.Random, text: str) -> str:
    return re.sub(r"\{\{([^}]*)\}\}", lambda found: "{{" + delete(rng, found[1]) + "}}", text, count=1)


def resolve(rng: random.Random, text: str) -> str:
    """Write a figure into the text, as a model may."""
    facts = some_facts()
    return re.sub(
        r"\{\{([^}]*)\}\}", lambda found: facts.all[found[1]].rendering if found[1] in facts.all else "x", text, count=1
    )


def squeeze(rng: random.Random, text: str) -> str:
    return text.replace(" ", "", rng.randrange(1, 4))


def look_alike(rng: random.Random, text: str) -> str:
    return text.replace(rng.choice("aeo"), rng.choice(["а", "е", "о", "0", "3", "ⅽ"]), 1)


MUTATIONS: list[Mutation] = [insert, append, delete, swap, other_fact, bend_id, resolve, squeeze, look_alike]


def mutated(rng: random.Random, base: dict[str, Any]) -> tuple[str, str]:
    """A reply, and the name of what was done to it first."""
    draft: dict[str, Any] = json.loads(json.dumps(base))
    first = ""
    for _ in range(rng.choice((1, 1, 2, 3))):
        mutation = rng.choice(MUTATIONS)
        first = first or mutation.__name__
        key = rng.choice(list(draft))
        if key == "headline":
            draft[key] = mutation(rng, draft[key])
        elif draft[key]:
            at = rng.randrange(len(draft[key]))
            if isinstance(draft[key][at], str):
                draft[key][at] = mutation(rng, draft[key][at])
            else:
                draft[key][at]["text"] = mutation(rng, draft[key][at]["text"])
    raw = json.dumps(draft, ensure_ascii=rng.random() < 0.5)
    return (delete(rng, raw) if rng.random() < 0.02 else raw), first


@pytest.mark.parametrize("replies", [1_000, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(300)])])
def test_no_published_report_holds_a_figure_that_is_no_fact(replies: int) -> None:
    facts, rng = some_facts(), random.Random(20)
    bases = [good_draft(), json.loads(template_reply())]
    passed: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for number in range(replies):
        raw, first = mutated(rng, bases[number % 4 == 0])
        verdict = gate.check(raw, facts, EN)
        if verdict.draft is None:
            refused[first] += 1
            continue
        passed[first] += 1
        report = report_of(verdict.draft, facts, EN, written_by="model", model="m", prompt="v1")
        said = [report.headline.text, *(item.text for part in report.sections for item in part.items)]
        for text in said:
            assert foreign_figures(text) == [], (text, raw)
            assert "{{" not in text

    assert passed.total() + refused.total() == replies
    # Neither a gate that is shut nor one that is open would show anything.
    assert passed.total() > replies / 10
    assert refused.total() > replies / 4
    assert all(refused[one.__name__] for one in MUTATIONS)


def test_what_is_rendered_for_readers_holds_no_figure_of_the_models_own() -> None:
    facts, rng = some_facts(), random.Random(4)
    seen = 0
    for _ in range(400):
        verdict = gate.check(mutated(rng, good_draft())[0], facts, EN)
        if verdict.draft is None:
            continue
        seen += 1
        report = report_of(verdict.draft, facts, EN, written_by="model", model="m", prompt="v")
        body = render.markdown(report, facts, EN).rpartition("---")[0].replace("\\", "")
        page = re.sub(r"<style>.*?</style>|</t[dh]>", "\n", render.html(report, facts, EN), flags=re.DOTALL)
        plain = re.sub(r"<[^>]*>", "", page)
        for text in (body, html.unescape(plain)):
            strange = [
                one
                for line in text.splitlines()
                for one in figures(line)
                if one not in known_figures() and one.split()[0] not in "1|"
            ]
            assert not strange, strange
    assert seen > 20
