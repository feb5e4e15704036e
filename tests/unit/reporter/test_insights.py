"""A report says which rules find the same records, when a rule found most, and what may follow from what."""

from __future__ import annotations

from typing import Any

import pytest

from reporter import template
from reporter.compute import compute
from reporter.material import Material
from reporter.report import Report, report_of
from reporter.texts import LANGUAGES, texts
from stream_app.counts.fields import Counts, add
from stream_app.counts.window import Window
from stream_app.store.period import PeriodCounts
from tests.support.report_facts import START, an_incident, material

HOUR = 3_600
OUTLIERS = {"price_deviation": 95, "price_outlier": 94}


def day(bad: range = range(9, 13), **changes: Any) -> Material:
    """A day on which two rules about prices find the same records for some hours."""
    quiet = Counts(received=100, clean=99, rejected=1, findings={"quantity.minimum": 1})
    wrong = Counts(received=100, clean=99, rejected=1, warned=95, findings=OUTLIERS, dimensions={"accuracy": 95})
    windows = [Window(START + hour * HOUR, wrong if hour in bad else quiet) for hour in range(24)]
    counts = {"orders": PeriodCounts(add([one.counts for one in windows]))}
    return material(counts=counts, before=None, windows={"orders": windows}, **({"incidents": ()} | changes))


def written(made: Material, language: str = "en") -> Report:
    say = texts(language)
    facts = compute(made, say)
    return report_of(template.write(facts, say), facts, say, written_by="template", model=None, prompt="v")


def said(report: Report, section: str) -> list[str]:
    return [item.text for part in report.sections if part.key == section for item in part.items]


def test_the_hours_of_a_rule_come_with_the_counts_of_both_sides() -> None:
    assert (
        "Rule price_deviation (orders): 380 findings in 400 records (95.0 %) between 21 Sep 2026, 23:20 UTC and "
        "22 Sep 2026, 03:20 UTC; 0 findings in 2,000 records (0.0 %) in the rest of the period."
    ) in said(written(day()), "anomalies")


@pytest.mark.parametrize("language", LANGUAGES)
def test_rules_that_find_the_same_records_are_one_event(language: str) -> None:
    report = written(day(), language)
    assert any("376" in text for text in said(report, "anomalies"))
    assert len(report.events) == 1
    same = an_incident(metric="finding:price_deviation", unit="share", observed=0.95, expected=0.001, direction="high")
    (event,) = written(day(incidents=(same,)), language).events
    assert "price_deviation" in event.what.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_rejected_customers_may_be_why_orders_have_none(language: str) -> None:
    def shop(rejected: int, missing: int) -> dict[str, PeriodCounts]:
        customers = Counts(received=1_000, clean=1_000 - rejected, rejected=rejected, findings={"email.format": rejected})
        found = {"customer_id.reference": missing}
        orders = Counts(received=5_000, clean=5_000 - missing, rejected=missing, findings=found)
        return {"orders": PeriodCounts(orders), "customers": PeriodCounts(customers)}

    def hypotheses(now: dict[str, PeriodCounts]) -> str:
        return " ".join(said(written(material(counts=now, before=shop(10, 20), incidents=()), language), "hypotheses"))

    possible = {"en": "may be the reason", "de": "könnten der Grund", "fr": "peut-être la raison"}[language]
    assert possible in hypotheses(shop(200, 400))
    assert possible not in hypotheses(shop(10, 400)), "as many customers were rejected as before"
    assert possible not in hypotheses(shop(200, 22)), "orders lack no more customers than before"
