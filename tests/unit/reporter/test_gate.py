"""The gate lets nothing through whose figures and names are not references to facts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reporter import gate, prose, words
from reporter.texts import LANGUAGES, texts
from tests.support.paths import DOCS
from tests.support.report_facts import HOSTILE, good_draft, reply, some_facts, template_reply

EN = texts("en")


def codes(text: str, section: str = "summary") -> set[str]:
    """Problems that the gate finds in one text, put into a good draft."""
    draft: dict[str, Any] = good_draft()
    if section == "headline":
        draft["headline"] = text
    elif section == "hypotheses":
        draft["hypotheses"][0]["text"] = text
    else:
        draft[section] = [text, *draft[section]]
    verdict = gate.check(json.dumps(draft), some_facts(), EN)
    assert verdict.passed == (not verdict.problems)
    return {problem.code for problem in verdict.problems}


def test_a_report_of_references_passes_and_is_fully_grounded() -> None:
    verdict = gate.check(reply(), some_facts(), EN)

    assert verdict.problems == ()
    assert verdict.draft is not None
    assert verdict.grounding == 1.0
    assert verdict.mentions == 16


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_template_writes_would_pass_as_well(language: str) -> None:
    assert gate.check(template_reply(language), some_facts(language), texts(language)).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "Conformity is 94.8 today.", "About 1 in 5 orders.", "Some ４７ orders.", "Some ٤٧ orders.", "Some ೪ orders.", "x²",
        "½ of it", "Ⅷ orders", "三 orders", "①", "𝟙𝟚 orders", "Conformity stands at {{all.conformity}}7.", "99%", "a ‰ of it",
        "Phase II is bad.", "lOO orders", "Some k of them, {{all.records}} k",
    ],
)  # fmt: skip
def test_no_digit_of_any_script_passes(text: str) -> None:
    assert "figure" in codes(text)


@pytest.mark.parametrize(
    "word",
    [
        "seven", "Seven", "SEVENTEEN", "twenty-one", "seven-ty", "sévén", "ninetyseven", "half", "twice", "dozen", "double",
        "two-thirds", "a third", "tenfold", "percent", "per cent", "hundreds", "majority", "sieben", "fünf", "fuenf",
        "einundzwanzig", "dreißig", "verdoppelt", "Hälfte", "Prozent", "douze", "quatre-vingt", "moitié", "t w o", "t.w.o.",
        "one", "first", "single", "quarter",
    ],
)  # fmt: skip
def test_no_number_in_words_passes(word: str) -> None:
    assert codes(f"Of the orders {word} were rejected.") & {"number_word", "currency", "name"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("On Monday it was worse.", "date"), ("It began in March.", "date"), ("Since May it is worse.", "date"),
        ("It is worse than yesterday.", "date"), ("Within hours it was over.", "date"), ("Seit Dienstag.", "date"),
        ("Some dollars are lost.", "currency"), ("Losses in EUR grow.", "currency"), ("Losses in € grow.", "currency"),
        ("See https://example.com for more.", "link"), ("See www dot example.", "link"), ("See example.com now.", "name"),
        ("<b>Bad</b> orders.", "character"), ("[here](there)", "character"), ("*Bad* orders.", "character"),
        ("`quantity`", "character"), ("Ordеrs with a Cyrillic letter.", "character"), ("A \u202e turn.", "character"),
        ("A \u200b gap.", "character"), ("A \x07 bell.", "character"), ("The \"rule\" failed.", "character"),
        ("The rule quantity.minimum failed.", "name"), ("The field unit_price failed.", "character"),
        ("Orders from Germany failed.", "name"), ("Orders from Côte d'Ivoire failed.", "name"),
        ("Most are of the Atlantis category.", "name"), ("Ask ACME about it.", "name"),
        ("{{all.conformity.tomorrow}} is low.", "unknown_fact"), ("{{}} is low.", "unknown_fact"),
        ("{{rule.orders.no_such_rule.name}} failed.", "unknown_fact"), ("{{{all.records}}} came.", "character"),
        ("{{all.records}}{{all.findings}}", "placement"), ("{{all.records}} {{all.findings}}", "placement"),
        ("{{all.records}}.{{all.findings}} came.", "placement"), ("A change of -{{all.records}}.", "placement"),
        ("A change of – {{all.records}}.", "placement"), ("A change of minus {{all.records}}.", "placement"),
        ("x{{all.records}} came.", "placement"), ("{{all.records}}x came.", "placement"),
        ("Orders fell because the feed broke.", "hypothesis"), ("This is due to the feed.", "hypothesis"),
        ("Revenue fell ({{sales.revenue.change}}).", "direction"), ("Conformity rose by {{all.findings.change}}.", ""),
        ("Findings fell by {{all.findings.change}}.", "direction"), ("", "length"), ("a" * 701, "length"),
    ],
)  # fmt: skip
def test_what_must_not_stand_in_a_text_is_found(text: str, code: str) -> None:
    assert code in codes(text) if code else codes(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "The feed of the customers may need attention, e.g. its form.",
        "Conformity didn\N{RIGHT SINGLE QUOTATION MARK}t change much (see {{all.conformity.change}}); it's stable.",
        "{{all.conformity}}, {{all.valid}}: both are fine.",
        "Non\u2011breaking\u00a0spaces are plain\u2026 somehow.",
        "Often the tents of the attendees weigh a tonne and someone listens.",
        "The Kafka topics and the API need a look.",
    ],
)
def test_ordinary_prose_passes(text: str) -> None:
    assert codes(text) == set()


def test_a_cause_may_be_stated_as_a_hypothesis_only() -> None:
    text = "It may be due to a change at {{segment.1.name}}."

    assert codes(text, "hypotheses") == set()
    assert codes(text, "impact") == {"hypothesis"}


@pytest.mark.parametrize("rests", [[], ["no.such.fact"], ["all.records"] * 7])
def test_a_hypothesis_must_rest_on_facts(rests: list[str]) -> None:
    bad = good_draft()["hypotheses"][0] | {"rests_on": rests}

    assert gate.check(reply(hypotheses=[bad]), some_facts(), EN).draft is None


@pytest.mark.parametrize(
    "changes",
    [
        {"summary": []}, {"summary": ["All is well."]}, {"anomalies": ["Something is odd."]}, {"impact": ["Bad."] * 6},
        {"recommendations": []}, {"headline": ""}, {"headline": 7}, {"extra": "x"}, {"anomalies": None},
        {"hypotheses": [{"text": "x", "rests_on": ["all.records"], "confidence": "certain"}]},
    ],
)  # fmt: skip
def test_the_shape_is_checked(changes: dict[str, Any]) -> None:
    assert gate.check(reply(**changes), some_facts(), EN).draft is None


@pytest.mark.parametrize(
    "raw",
    ["", "null", "[]", "{", "}{", "{}", "no JSON", '{"a":' * 50_000, "\x00", "{" + "9" * 5_000 + "}", "\ud800", "x" * 70_000],
)
def test_anything_at_all_gets_a_verdict(raw: str) -> None:
    verdict = gate.check(raw, some_facts(), EN)

    assert verdict.draft is None
    assert verdict.problems


def test_json_in_a_fence_after_thinking_aloud_is_read() -> None:
    assert gate.check(f"<think>Hm.</think>\n```json\n{reply()}\n```\nDone.", some_facts(), EN).passed


def test_figures_that_are_made_up_lower_the_grounding() -> None:
    verdict = gate.check(reply(impact=["A loss of 12 dollars."]), some_facts(), EN)

    assert verdict.draft is None
    assert verdict.grounding is not None
    assert 0.5 < verdict.grounding < 1


def test_a_segment_that_is_listed_in_the_contract_is_named_by_reference() -> None:
    assert "name" in codes("Addresses from germany are odd.")
    assert HOSTILE in some_facts().all["segment.2.name"].rendering


def test_every_reason_to_refuse_is_in_the_docs() -> None:
    source = "".join(Path(str(module.__file__)).read_text("utf-8") for module in (gate, prose))
    named = re.findall(r'Problem\((?:where|section|"\w+"), "(\w+)"', source) + re.findall(r'yield "(\w+)",', source)
    codes = {*named, *words.ADVICE} - {"headline"}  # a section, not a reason
    documented = (DOCS / "reference" / "report-gate.md").read_text("utf-8")

    assert len(codes) == 14
    assert [code for code in sorted(codes) if f"| `{code}` |" not in documented] == []
