"""Over many thousand mutated replies in three languages, only claims are stated, and no opinion has a foreign word.

What was published is read by a checker that knows characters and lists of its own, and nothing of the gate.
"""

from __future__ import annotations

import html
import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from reporter import choice, gate, render
from reporter.draft import REFERENCE
from reporter.report import report_of
from reporter.texts import LANGUAGES, texts
from tests.support.report_facts import good_reply, some_claims, some_facts

#: Written for this test: numbers, dates, money, directions, certainty and blame in words of the three languages.
FOREIGN = re.compile(
    r"\b(?:zero|one|two|three|seven|eight|nine|ten|\w+teen|twenty|hundreds?|thousands?|millions?|dozens?|half|twice|doubled?|"
    r"percent|third|quarter|zwei|drei|sieben|\w*hundert\w*|\w*tausend\w*|verdopp\w+|deux|trois|douze|cent|mille|\w+ième|\w+fold|"
    r"handful|Monday|Montag|lundi|yesterday|dollars?|euros?|rose|fell|stieg|fiel|monté|more|less|mehr|weniger|plus|moins|"
    r"never|nicht|pas|because|proven|certainly|sicher|Germany|Amazon|fraud|stole|delete|ignore)\b",
    re.IGNORECASE,
)
_POISON = [
    "7", " 12 %", " 3,000", "½", "²", "٣", "４", "三", " seven", " twenty-one", " half", " a dozen", " ninetynine", " IV",
    " percent", " million", "k ", " €", " dollars", " Monday", " zwölf", " quatre", " Zehntausende", " Verdopplung",
    " quarantième", " hundredfold", " a handful", " thir/teen", "\u200b", "\u202e", "-", " – ", ".", ",", "{{all.records}}",
    " {{all.findings}} ", "{{no.such}}", "{{", "}}", "{", "<b>", "https://x.example", " because of bots", " rose", " fell",
    " stieg", " nicht", " pas", " moins", " never", " Germany", " Amazon", " fraud", "\n", "\t", "&#55;", "&nbsp;", " May",
    " proven", " certainly", " sicher", " the feed", " Quelle", " source",
]  # fmt: skip
Mutation = Callable[[random.Random, str], str]


def insert(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(_POISON) + text[at:]


def append(rng: random.Random, text: str) -> str:
    return text + rng.choice(_POISON)


def after_a_word(rng: random.Random, text: str) -> str:
    words = text.split(" ")
    at = rng.randrange(len(words))
    return " ".join([*words[:at], rng.choice(_POISON).strip(" "), *words[at:]])


def delete(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    return text[:at] + text[at + rng.randrange(1, 6) :]


def swap(rng: random.Random, text: str) -> str:
    words = text.split(" ")
    one, other = rng.randrange(len(words)), rng.randrange(len(words))
    words[one], words[other] = words[other], words[one]
    return " ".join(words)


def look_alike(rng: random.Random, text: str) -> str:
    return text.replace(rng.choice("aeo"), rng.choice(["а", "е", "о", "0", "3", "ⅽ"]), 1)


def squeeze(rng: random.Random, text: str) -> str:
    return text.replace(" ", "", rng.randrange(1, 4))


MUTATIONS: list[Mutation] = [insert, append, after_a_word, delete, swap, look_alike, squeeze]


def mutated(rng: random.Random, language: str) -> tuple[str, str]:
    """A reply, and the name of what was done to it first."""
    reply: dict[str, Any] = json.loads(json.dumps(good_reply(language)))
    ids = list(some_claims(language))
    first = ""
    for _ in range(rng.choice((1, 1, 2, 3))):
        mutation = rng.choice(MUTATIONS)
        first = first or mutation.__name__
        key = rng.choice(("headline", "claims", "hypotheses", "recommendations", "hypotheses", "recommendations"))
        if key == "headline":
            reply[key] = rng.choice((mutation(rng, reply[key]), rng.choice(ids)))
        elif key == "claims":
            reply[key] = [rng.choice((mutation(rng, one), one, rng.choice(ids))) for one in reply[key]]
        else:
            item = rng.choice(reply[key])
            item["text"] = mutation(rng, item["text"])
            item["claims"] = rng.choice((item["claims"], item["claims"], [rng.choice(ids)], []))
    raw = json.dumps(reply, ensure_ascii=rng.random() < 0.5)
    return (delete(rng, raw) if rng.random() < 0.02 else raw), first


@pytest.mark.parametrize("text", ["It may be 7.", "a dozen", "x²", "Verdopplung", "since Monday", "orders fell", "lundi"])
def test_the_checker_finds_what_is_wrong(text: str) -> None:
    assert strange(text)


def strange(text: str) -> list[str]:
    """Characters of figures, signs and foreign alphabets, and words that an opinion must not have."""
    found = [one for one in text if unicodedata.numeric(one, None) is not None or unicodedata.category(one)[0] in "SC"]
    found += [one for one in text if one.isalpha() and "LATIN" not in unicodedata.name(one, "")]
    return found + FOREIGN.findall(text)


@pytest.mark.parametrize("replies", [1_500, pytest.param(12_000, marks=[pytest.mark.slow, pytest.mark.timeout(300)])])
def test_nothing_is_stated_that_is_no_claim_and_no_opinion_has_words_of_its_own(replies: int) -> None:
    rng = random.Random(20)
    kept: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for number in range(replies):
        language = LANGUAGES[number % len(LANGUAGES)]
        facts, claims = some_facts(language), some_claims(language)
        raw, first = mutated(rng, language)
        verdict = gate.check(raw, claims, facts)
        (kept if verdict.passed else refused)[first] += 1
        if verdict.choice is None:
            continue
        draft = choice.assemble(verdict.choice, claims, facts.related)
        report = report_of(draft, facts, texts(language), written_by="model", model="m", prompt="v")
        sources = {one.source for one in claims.values()}
        assert report.headline.source in sources
        for section in report.sections:
            for item in section.items:
                if not item.opinion:
                    assert item.source in sources, raw
                    continue
                assert section.key in {"hypotheses", "recommendations"}
                assert item.rests_on
                assert strange(REFERENCE.sub("", item.source)) == [], raw
                assert all(facts.all[one].unit == "name" for one in REFERENCE.findall(item.source)), raw
        musts = {one.source for one in claims.values() if one.must}
        assert musts <= {item.source for section in report.sections for item in section.items}

    # Neither a gate that is shut nor one that is open would show anything.
    assert kept.total() > replies / 20
    assert refused.total() > replies / 4
    assert all(refused[one.__name__] for one in MUTATIONS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_readers_see_of_a_model_is_marked_as_its_opinion(language: str) -> None:
    facts, claims, say = some_facts(language), some_claims(language), texts(language)
    verdict = gate.check(json.dumps(good_reply(language)), claims, facts)
    assert verdict.choice is not None
    report = report_of(
        choice.assemble(verdict.choice, claims, facts.related), facts, say, written_by="model", model="m", prompt="v"
    )
    own = [item for section in report.sections for item in section.items if item.opinion]

    assert len(own) == 2
    body = render.markdown(report, facts, say).replace("\\", "")
    page = html.unescape(re.sub(r"<[^>]*>", "", render.html(report, facts, say)))
    for item in own:
        for text in (body, page):
            line = next(line for line in text.splitlines() if item.text in line)
            assert line.index(say("notes", "opinion")) < line.index(item.text)
