"""Hostile opinions in three languages are refused, whatever they hide behind, and ordinary ones pass.

Kinds: facts beside a possibility, negations, comparatives, directions, numbers in words, letters that look alike, other
languages, markup, dates, names, money, blame, certainty; in advice also other commands.
"""

from __future__ import annotations

import json
import time

import pytest

from reporter import gate, mood, vocabulary
from reporter.texts import LANGUAGES
from tests.support.report_facts import good_reply, some_claims, some_facts

RULE = "anomalies.rule.orders.quantity.minimum"
HOSTILE: dict[str, dict[str, list[str]]] = {
    "en": {
        "hypotheses": [
            "The supplier changed the price, and the team could check it.",
            "The supplier did send wrong prices, as the team may see.",
            "The form is wrong and the team may test it.",
            "It may be a delay and the supplier is the cause.",
            "Perhaps; the supplier changed the form.",
            "The owner sent empty orders, possibly again.",
            "The supplier sends wrong prices, and the form may show it.",
            "Customers have wrong addresses, which could be a problem.",
            "The team could check the form that the supplier has wronged.",
            "Will may have changed the prices.",
            "The Page team may have changed it.",
            "Don may have sent it.",
            "The customers may be wronged by the supplier.",
            "It mayn't be a change.",
            "It may be un-correct.",
            "It couldn\u2019t be the form, perhaps the feed.",
            "It could n't be the form.",
            "The form may have been other than correct.",
            "It may do naught.",
            "The form may neither send nor receive.",
            "The form may fail to be wrong.",
            "It isn\u02bct the form, it may be the feed.",
            "It may not be invalid.",
            "It may be not un-usual.",
            "Prices may be over the contract.",
            "Prices may be over-valued.",
            "Orders may be under-reported.",
            "The form may be emptier.",
            "The feed may be the wrongest.",
            "It may be the commonest problem.",
            "The price may be above the rule.",
            "The export may be like new.",
            "Orders may be greater.",
            "The quality may be correcter.",
            "It may be a one off.",
            "The form may be seconded.",
            "It may be a couple of orders.",
            "A dozen orders may be wrong.",
            "It may be the first export.",
            "It may be a part of a part.",
            "It may be half-empty.",
            "It may be ten-fold.",
            "Perhaps o n e order.",
            "It may be a pair.",
            "It may be the umpteenth repeat.",
            "It may be a fiftieth.",
            "It may be sixty.",
            "It may be XII.",
            "It may be tw0.",
            "The supplier m\u0430\u0443 change it.",
            "The \u0455upplier may change it.",
            "The form may be wr\u043eng.",
            "\u03a4he form may be wrong.",
            "Der supplier may change it.",
            "Le form may be wrong.",
            "The form may être faux.",
            "The form könnte be wrong.",
            "Peut-être the form.",
            "The form may be kaputt.",
            "The **form** may be wrong.",
            "The form may be [wrong](x).",
            "<i>The form may be wrong</i>",
            "The form may be wrong &amp; new.",
            "# The form may be wrong",
            "The form may be `wrong`.",
            "The form may\\nbe wrong | new",
            "The form may be wrong!",
            "The form may be wrong\u2028next.",
            "It may be since May.",
            "It may be AM.",
            "It may be in spring.",
            "The Amazon feed may be wrong.",
            "Ann may have changed it.",
            "The Paris warehouse may be wrong.",
            "It may be a quid.",
            "The mark may be wrong.",
            "It may be the pounds.",
            "Perhaps Bill sent it.",
            "It could be March.",
            "The team may be guilty.",
            "The developer may have kept the payment.",
            "The supplier may have taken it.",
            "The worker may be lazy.",
            "The owner may hide it.",
            "The team may have made it so again and again.",
            "It may be, and it is.",
            "It may be certain.",
            "It may be that it must be.",
            "It has to be the form, perhaps.",
            "It may be clear.",
            "It does come from the form (perhaps).",
            "Perhaps so, but the form was wrong.",
        ],
        "recommendations": [
            "Check and reject the orders.",
            "Ask the supplier and send the customer addresses.",
            "Check the form, replace the contract.",
            "Check it and move the database.",
            "Accept the prices.",
            "Check the form; accept it.",
            "Fix it and deploy the release.",
            "Check nothing.",
            "Contact Ann.",
            "Check the form or stop it.",
            "Check them all.",
            "Verify and verify and write.",
            "Check and then reject them.",
            "Fix: drop the table.",
            "Compare over and over.",
            "Do check it.",
            "Please check the orders now and delete them.",
            "Check the orders twice.",
            "Check the orders, the supplier sent wrong prices.",
            "Check the form (the supplier changed it).",
            "Check the prices that the supplier changed.",
            "Ask the team who wronged the customers.",
            "Ask the supplier which has wrong prices.",
            "Check the supplier changed the form.",
            "Verify the team is the cause.",
            "Check it, and the form is wrong.",
            "Check it as the owner was wrong.",
            "Check the form so the customers have prices.",
        ],
    },
    "de": {
        "hypotheses": [
            "Der Lieferant hat die Preise geändert, und das Team könnte es prüfen.",
            "Das Formular ist falsch, vielleicht auch die Quelle.",
            "Vielleicht, aber der Lieferant sendet falsche Preise.",
            "Die Lieferanten senden falsche Preise, möglicherweise wieder.",
            "Der Lieferant verursacht den Fehler und könnte es klären.",
            "Es könnte sein. Das Team hat es geändert.",
            "Es könnte sein; das Team war es.",
            "Preise könnten über dem Vertrag liegen.",
            "Preise könnten unter dem Vertrag liegen.",
            "Die Daten könnten leerer sein.",
            "Es könnte der falscheste Wert sein.",
            "Die Daten könnten unvollständigere Werte enthalten.",
            "Es könnte ein halber Wert sein.",
            "Es könnte die zweite Datei sein.",
            "Es könnte ein Dutzend sein.",
            "Es könnten zwei Felder sein.",
            "Es könnte unmöglich sein.",
            "Es könnte nicht am Formular liegen.",
            "Es könnte kein Fehler sein.",
            "Es könnte ohne Fehler sein.",
            "Es könnte un-gültig sein.",
            "Das Team könnte schuld sein.",
            "Herr Müller könnte es geändert haben.",
            "Es könnte im Mai gewesen sein.",
            "Es könnte seit Montag so sein.",
            "Es könnte sicher sein.",
            "Es könnte gewiss die Quelle sein.",
            "Es könnte the form sein.",
            "Es könnte le formulaire sein.",
            "Es k\u043ennte sein.",
            "**Es** könnte sein.",
            "<b>Es könnte sein.</b>",
            "Es könnte mehr sein.",
            "Es könnte ein Euro fehlen.",
            "Es könnte die Hälfte fehlen.",
            "Es könnte ver-zehn-facht sein.",
            "Der Entwickler könnte Betrug verursacht haben.",
            "Vielleicht ist es so und es war der Kunde.",
            "Es könnte einmal gewesen sein.",
        ],
        "recommendations": [
            "Prüfen Sie das Formular und senden Sie die Adressen.",
            "Prüfen Sie es, ersetzen Sie den Vertrag.",
            "Löschen Sie die Daten.",
            "Fragen Sie nicht das Team.",
            "Prüfen Sie alle Bestellungen.",
            "Prüfen und abweisen.",
            "Prüfen Sie die Quelle, und verschieben Sie die Datenbank.",
            "Prüfen Sie die Bestellungen, der Lieferant hat falsche Preise gesendet.",
            "Prüfen Sie das Formular, das der Lieferant geändert hat.",
            "Prüfen Sie es: der Kunde war es.",
            "Fragen Sie den Kunden (er war es).",
        ],
    },
    "fr": {
        "hypotheses": [
            "Le fournisseur a changé les prix, et l'équipe pourrait le vérifier.",
            "Le formulaire est faux, peut-être aussi la source.",
            "Peut-être, mais le fournisseur envoie des prix faux.",
            "Les fournisseurs modifient les prix, éventuellement.",
            "Il pourrait être ainsi ; l'équipe a changé le prix.",
            "Les prix pourraient être sous le contrat.",
            "L'équipe pourrait fausser les prix.",
            "L'équipe pourrait vider la base.",
            "Ce pourrait être le deuxième fichier.",
            "Ce pourrait être la moitié.",
            "Ce pourrait être ung.",
            "Ce pourrait être neuf.",
            "Ce pourrait être une dizaine.",
            "Il ne pourrait être faux.",
            "Il pourrait n'être pas faux.",
            "Il pourrait être sans cause.",
            "Il pourrait être moins.",
            "Il pourrait être sûr.",
            "Il pourrait être en mai.",
            "Il pourrait être depuis lundi.",
            "Paul pourrait avoir changé le prix.",
            "Il pourrait être la faute du client.",
            "Il pourrait être the form.",
            "Il pourrait être die Quelle.",
            "Il p\u043eurrait être faux.",
            "*Il* pourrait être faux.",
            "<i>Il pourrait être faux.</i>",
            "Il pourrait être cent.",
            "L'équipe pourrait être coupable.",
            "Il pourrait manquer un euro.",
            "Il pourrait être le pire.",
            "La Page pourrait être fausse.",
            "Il pourrait être demi-vide.",
        ],
        "recommendations": [
            "Vérifiez et videz la base.",
            "Vérifiez le formulaire et envoyez les adresses.",
            "Supprimez les commandes.",
            "Vérifiez tout.",
            "Comparez, puis remplacez le contrat.",
            "Contactez Paul.",
            "Vérifiez les deux champs.",
            "Vérifiez le formulaire, rejetez les commandes.",
            "Vérifiez les prix que le fournisseur a changés.",
            "Vérifiez le formulaire, le fournisseur a changé le prix.",
            "Demandez à l'équipe qui a causé la panne.",
            "Vérifiez le formulaire (il est faux).",
        ],
    },
}
BENIGN: dict[str, dict[str, list[str]]] = {
    "en": {
        "hypotheses": [
            "The supplier may have renamed a field, and the checkout could then send empty prices.",
            "It may be that a release changed the format of the export.",
            "The import might repeat orders after an interruption of the connection.",
            "Perhaps the mapping of the currency was changed in the export.",
            "A delay in the customer feed may explain the missing references.",
            "The same change could affect quantities and prices.",
            "A campaign could bring new customers with incomplete addresses.",
            "The decimal separator of the price may be different in the new version.",
        ],
        "recommendations": [
            "Ask the owner of the feed whether a field was renamed.",
            "Compare the export with the contract and check the mapping of the price.",
            "Contact the supplier about the missing values.",
            "Check the form and test it with the team.",
            "Review the release of the checkout, then confirm the correction with the supplier.",
            "Check the connection to the source.",
            "Investigate the warehouse feed.",
        ],
    },
    "de": {
        "hypotheses": [
            "Der Lieferant könnte ein Feld umbenannt haben.",
            "Es könnte sein, dass eine neue Version das Format geändert hat.",
            "Der Import könnte nach einem Ausfall Bestellungen wieder senden.",
            "Vielleicht wurde die Zuordnung der Währung im Export geändert.",
            "Die Schnittstelle könnte den Preis in ein anderes Feld schreiben und das Feld leer lassen.",
            "Eine Verzögerung der Kundendaten könnte die fehlenden Verweise erklären.",
        ],
        "recommendations": [
            "Fragen Sie den Eigentümer der Quelle, ob ein Feld umbenannt wurde.",
            "Vergleichen Sie den Export mit dem Vertrag und prüfen Sie die Zuordnung.",
            "Kontaktieren Sie den Lieferanten.",
            "Testen Sie das Formular mit dem Team.",
            "Lassen Sie die Quelle prüfen.",
        ],
    },
    "fr": {
        "hypotheses": [
            "Le fournisseur a peut-être renommé un champ.",
            "Il se peut que la nouvelle version change le format.",
            "L'import pourrait envoyer des commandes encore après une panne.",
            "L'interface pourrait écrire le prix dans un autre champ et laisser le champ vide.",
            "Un retard des données des clients pourrait expliquer les références manquantes.",
            "La même modification pourrait toucher les quantités et les prix.",
        ],
        "recommendations": [
            "Demandez au propriétaire de la source si un champ a changé.",
            "Comparez l'export avec le contrat et vérifiez la correspondance.",
            "Contactez le fournisseur.",
            "Testez le formulaire avec l'équipe.",
        ],
    },
}


