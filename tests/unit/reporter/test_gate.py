"""A model chooses among claims; of its own words only those of a closed vocabulary pass, tied to claims."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from reporter import choice, gate, opinions, vocabulary
from reporter.choice import Choice, Opinion
from reporter.draft import references
from reporter.texts import LANGUAGES
from tests.support.paths import DOCS
from tests.support.report_facts import good_reply, reply, some_claims, some_facts

RULE = "anomalies.rule.orders.quantity.minimum"


def check(raw: str, language: str = "en") -> gate.Verdict:
    return gate.check(raw, some_claims(language), some_facts(language))


def codes(text: str, kind: str = "hypotheses", language: str = "en", ties: list[str] | None = None) -> set[str]:
    """Problems that the gate finds in an opinion, which it publishes only without any."""
    item = {"text": text, "claims": [RULE] if ties is None else ties}
    verdict = check(reply(language, **{kind: [item]}), language)
    assert verdict.choice is not None
    published = [one for one in verdict.choice.opinions if one.section == kind]
    assert bool(published) == (not verdict.problems)
    return {problem.code for problem in verdict.problems}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_good_model_replies_passes_word_for_word(language: str) -> None:
    verdict = check(reply(language), language)

    assert verdict.problems == ()
    assert verdict.survival == 1.0
    assert verdict.choice is not None
    assert len(verdict.choice.opinions) == 2


NATURAL = {
    "en": [
        ("hypotheses", "The supplier may have changed the format of the export file."),
        ("hypotheses", "A new release of the checkout could write the unit of the price into another field."),
        ("hypotheses", "Perhaps an import was repeated after an outage; the interface might then send orders again."),
        ("recommendations", "Ask the developer team to validate the quantity in the form before orders are sent."),
        ("recommendations", "Compare the mapping of the export with the contract. Then correct the records at the source."),
        ("recommendations", "First, check the feed of {{rule.orders.quantity.minimum.name}}."),
    ],
    "de": [
        ("hypotheses", "Möglicherweise wurde die Schnittstelle des Lieferanten umgestellt."),
        ("hypotheses", "Der Export könnte das Trennzeichen der Preise anders schreiben."),
        ("recommendations", "Prüfen Sie die Zuordnung der Felder im Import."),
        ("recommendations", "Fragen Sie das Team, ob das Formular geändert wurde."),
    ],
    "fr": [
        ("hypotheses", "Le fournisseur a peut-être changé le format du fichier."),
        ("hypotheses", "Une panne du service pourrait expliquer les données manquantes."),
        ("recommendations", "Vérifiez la source de ces commandes avec l'équipe."),
        ("recommendations", "Comparez le format des prix avec le contrat."),
    ],
}  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_people_write_of_causes_and_remedies_passes(language: str) -> None:
    refused = {text: found for kind, text in NATURAL[language] if (found := codes(text, kind, language))}

    assert refused == {}


#: Numbers, fractions, dates, money, names, directions, comparisons, negations, certainties, blame, and what destroys.
FORBIDDEN = {
    "en": "one two seven twenty seventeen half twice dozen double third tenfold percent hundreds majority first second single "
    "quarter few many most several both all none every zero once thousand Monday March May yesterday week hours morning "
    "Christmas summer dollars euro EUR quid cents Germany Berlin Amazon Shopify Smith rose fell risen higher lower more less "
    "better worst best improved dropped doubled halved exceeds largest not never no without hardly certainly surely proven "
    "clearly always definitely fault guilty incompetent lazy fraud stole sabotage hackers delete ignore stop cancel refund "
    "score brace grand II k",
    "de": "eins zwei sieben zwölf acht halb Hälfte doppelt Dutzend Prozent erste zweite einzig wenige viele alle beide null "
    "tausend Montag Mai gestern Woche Stunden Abend Weihnachten Sommer Silvester Euro Cent Deutschland Berlin Amazon stieg "
    "fiel höher niedriger mehr weniger besser schlechter nicht nie kein keine ohne sicher gewiss bewiesen immer schuld "
    "Betrug Sabotage Hacker löschen ignorieren anderthalb Million",
    "fr": "deux sept douze moitié double douzaine pourcent premier seconde plusieurs tous toutes aucun zéro cent mille lundi "
    "mars mai été hier semaine heures matin Noël euro euros Allemagne Paris Amazon monté baissé supérieur plus moins mieux "
    "pire pas jamais sans certainement prouvé toujours faute fraude sabotage supprimer ignorer",
}


@pytest.mark.parametrize("report", LANGUAGES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_that_could_make_a_false_statement_is_in_the_vocabulary(language: str, report: str) -> None:
    # "hier" is yesterday in French, and here in German.
    for word in (one for one in FORBIDDEN[language].split() if (one, report) != ("hier", "de")):
        assert vocabulary.unknown(word, report), word


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("It may be 12.", "character"), ("It may be ４７.", "character"), ("It may be ½.", "word"), ("It may be Ⅷ.", "word"),
        ("It may be \N{CIRCLED NUMBER FORTY TWO}.", "word"),
        ("<b>It may be.</b>", "character"), ("It may be “so”.", "character"),
        ("It may be \0 a field.", "character"), ("\0 may be.", "character"),
        ("It may be a f\u200bield.", "character"), ("It may be a f\u00adield.", "character"), ("It m\u0430y be.", "word"),
        ("It may be t w o.", "word"), ("It may be se-ven.", "word"), ("See https://x.example, it may help.", "character"),
        ("The supplier changed the feed.", "mood"), ("It may be. The supplier changed the feed.", "mood"),
        ("It may be: the supplier changed the feed.", "mood"), ("", "length"), ("It may be so. " * 60, "length"),
        ("It may be {{all.records}}.", "reference"), ("It may be {{incident.1.name}}.", "reference"),
        ("It may be {{no.such}}.", "reference"), ("It may be {{.", "character"),
        ("It may be x{{rule.orders.quantity.minimum.name}}.", "character"),
    ],
)  # fmt: skip
def test_an_opinion_is_only_words_and_a_possibility(text: str, code: str) -> None:
    assert code in codes(text)


@pytest.mark.parametrize("text", ["The supplier may check it.", "Customers check the form.", "Check it. The form is wrong."])
def test_advice_begins_with_what_to_do(text: str) -> None:
    assert codes(text, "recommendations") == {"mood"}


@pytest.mark.parametrize(
    ("ties", "code"),
    [([], "unsupported"), ([RULE] * 5, "unsupported"), (["no.such"], "unknown_claim"), (["summary.valid"], "evidence")],
)
def test_a_hypothesis_is_tied_to_claims_with_evidence(ties: list[str], code: str) -> None:
    assert code in codes("A source may have changed.", ties=ties)


def test_confidence_comes_from_the_evidence_of_the_weakest_claim() -> None:
    verdict = check(reply())
    assert verdict.choice is not None
    said = choice.assemble(verdict.choice, some_claims(), {}).hypotheses[-1]

    assert said.opinion
    assert said.confidence == "medium"
    assert "rule.orders.quantity.minimum.findings" in said.rests_on
    assert "rule.orders.customer_id.reference.findings" in said.rests_on
    assert check(reply(hypotheses=[good_reply()["hypotheses"][0] | {"confidence": "high"}])).choice is None


def test_what_must_be_said_is_said_whatever_a_model_chooses() -> None:
    claims = some_claims()
    musts = {one.source for one in claims.values() if one.must}
    assert len(musts) >= 5

    for chosen in ([], ["summary.valid"], ["anomalies.rule.orders.price.type", "impact.rule.orders.price.type"]):
        draft = choice.assemble(Choice("headline.incident.1", tuple(chosen)), claims, {})
        said = [*draft.summary, *draft.anomalies, *draft.impact, *draft.recommendations]
        assert musts <= {one.text for one in said}
        assert draft.summary
        assert draft.anomalies


def test_an_open_incident_is_the_headline_whatever_a_model_chooses() -> None:
    verdict = check(reply(headline="headline.conformity"))

    assert verdict.choice is not None
    assert verdict.choice.headline == "headline.incident.1"


def test_the_order_is_the_models() -> None:
    draft = choice.assemble(Choice("headline.incident.1", ("summary.sales", "summary.valid")), some_claims(), {})

    texts = [one.text for one in draft.summary]
    assert texts.index(some_claims()["summary.sales"].source) < texts.index(some_claims()["summary.valid"].source)
    assert references(draft.headline.text)[0] == "incident.1.less"


def test_a_wrong_part_is_left_out_and_the_rest_is_published() -> None:
    wrong = {"text": "Fraud by staff is proven.", "claims": [RULE]}
    verdict = check(reply(headline="Losses of 42", hypotheses=[wrong, *good_reply()["hypotheses"]]))

    assert not verdict.passed
    assert verdict.choice is not None
    assert verdict.choice.headline == "headline.incident.1"
    assert [one.section for one in verdict.choice.opinions] == ["hypotheses", "recommendations"]
    assert verdict.survival is not None
    assert 0 < verdict.survival < 1


@pytest.mark.parametrize(
    "changes",
    [{"headline": 7}, {"extra": "x"}, {"claims": None}, {"hypotheses": ["x"]}, {"recommendations": [{"text": "x"}]}],
)  # fmt: skip
def test_the_shape_is_checked(changes: dict[str, Any]) -> None:
    assert check(reply(**changes)).choice is None


@pytest.mark.parametrize(
    "raw",
    ["", "null", "[]", "{", "}{", "{}", "no JSON", '{"a":' * 50_000, "\x00", "{" + "9" * 5_000 + "}", "\ud800", "x" * 70_000],
)
def test_anything_at_all_gets_a_verdict(raw: str) -> None:
    verdict = check(raw)

    assert verdict.choice is None
    assert verdict.problems


@pytest.mark.parametrize(
    "text", ["A" * 59_000, "a " * 29_000, "{{" + " " * 50_000, "{{ " * 19_000, "may-" * 14_000, "may. " * 11_000, '{"' * 29_000]
)
def test_no_reply_takes_long_to_check(text: str) -> None:
    check(reply())  # loads the dictionaries
    item = {"text": text, "claims": [RULE]}
    began = time.process_time()
    for changes in ({"headline": text}, {"claims": [text]}, {"hypotheses": [item]}, {"recommendations": [item]}):
        check(reply(**changes))
    check(text)

    assert time.process_time() - began < 1


def test_json_in_a_fence_after_thinking_aloud_is_read() -> None:
    assert check(f"<think>Hm {{all}}.</think>\n```json\n{reply()}\n```\nDone.").passed


def test_opinions_with_the_same_claims_keep_their_own_text() -> None:
    verdict = check(reply())
    assert verdict.choice is not None
    assert verdict.choice.opinions[0] == Opinion(
        "hypotheses", good_reply()["hypotheses"][0]["text"], tuple(good_reply()["hypotheses"][0]["claims"])
    )


def test_every_reason_to_refuse_is_in_the_docs() -> None:
    source = "".join(Path(str(module.__file__)).read_text("utf-8") for module in (gate, opinions))
    named = set(re.findall(r'Problem\((?:where|kind|"\w+"), "(\w+)"', source))
    documented = (DOCS / "reference" / "report-gate.md").read_text("utf-8")

    assert len(named) == 9
    assert [code for code in sorted(named) if f"| `{code}` |" not in documented] == []


def test_the_vocabulary_has_no_character_that_is_not_a_letter_or_inside_a_word() -> None:
    for language in LANGUAGES:
        for word in vocabulary.words_of(language):
            assert re.fullmatch(r"[^\W\d_]+(?:['-][^\W\d_]+)*", word), word
            assert json.dumps(word)
