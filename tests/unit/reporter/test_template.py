"""The template writes what a manager needs: the most important, and no more than the counts support."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from reporter import template
from reporter.compute import compute
from reporter.facts import Facts
from reporter.material import Health, Material
from reporter.report import KeyFigure, Report, report_of
from reporter.texts import LANGUAGES, texts
from stream_app.counts.fields import Counts, SegmentCounts
from stream_app.store.period import PeriodCounts
from tests.support.report_facts import an_incident, contracts, material

EN = texts("en")
CALM = Health(workers=1, lag=0, waiting=0, stream=None)
DEAR = an_incident(
    id="orders.average_order.1", metric="average_order", unit="money", observed=430_000.0, expected=4_300.0, direction="high"
)


def written(made: Material, language: str = "en") -> dict[str, Any]:
    """Section → texts as they are read."""
    facts = compute(made, texts(language))
    return {part.key: [item.text for item in part.items] for part in report(facts, language).sections}


def report(facts: Facts, language: str = "en") -> Report:
    say = texts(language)
    return report_of(template.write(facts, say), facts, say, written_by="template", model=None, prompt="v1")


def orders(findings: dict[str, int], before: dict[str, int] | None = None, **changes: Any) -> Material:
    """A thousand orders with these findings, and a thousand before."""
    then = None if before is None else {"orders": PeriodCounts(Counts(received=1_000, clean=900, findings=before))}
    counts = {"orders": PeriodCounts(Counts(received=1_000, clean=900, rejected=100, findings=findings))}
    return material(counts=counts, before=then, **({"incidents": (), "health": CALM} | changes))


def test_only_what_is_frequent_is_named_first_and_with_its_share() -> None:
    *_, first = written(orders({"quantity.minimum": 90, "price.type": 5}))["summary"]
    assert first == "Rule quantity.minimum (orders) has the most findings: 94.7 % of all (quantity is too small)."

    *_, both = written(orders({"quantity.minimum": 60, "price.type": 40}))["summary"]
    assert "followed by price.type (orders) with 40.0 % (price is not a number)" in both


def test_rare_findings_are_no_anomaly_and_nobodys_task() -> None:
    texts_of = written(orders({"quantity.minimum": 950, "price.type": 5}))

    assert not any("price.type" in text for text in texts_of["anomalies"] + texts_of["impact"] + texts_of["recommendations"])
    assert written(orders({"price.type": 1}))["recommendations"] == ["Nothing needs to be done."]


def test_a_day_like_the_one_before_has_no_news() -> None:
    few = {"quantity.minimum": 8, "price.type": 7, "order_id.type": 6}

    texts_of = written(orders(few, few))
    assert texts_of["anomalies"] == ["No rule and no incident stands out in this period."]
    assert texts_of["recommendations"] == ["Nothing needs to be done."]
    assert len(written(orders(few, dict.fromkeys(few, 2)))["anomalies"]) == 3


def test_sales_whose_worth_nobody_knows_are_not_passed_over() -> None:
    impact = written(orders({"price.required": 90, "order_id.unique": 90}))["impact"]

    assert impact == [
        "Rule order_id.unique (orders): An order that cannot be distinguished from others is shipped twice or not at all.",
        "Rule price.required (orders): 90 findings; the value of these records is unknown. The order cannot be invoiced "
        "as it stands, and its revenue is missing.",
    ]


def test_a_contract_without_impacts_still_has_the_number_of_findings() -> None:
    silent = {
        entity: msgspec.structs.replace(
            one, rules={rule_id: msgspec.structs.replace(rule, impact=None) for rule_id, rule in one.rules.items()}
        )
        for entity, one in contracts().items()
    }
    impact = written(orders({"price.required": 90, "order_id.unique": 90}, contracts=silent))["impact"]

    assert impact == ["Rule price.required (orders): 90 findings; the value of these records is unknown."]


def test_a_repeated_record_is_worth_nothing_whatever_its_rule_is_called() -> None:
    def named(kind: str) -> Any:
        rule = msgspec.structs.replace(contracts()["orders"].rules["order_id.unique"], impact=None, kind=kind)
        rules = {**contracts()["orders"].rules, "sent_twice": rule}
        renamed = {**contracts(), "orders": msgspec.structs.replace(contracts()["orders"], rules=rules)}
        return written(orders({"sent_twice": 90}, contracts=renamed))["impact"]

    assert named("unique") == ["No value at risk was found in this period."]
    assert named("condition") == ["Rule sent_twice (orders): 90 findings; the value of these records is unknown."]


def test_a_rule_that_finds_far_more_than_before_is_a_hypothesis() -> None:
    (risen,) = written(orders({"quantity.minimum": 90, "price.type": 10}, {"quantity.minimum": 20, "price.type": 9}))[
        "hypotheses"
    ]

    assert risen == (
        "A source may have changed: quantity.minimum (orders) had findings in 2.0 % of the records in the previous "
        "period, and in 9.0 % now."
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_revenue_that_an_incident_makes_doubtful_is_no_good_news(language: str) -> None:
    sound, doubtful = (compute(material(incidents=found), texts(language)) for found in ((), (DEAR,)))

    def revenue(facts: Facts) -> KeyFigure:
        return next(row for row in report(facts, language).figures if row.id == "sales.revenue")

    assert (revenue(sound).tone, revenue(doubtful).tone) == ("good", "")
    texts_of = written(material(incidents=(DEAR,)), language)["summary"]
    assert any(doubtful.all["incident.1.observed"].rendering in text for text in texts_of)
    assert doubtful.doubts == ["incident.1"]
    low = msgspec.structs.replace(DEAR, direction="low", observed=100.0)
    assert compute(material(incidents=(low,)), texts(language)).doubts == []


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("finding:price.type", "customer_id.country France is at 10.0 %, everything else at 40.0 %"),
        ("volume", "customer_id.country France reached 10.0 % of what was expected, everything else 40.0 %"),
        ("mix:customer_id.country", "usually it has 40.0 % of the records, and in the incident it had 10.0 %"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_where_an_incident_sits_is_a_hypothesis(language: str, metric: str, said: str) -> None:
    one = an_incident(metric=metric, segment=("customer_id.country", "France", 0.1, 0.4), unit="share")
    (hypothesis,) = written(orders({}, incidents=(one,)), language)["hypotheses"]

    assert said in hypothesis or language != "en"
    assert hypothesis.index("customer_id.country France")


def test_open_incidents_come_first_and_closed_ones_are_not_forgotten() -> None:
    two = (DEAR, an_incident())
    first, second, *_ = written(orders({"price.type": 50}, incidents=two))["recommendations"]
    assert first.startswith("Still open: Leave this revenue out of decisions until quantities and prices of orders")
    assert second == "Still open: Find out at the source what became of orders, and have the missing ones sent."

    over = msgspec.structs.replace(DEAR, state="closed", outcome="recovered")
    assert written(orders({}, incidents=(over,)))["recommendations"] == [
        "Leave this revenue out of decisions until quantities and prices of orders are corrected at the source and sent again."
    ]


def test_a_segment_is_spoken_of_where_it_holds_enough_of_all_findings() -> None:
    values = {
        "country": {
            "Germany": SegmentCounts(200, findings={"email.format": 34}),
            "France": SegmentCounts(440, findings={"email.format": 6}),
        }
    }

    def hypotheses(others: int) -> str:
        found = {"email.format": 40, "name.required": others}
        made = orders({})
        counts = dict(made.counts) | {"customers": PeriodCounts(Counts(received=5_000, findings=found, segments=values))}
        return " ".join(written(replace(made, counts=counts))["hypotheses"])

    assert "country Germany" in hypotheses(600)
    assert "country Germany" not in hypotheses(700)


@pytest.mark.parametrize(("lag", "said"), [(0, False), (9, False), (10, True), (5_000, True)])
def test_a_few_unread_records_are_normal(lag: int, said: bool) -> None:
    health = replace(CALM, lag=lag)

    assert any("caught up" in text for text in written(orders({}, health=health))["recommendations"]) == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_that_late_records_have_restated_say_so(language: str) -> None:
    plain = orders({})
    counts = {"orders": PeriodCounts(replace(plain.counts["orders"].counts, late=3))}
    restated = replace(plain, counts=counts)
    expected = {"en": "restated: 3 records", "de": "berichtigt: 3 Datensätze", "fr": "corrigés : 3 enregistrements"}[language]
    assert any(expected in text for text in written(restated, language)["summary"])
    assert not any(expected[:8] in text for text in written(plain, language)["summary"])
    assert not compute(plain, texts(language)).has("all.late")


def test_an_event_has_its_money_cause_and_action_and_appears_once() -> None:
    same = an_incident(metric="finding:customer_id.reference", unit="share", observed=0.09, expected=0.01, direction="high")
    made = orders(
        {"customer_id.reference": 90, "quantity.minimum": 60},
        {"customer_id.reference": 20, "quantity.minimum": 55},
        incidents=(same,),
    )
    counts = made.counts["orders"].counts
    worth = {"orders": PeriodCounts(replace(counts, at_risk_minor={"customer_id.reference": 123_400}, risk_minor=123_400))}

    first, second = report(compute(replace(made, counts=worth), EN)).events
    assert first.what.text.startswith(
        "Rule customer_id.reference (no customers record has this customer_id) in 9.0 % of orders"
    )
    assert first.money is not None
    assert "1,234.00 USD" in first.money.text
    assert first.cause is not None
    assert "customer_id.reference (orders) had findings in 2.0 %" in first.cause.text
    assert first.action is not None
    assert first.action.text.startswith("Still open: Have the source of orders corrected")
    assert first.owner is not None
    assert first.owner.text == "Nobody is assigned to it yet."
    assert second.what.text.startswith("Rule quantity.minimum (orders)")
    assert (second.money, second.cause) == (None, None)


def test_five_records_are_no_hypothesis() -> None:
    assert written(orders({"price.type": 19}, {"price.type": 0}))["hypotheses"] == []
    assert written(orders({"price.type": 20}, {"price.type": 0}))["hypotheses"]