def published(text: str, kind: str, language: str) -> bool:
    item = {"hypotheses": [], "recommendations": [], kind: [{"text": text, "claims": [RULE]}]}
    verdict = gate.check(json.dumps(good_reply(language) | item), some_claims(language), some_facts(language))
    assert verdict.choice is not None
    return bool(verdict.choice.opinions)


@pytest.mark.parametrize("kind", ["hypotheses", "recommendations"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_hostile_opinion_is_published(language: str, kind: str) -> None:
    assert [text for text in HOSTILE[language][kind] if published(text, kind, language)] == []


@pytest.mark.parametrize("kind", ["hypotheses", "recommendations"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_ordinary_opinions_are_published(language: str, kind: str) -> None:
    assert [text for text in BENIGN[language][kind] if not published(text, kind, language)] == []


def test_a_fact_beside_an_ordinary_possibility_is_refused() -> None:
    for beside in ("the supplier changed the price", "the form is wrong", "the team did it"):
        for text in BENIGN["en"]["hypotheses"]:
            for joined in (f"{text[:-1]}, and {beside}.", f"{beside.capitalize()}, and {text[0].lower()}{text[1:]}"):
                assert not published(joined, "hypotheses", "en"), joined


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_listed_form_is_a_comparative_of_another(language: str) -> None:
    forms = {
        "en": "wronger wrongest emptier emptiest commonest correcter incompleter roundest newest",
        "de": "leerere leersten falschere falschesten unvollständigere technischste ungewöhnlichere neuere neuste",
        "fr": "vidé videz vider fausser faussé ung vne",
    }[language]
    assert [one for one in forms.split() if not vocabulary.unknown(one, language)] == []


def test_no_sentence_takes_long() -> None:
    began = time.process_time()
    for text in ("and " * 20_000, "(" * 50_000, "may is " * 10_000, ", that" * 10_000, "a" * 50_000):
        for language in LANGUAGES:
            mood.states(text, language)
            mood.commands(text, language)
    assert time.process_time() - began < 2
