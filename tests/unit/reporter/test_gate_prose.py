"""The gate on prose as models write it, in each language: what invents is refused, what is natural passes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reporter import gate
from reporter.texts import texts
from tests.support.report_facts import good_draft, reply, some_facts, template_reply


def codes(text: str, section: str = "summary", language: str = "en") -> set[str]:
    """Problems that the gate finds in one text, put into a draft that passes."""
    draft: dict[str, Any] = good_draft() if language == "en" else json.loads(template_reply(language))
    if section == "headline":
        draft["headline"] = text
    elif section == "hypotheses":
        draft["hypotheses"][0]["text"] = text
    else:
        draft[section] = [text, *draft[section]][: gate.SIZES[section][1]]
    return {problem.code for problem in gate.check(json.dumps(draft), some_facts(language), texts(language)).problems}


NUMBERS = {
    "en": "twentieth thirtieth twenties fortyish fourscore quadrupling quintupled sextuple octuple centupled triplets trebled "
    "hundredfold fiftyfold umpteen zeroth trillionth quadrillion seventeenhundred two-hundred-and-five halve halfway thou mln "
    "bln grand handful six-figure double-digit multi-million fifty-fifty nine-tenths",
    "de": "Zehntausende Hunderttausende Tausenden Hunderten Dutzenden Verdopplung Verdoppelung Verdreifachung Halbierung "
    "anderthalb eineinhalb zweieinhalb einhundert eintausend zweistellig dreistellige sechsstelligen verfünffacht vervielfacht "
    "Vielfaches hundertprozentig Prozentsatz zweier dreier Zehnerpack Milliardenhöhe Millionenverlust Tausender Handvoll "
    "vierteljährlich",
    "fr": "douzième quarantième trentième neuvième onzième treizième millième milliardième doublement triplement décuplé "
    "centuplé moitiés deuxièmement premièrement troisièmement poignée sextuple",
}
MOMENTS = {
    "en": "morning afternoon evening night o'clock ago midweek Christmas Easter summer winter",
    "de": "Vormittag Nachmittag Abend Nacht morgens Sommer Weihnachten Ostern Jahreswechsel Wochenanfang Monatsende Werktage "
    "Kalenderwoche stundenlang minutenlang Vorjahr",
    "fr": "matin soir Noël Pâques hiver printemps",
}


@pytest.mark.parametrize("report", ["en", "de", "fr"])
@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_numbers_and_moments_in_words_are_refused_in_every_language(language: str, report: str) -> None:
    for code, lists in (("number_word", NUMBERS), ("date", MOMENTS)):
        # In French grand is an ordinary word.
        for word in (word for word in lists[language].split() if (word, report) != ("grand", "fr")):
            assert code in codes(f"Orders {word} orders.", language=report), word


@pytest.mark.parametrize(
    "text", ["sev/en orders", "thir(teen) orders", "phase vii", "tier iv", "Phase xi", "a quartet of rules"]
)
def test_no_figure_hides_in_marks_or_small_letters(text: str) -> None:
    assert codes(f"It is {text}.") & {"number_word", "figure"}


def test_a_lonely_capital_i_is_a_word_in_english_only() -> None:
    assert codes("Here I see no change.") == set()
    assert codes("Hier ist es I.", language="de") == {"figure"}


@pytest.mark.parametrize("word", ["quid", "fiver", "greenbacks", "eurocents", "Eurobeträge", "Dollarbetrag"])
def test_money_in_words_is_refused(word: str) -> None:
    assert "currency" in codes(f"Some {word.lower()} are lost.")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Europe suffers most."), ("en", "German customers suffer most."), ("en", "US orders suffer most."),
        ("de", "Deutsche Kunden sind betroffen."), ("de", "Kunden in den USA sind betroffen."), ("de", "In England."),
        ("de", "Das Feld unitPrice ist falsch."), ("de", "Die Firma ACME ist betroffen."), ("de", "Aus Großbritannien."),
        ("fr", "Les clients allemands souffrent."), ("fr", "En Europe, tout va bien."), ("fr", "Grande-Bretagne en tête."),
    ],
)  # fmt: skip
def test_locations_peoples_and_brands_are_named_by_reference_only(language: str, text: str) -> None:
    assert codes(text, language=language) == {"name"}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Conformity worsened to {{all.conformity}} ({{all.conformity.change}})."),
        ("en", "It deteriorated by {{all.conformity.change}}."), ("en", "Conformity is down {{all.conformity.change}}."),
        ("en", "Conformity is down by {{all.conformity.change}}."), ("en", "A drop of {{all.conformity.change}}."),
        ("en", "Findings improved: they stand at {{all.findings}} ({{all.findings.change}})."),
        ("en", "Volume soared ({{incident.1.deviation}})."), ("en", "A loss of {{sales.revenue.change}}."),
        ("de", "Die Konformität verschlechterte sich um {{all.conformity.change}}."),
        ("de", "Der Rückgang beträgt {{all.conformity.change}}."),
        ("fr", "La conformité s'est dégradée de {{all.conformity.change}}."), ("fr", "Un recul de {{all.conformity.change}}."),
    ],
)  # fmt: skip
def test_a_change_is_stated_in_the_direction_that_it_took(language: str, text: str) -> None:
    assert codes(text, language=language) == {"direction"}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "A faulty release led to {{all.findings}}."), ("en", "Triggered by a release: {{all.findings}}."),
        ("en", "A broken importer explains {{all.findings}}."), ("en", "The culprit of {{all.findings}} is the importer."),
        ("en", "The reason for {{all.findings}} is a broken importer."), ("en", "{{all.findings}} originated in it."),
        ("de", "Ausgelöst durch ein Update: {{all.findings}}."), ("de", "Ein Update führte zu {{all.findings}}."),
        ("de", "Der Grund für {{all.findings}} ist ein Update."), ("de", "Dank des Updates sind es {{all.findings}}."),
        ("fr", "Cela est dû à une panne : {{all.findings}}."), ("fr", "Il y a {{all.findings}}, car le flux est en panne."),
        ("fr", "Suite à une panne, {{all.findings}}."), ("fr", "C'est à cause d'une panne : {{all.findings}}."),
    ],
)  # fmt: skip
def test_a_cause_is_stated_as_a_hypothesis_only(language: str, text: str) -> None:
    assert codes(text, "anomalies", language) == {"hypothesis"}
    assert codes(text, "hypotheses", language) == set()


@pytest.mark.parametrize(
    "text",
    [
        "A change of minus about {{all.records}}.", "{{all.records}} point {{all.findings}}.",
        "{{all.records}} times {{all.findings}}.",
    ],
)  # fmt: skip
def test_two_references_do_not_become_another_figure(text: str) -> None:
    assert codes(text) == {"placement"}


def test_a_model_may_think_aloud_in_braces_before_it_answers() -> None:
    aloud = f"<think>I could use {{{{all.records}}}} or {{x: 1}}.</think> Here:\n```json\n{reply()}\n```\nFine :-}}"

    assert gate.check(aloud, some_facts(), texts("en")).passed


NATURAL = {
    "en": [
        ("headline", "Conformity improved to {{all.conformity}} ({{all.conformity.change}}), but findings rose to "
                     "{{all.findings}} ({{all.findings.change}})."),
        ("headline", "Data quality holds steady at {{all.valid}}, while {{incidents.open}} still need attention."),
        ("summary", "Overall conformity reached {{all.conformity}}, up {{all.conformity.change}} from the previous period."),
        ("summary", "The number of rejected records dropped by {{all.rejected.change}} to {{all.rejected}}."),
        ("summary", "We'll need to watch {{rule.orders.quantity.minimum.name}}, which accounts for "
                    "{{rule.orders.quantity.minimum.part}} of all findings."),
        ("summary", "Revenue from clean records grew to {{sales.revenue}} ({{sales.revenue.change}}), with {{sales.orders}} "
                    "placed by {{sales.customers}}."),
        ("summary", "Most findings concern quantities and customer references; the rest is minor."),
        ("summary", "Both conformity and revenue improved ({{all.conformity.change}} and {{sales.revenue.change}})."),
        ("summary", "No further rule stands out; timeliness remains near-perfect at {{dimension.timeliness}}."),
        ("anomalies", "The {{incident.1.name}} was {{incident.1.direction}}: {{incident.1.observed}} were observed, well below "
                      "the {{incident.1.expected}} that are usual ({{incident.1.deviation}})."),
        ("anomalies", "{{rule.orders.quantity.minimum.name}} made {{rule.orders.quantity.minimum.findings}}, an increase of "
                      "{{rule.orders.quantity.minimum.findings.change}}."),
        ("anomalies", "Problems with {{rule.customers.email.format.name}} are concentrated in {{segment.1.name}}, where "
                      "{{segment.1.there}} of records are affected versus {{segment.1.elsewhere}} elsewhere."),
        ("hypotheses", "The drop in volume may be caused by an outage of an upstream system, since only orders are affected."),
        ("hypotheses", "A supplier feed for {{segment.2.name}} might have switched to another price format."),
        ("impact", "Orders worth {{rule.orders.customer_id.reference.at_risk}} cannot be shipped until they are corrected."),
        ("impact", "Customers with invalid addresses get no confirmations, which may increase support requests."),
        ("recommendations", "Contact the team responsible for the checkout and validate quantities before submission."),
        ("recommendations", "Set up a daily review of the dead-letter queue until findings fall back to the usual level."),
        ("recommendations", "Double-check the price feed of {{segment.2.name}} with its owner."),
        ("recommendations", "Ask the third-party supplier for orders/customers without null values; we'll check the rest."),
        ("recommendations", "Follow up on {{incident.1.name}} right away, as it is still {{incident.1.state}}."),
    ],
    "de": [
        ("headline", "Die Konformität stieg auf {{all.conformity}} ({{all.conformity.change}}), zugleich auch die Befunde."),
        ("summary", "Der Umsatz sauberer Datensätze wuchs auf {{sales.revenue}} ({{sales.revenue.change}})."),
        ("summary", "Es wurden {{all.rejected}} abgewiesen, deutlich weniger als im Zeitraum davor ({{all.rejected.change}})."),
        ("anomalies", "Die Befunde häufen sich bei {{segment.1.name}}: dort {{segment.1.there}}, anderswo "
                      "{{segment.1.elsewhere}}."),
        ("hypotheses", "Ein Ausfall in einem anderen System könnte dazu geführt haben, dass weniger Bestellungen ankamen."),
        ("impact", "Bestellungen im Wert von {{all.at_risk}} können so nicht ausgeliefert werden."),
        ("recommendations", "Achten Sie auf das Bestellformular und lassen Sie die Mengen vor dem Absenden prüfen."),
        ("recommendations", "Richten Sie eine tägliche Kontrolle ein, bis die Befunde wieder im üblichen Rahmen liegen."),
    ],
    "fr": [
        ("headline", "La conformité atteint {{all.conformity}} ({{all.conformity.change}}), mais les constats augmentent."),
        ("summary", "Le chiffre d'affaires progresse à {{sales.revenue}} ({{sales.revenue.change}})."),
        ("anomalies", "Les constats se concentrent sur {{segment.1.name}} : {{segment.1.there}} contre {{segment.1.elsewhere}} "
                      "ailleurs."),
        ("hypotheses", "Cette baisse pourrait être due à une panne en amont."),
        ("impact", "Cela nuit à la relation avec les clients et à l'image de la boutique."),
        ("recommendations", "Mettez en place un suivi quotidien jusqu'au retour à un niveau habituel."),
        ("recommendations", "Traitez les doublons et les valeurs manquantes avant tout le reste."),
    ],
}  # fmt: skip


@pytest.mark.parametrize("language", NATURAL)
def test_what_a_good_model_writes_passes(language: str) -> None:
    refused = {text: found for section, text in NATURAL[language] if (found := codes(text, section, language))}

    assert refused == {}
